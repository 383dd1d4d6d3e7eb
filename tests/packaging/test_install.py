# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What `cmake --install` leaves where."""
import pathlib
import subprocess

from installation import REPOSITORY, install

# What a broker needs, what its users do, programs that link the library, and who builds those.
UNIT = "usr/lib/systemd/system/sluice-bridge.service"
COMPONENTS = ("plugin", "cli", "bridge", "library", "dev", "common")


def test_the_plugin_is_where_debian_keeps_mosquittos(installed):
    packaged = subprocess.run(["dpkg", "-L", "mosquitto"], capture_output=True, text=True).stdout
    (folder,) = {pathlib.Path(line).parent for line in packaged.split() if line.endswith("/mosquitto_dynamic_security.so")}
    assert str(folder / "mosquitto_sluice.so").lstrip("/") in installed.files


def test_the_cli_its_man_page_and_the_schemas_are_installed(installed):
    assert "usr/bin/sluice" in installed.files
    assert "usr/share/man/man1/sluice.1" in installed.files
    bridge = {"usr/sbin/sluice-bridge", "usr/share/man/man8/sluice-bridge.8", UNIT}
    assert bridge <= installed.files
    assert "ExecStart=/usr/sbin/sluice-bridge " in (installed.root / UNIT).read_text()
    for kind in ("sql", "json"):
        paths = [path for path in (REPOSITORY / "schemas" / kind).rglob("*") if path.is_file()]
        assert {f"usr/share/sluice/{path.relative_to(REPOSITORY / 'schemas')}" for path in paths} <= installed.files


def test_nothing_else_is_installed(installed):
    known = ("usr/bin/sluice", "usr/sbin/sluice-bridge", "usr/lib/", "usr/include/sluice/", "usr/share/man/", "usr/share/sluice/", "usr/share/doc/sluice/",
             "usr/share/bash-completion/", "usr/share/zsh/", "usr/share/fish/")
    assert [path for path in installed.files if not path.startswith(known)] == []
    below = installed.libdir.relative_to(installed.root)
    libraries = {path.removeprefix(f"{below}/") for path in installed.files
                 if path.startswith("usr/lib/") and path != UNIT}
    (version,) = {path for path in libraries if path.startswith("libsluice.so.0.")}
    assert libraries == {"mosquitto_sluice.so", "libsluice.so", "libsluice.so.0", version, "libsluice.a", "pkgconfig/sluice.pc",
                         "cmake/Sluice/SluiceConfigVersion.cmake", "cmake/Sluice/SluiceConfig.cmake",
                         *(path for path in libraries if path.startswith("cmake/Sluice/SluiceConfig-"))}


def test_components_are_disjoint_and_make_the_whole(installed, tmp_path):
    parts = {name: install(tmp_path / name, "--component", name) for name in COMPONENTS}
    assert all(parts.values())
    assert sorted(path for files in parts.values() for path in files) == sorted(installed.files)
    assert {pathlib.Path(path).name for path in parts["plugin"]} == {"mosquitto_sluice.so", "mosquitto_sluice.7"}
    assert all(pathlib.Path(path).name.startswith("libsluice.so.0") for path in parts["library"])


def test_the_plugin_shows_its_three_functions_alone_and_needs_no_library_of_mosquittos_or_ours(installed):
    plugin = installed.libdir / "mosquitto_sluice.so"
    symbols = subprocess.run(["nm", "-D", "--defined-only", plugin], capture_output=True, text=True, check=True).stdout
    assert sorted(line.split()[-1] for line in symbols.splitlines()) == [
        "mosquitto_plugin_cleanup", "mosquitto_plugin_init", "mosquitto_plugin_version"]
    needed = subprocess.run(["objdump", "-p", plugin], capture_output=True, text=True, check=True).stdout
    assert "libmosquitto" not in needed and "libsluice" not in needed
