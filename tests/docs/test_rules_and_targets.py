# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The examples of docs/rules-and-targets.md are what happens."""
import json
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "rules-and-targets.md"
BLOCK = re.compile(r"^```json (\w+)(?: error=\"([^\n]*)\")?\n(.*?)^```$", re.M | re.S)


def examples():
    text = PAGE.read_text()
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        error = found[2].replace('\\"', '"') if found[2] else None
        yield pytest.param(found[1], error, found[3].replace("\n", " "), id=f"line-{line}-{found[1]}")


def judge(kind, text):
    """What the code makes of a document: see tests/schemas/judge_documents.c."""
    built = [path for path in ROOT.glob("build/*/tests/judge_documents") if os.access(path, os.X_OK)]
    assert built, "judge_documents is not built: cmake --preset debug && cmake --build --preset debug"
    program = max(built, key=lambda path: path.stat().st_mtime)
    done = subprocess.run([program], input=f"{kind}\t{text}\n", capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.removesuffix("\n")


def member(text, name):
    """A member's own text, since what is sent verbatim depends on it."""
    decoder = json.JSONDecoder()
    at = re.search(rf'"{name}":\s*', text).end()
    return text[at:decoder.raw_decode(text, at)[1]]


@pytest.mark.parametrize("kind, error, text", examples())
def test_an_example_does_what_the_page_says(kind, error, text):
    example = json.loads(text)
    if kind != "delivery":
        verdict = judge(kind, text)
        assert verdict == "ok" if error is None else verdict.split(": ", 1)[1] == error
        return
    rule = '{"name":"hot-boilers","pattern":{"any":[{"exists":true}]},"targets":[%s]}' % member(text, "target")
    verdict = judge("delivery", '{"rule":%s,"publish":%s}' % (rule, member(text, "publish")))
    if "error" in example:
        assert verdict.split(": ", 1)[1] == example["error"]
        return
    assert verdict.startswith("{"), verdict
    delivered = json.loads(verdict)
    assert delivered["topic"] == example["topic"]
    if "payload" in example:
        assert delivered["payload"] == example["payload"]


def test_no_example_is_left_out():
    assert len(list(examples())) == PAGE.read_text().count("\n```json ") > 0
