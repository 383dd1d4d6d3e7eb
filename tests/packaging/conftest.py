# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What is installed, once for all tests of it."""
import types

import pytest

from installation import BUILD, install


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """`files`, paths relative to `root`; `libdir` and `include` below it; how a program built with it is to be `sanitized`."""
    root = tmp_path_factory.mktemp("root")
    files = install(root)
    (library,) = [path for path in files if path.endswith("/libsluice.so")]
    cache = (BUILD / "CMakeCache.txt").read_text()
    return types.SimpleNamespace(
        root=root, files=files, libdir=(root / library).parent, include=root / "usr/include",
        sanitized=["-fsanitize=address,undefined"] if "SLUICE_SANITIZE:BOOL=ON" in cache else [])
