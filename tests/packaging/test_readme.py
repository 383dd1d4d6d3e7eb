# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The README's first rule, as it is written there."""
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SECTION = (REPOSITORY / "README.md").read_text().split("## A first rule in two minutes")[1].split("\n## ")[0]


@pytest.fixture
def script(tmp_path):
    """The section's shell blocks as one script, in a folder and on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = pathlib.Path(f"/tmp/sluice-readme-{port}")
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```$", SECTION, re.M | re.S))
    text = blocks.replace("18830", str(port)).replace("/tmp/sluice", str(folder))
    if os.geteuid() == 0:
        text = text.replace("/usr/sbin/mosquitto", f"chown mosquitto {folder}; /usr/sbin/mosquitto")
    text = text.replace("/mosquitto.conf &\n", "/mosquitto.conf 2>/dev/null &\nbroker=$!\nsleep 1\n")
    text = text.replace("-v &\n", "-v -W 10 &\n").replace("sluice explain", "sleep 0.5; sluice explain")
    yield text + '\nkill $broker\nwait\n'
    shutil.rmtree(folder, ignore_errors=True)


def test_the_first_rule_works_as_written(script):
    done = subprocess.run(["bash", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    expected = re.search(r"^```text\n(.*?)^```$", SECTION, re.M | re.S).group(1)
    assert expected in done.stdout, done
    assert "21.5 is not > 30" in done.stdout, done
