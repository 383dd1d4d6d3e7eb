# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The README's first rule and first queue, as they are written there."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from environment import free_port

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SECTION = (REPOSITORY / "README.md").read_text().split("## A first rule in two minutes")[1].split("\n## ")[0]


def until(command):
    """A line that waits for the command to succeed: what a person who reads and types waits for without noticing."""
    return f"until {command}; do kill -0 $broker || exit 1; sleep 0.1; done\n"


@pytest.fixture
def script():
    """The section's shell blocks as one script, in a folder and on a port of its own."""
    port = free_port()
    folder = pathlib.Path(f"/tmp/sluice-readme-{port}")
    heard = folder / "consumer.out"
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```$", SECTION, re.M | re.S))
    text = blocks.replace("18830", str(port)).replace("/tmp/sluice", str(folder))
    if os.geteuid() == 0:
        text = text.replace("/usr/sbin/mosquitto", f"chown mosquitto {folder}; /usr/sbin/mosquitto")
    text = text.replace("/mosquitto.conf &\n", "/mosquitto.conf 2>/dev/null &\nbroker=$!\n"
                        + until(f"(: </dev/tcp/127.0.0.1/{port}) 2>/dev/null"))
    text = text.replace("mosquitto_sub", "stdbuf -oL mosquitto_sub -d -W 10").replace("-v &\n", f"-v >{heard} &\n")
    text = text.replace("sleep 1\n", until(f"grep -q SUBACK {heard}"))
    text = text.replace("sluice explain", until(f"grep ^consumers/ {heard}") + "sluice explain")
    yield text + "\nkill $broker\nwait\n"
    shutil.rmtree(folder, ignore_errors=True)


def test_the_first_rule_works_as_written(script):
    done = subprocess.run(["bash", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    for expected in re.findall(r"^```text\n(.*?)^```$", SECTION, re.M | re.S):
        # A receipt is another each time.
        assert re.search(re.sub(r"\b[0-9a-f]{40}\b", "[0-9a-f]{40}", re.escape(expected)), done.stdout), done
    assert "21.5 is not > 30" in done.stdout, done
