# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What `cmake --install` leaves where."""
import os
import pathlib
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "build" / os.environ.get("SLUICE_BUILD", "release")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """{path below the root}, and the root."""
    root = tmp_path_factory.mktemp("root")
    subprocess.run(["cmake", "--install", BUILD], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "DESTDIR": str(root)})
    return root, {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_the_plugin_is_where_debian_keeps_mosquittos(installed):
    packaged = subprocess.run(["dpkg", "-L", "mosquitto"], capture_output=True, text=True).stdout
    (folder,) = {pathlib.Path(line).parent for line in packaged.split() if line.endswith("/mosquitto_dynamic_security.so")}
    assert str(folder / "mosquitto_sluice.so").lstrip("/") in installed[1]


def test_the_cli_its_man_page_and_the_schemas_are_installed(installed):
    _, files = installed
    assert "usr/bin/sluice" in files
    assert "usr/share/man/man1/sluice.1" in files
    for kind in ("sql", "json"):
        assert {f"usr/share/sluice/{kind}/{path.name}" for path in (REPOSITORY / "schemas" / kind).iterdir()} <= files


def test_nothing_else_is_installed(installed):
    known = ("usr/bin/sluice", "usr/lib/", "usr/share/man/", "usr/share/sluice/", "usr/share/doc/sluice/",
             "usr/share/bash-completion/", "usr/share/zsh/", "usr/share/fish/")
    assert [path for path in installed[1] if not path.startswith(known)] == []
    assert sum(path.startswith("usr/lib/") for path in installed[1]) == 1


def test_the_plugin_shows_its_three_functions_alone_and_needs_no_mosquitto_library(installed):
    root, files = installed
    (plugin,) = [root / path for path in files if path.endswith("mosquitto_sluice.so")]
    symbols = subprocess.run(["nm", "-D", "--defined-only", plugin], capture_output=True, text=True, check=True).stdout
    assert sorted(line.split()[-1] for line in symbols.splitlines()) == [
        "mosquitto_plugin_cleanup", "mosquitto_plugin_init", "mosquitto_plugin_version"]
    needed = subprocess.run(["objdump", "-p", plugin], capture_output=True, text=True, check=True).stdout
    assert "libmosquitto" not in needed
