# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The definitions and records in the pages on change capture are ones."""
import json
import os
import pathlib
import re
import subprocess

import jsonschema
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```json ([\w-]+)\n(.*?)^```$", re.M | re.S)


def examples():
    for name in ("change-records", "postgres", "sqlite"):
        text = (ROOT / "docs/bridge" / f"{name}.md").read_text()
        for found in BLOCK.finditer(text):
            yield pytest.param(found[1], found[2].replace("\n", " "), id=f"{name}-{found[1]}")


@pytest.mark.parametrize("kind, text", examples())
def test_an_example_is_what_it_is_said_to_be(kind, text):
    if kind == "change-record":
        schema = json.loads((ROOT / "schemas/json/change-record.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft202012Validator(schema).validate(json.loads(text))
        return
    built = [path for path in ROOT.glob("build/*/tests/judge_documents") if os.access(path, os.X_OK)]
    assert built, "judge_documents is not built: cmake --preset debug && cmake --build --preset debug"
    program = max(built, key=lambda path: path.stat().st_mtime)
    done = subprocess.run([program], input=f"{kind}\t{text}\n", capture_output=True, text=True, timeout=10, check=True)
    assert done.stdout == "ok\n"
