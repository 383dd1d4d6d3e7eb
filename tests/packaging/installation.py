# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Installing the build that is under test."""
import os
import pathlib
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "build" / os.environ.get("SLUICE_BUILD", "release")


def install(root, *options):
    """Installs the build below root: {path relative to it} of each file and link."""
    subprocess.run(["cmake", "--install", BUILD, *options], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "DESTDIR": str(root)})
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() or path.is_symlink()}
