# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The JSON Schemas say what the code takes: each document of the corpora is given to both.

A line is {"why", "document" or "text", "accepted"}. "schema": "silent" marks what the code refuses and a schema can't say;
nothing that the code takes may be refused by the schema."""
import itertools
import json
import os
import pathlib
import re
import subprocess

import jsonschema
import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SCHEMAS = ROOT / "schemas" / "json"
VERDICTS = [ROOT / "tests" / "conformance" / name for name in ("ruler-verdicts.jsonl", "sluice-verdicts.jsonl")]


def ecma_pattern(_validator, pattern, instance, _schema):
    """JSON Schema's regular expressions are ECMA-262's, in which $ is the end alone; Python's is before a last newline too."""
    python = re.sub(r"\\.|\$", lambda found: r"\Z" if found[0] == "$" else found[0], pattern)
    if isinstance(instance, str) and not re.search(python, instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": ecma_pattern})


def validator(name, fragment=None):
    path = SCHEMAS / name
    schema = json.loads(path.read_text())
    resolver = jsonschema.RefResolver(path.as_uri(), schema)
    part = {"$ref": fragment} if fragment else schema
    return Validator(part, resolver=resolver)


def judge_program():
    """The program of the newest build."""
    built = [path for path in ROOT.glob("build/*/tests/judge_documents") if os.access(path, os.X_OK)]
    assert built, "judge_documents is not built: cmake --preset debug && cmake --build --preset debug"
    return max(built, key=lambda path: path.stat().st_mtime)


def judge(kind, texts):
    """What the code says of each text: "ok", or the error."""
    lines = "".join(f"{kind}\t{text}\n" for text in texts)
    done = subprocess.run([judge_program()], input=lines.encode("utf-8", "surrogatepass"), capture_output=True, timeout=60,
                          check=True)
    answers = done.stdout.decode("utf-8", "replace").splitlines()
    assert len(answers) == len(texts)
    return answers


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def text_of(line):
    return line["text"] if "text" in line else json.dumps(line["document"], ensure_ascii=False)


def check(lines, verdicts, check_schema):
    wrong = []
    for line, verdict in zip(lines, verdicts):
        taken = check_schema.is_valid(json.loads(text_of(line)))
        expected = line["accepted"] or line.get("schema") == "silent"
        if (verdict == "ok") != line["accepted"]:
            wrong.append(f"the code says {verdict}: {line}")
        if taken != expected:
            wrong.append(f"the schema {'takes' if taken else 'refuses'} {line}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", sorted(path.name for path in SCHEMAS.glob("*.json")))
def test_a_schema_is_well_formed(name):
    schema = json.loads((SCHEMAS / name).read_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("kind, corpus, schema, fragment", [
    ("rule", "rules.jsonl", "rule.schema.json", None),
    ("bus", "buses.jsonl", "bus.schema.json", None),
    ("queue", "queues.jsonl", "queue.schema.json", None),
    ("target", "targets.jsonl", "target.schema.json", None),
    ("source", "sources.jsonl", "source.schema.json", None),
    ("connection", "connections.jsonl", "connection.schema.json", None),
    ("pattern", "patterns.jsonl", "pattern.schema.json", None),
    ("publish", "publishes.jsonl", "control.schema.json", "#/$defs/publish"),
])
def test_schema_and_code_agree(kind, corpus, schema, fragment):
    lines = lines_of(HERE / corpus)
    check(lines, judge(kind, [text_of(line) for line in lines]), validator(schema, fragment))


def test_the_schemas_of_the_bridge_know_every_setting_and_secret_of_each_kind():
    (line,) = judge("kinds", [""])
    for role, kinds in json.loads(line).items():
        schema = json.loads((SCHEMAS / f"{role}.schema.json").read_text())
        assert schema["properties"]["kind"]["enum"] == list(kinds)
        branches = {branch["if"]["properties"]["kind"]["const"]: branch["then"] for branch in schema["allOf"]}
        for kind, (settings, secrets) in kinds.items():
            assert list(schema["$defs"][kind]["properties"]) == settings, kind
            assert branches[kind]["properties"]["settings"] == {"$ref": f"#/$defs/{kind}"}
            if role == "connection":
                assert list(branches[kind]["properties"]["secrets"]["properties"]) == secrets, kind


def test_the_control_schema_takes_and_refuses_commands():
    lines = lines_of(HERE / "commands.jsonl")
    check(lines, ["ok" if line["accepted"] else "invalid" for line in lines], validator("control.schema.json"))


def test_the_control_schema_knows_every_command_by_an_example():
    known = set(json.loads((SCHEMAS / "control.schema.json").read_text())["$defs"]["command"]["properties"]["command"]["enum"])
    shown = {command["command"] for line in lines_of(HERE / "commands.jsonl") if line["accepted"]
             for command in line["document"]["commands"]}
    assert shown == known


def unique_members(pairs):
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a repeated name")
    return dict(pairs)


def refuse(word):
    raise ValueError(f"{word} is no JSON")


def depth(text):
    return max(itertools.accumulate((character in "[{") - (character in "]}") for character in text), default=0)


def test_the_pattern_schema_agrees_with_every_verdict_of_the_conformance_tests():
    texts = sorted({line["pattern"] if isinstance(line["pattern"], str) else json.dumps(line["pattern"])
                    for path in VERDICTS for line in lines_of(path) if "pattern" in line})
    # jsonschema recurses: what nests past its stack is the limits' test in C.
    texts = [text for text in texts if "\n" not in text and depth(text) <= 40]
    assert len(texts) > 1000
    check_schema = validator("pattern.schema.json")
    wrong, silent = [], 0
    for text, verdict in zip(texts, judge("pattern", texts)):
        try:
            taken = check_schema.is_valid(json.loads(text, object_pairs_hook=unique_members, parse_constant=refuse))
        except ValueError:
            taken = False
        if verdict == "ok" and not taken:
            wrong.append(f"the schema refuses {text}")
        if verdict != "ok" and taken:
            # What a schema can't say: bounds in the wrong order, what is no address, limits.
            silent += 1
            if not verdict.startswith("limit: ") and not any(
                    reason in verdict for reason in ("lower bound", "address", "block", "bits")):
                wrong.append(f"the schema takes {text}, the code says {verdict}")
    assert not wrong, "\n".join(wrong[:20])
    assert silent < len(texts) / 10


def test_explanations_are_as_their_schema_says():
    texts = [line["pattern"] + "\t" + line["event"] for path in VERDICTS for line in lines_of(path)
             if isinstance(line.get("pattern"), str) and isinstance(line.get("event"), str)]
    texts = [text for text in texts if "\n" not in text and text.count("\t") == 1]
    assert len(texts) > 1000
    check_schema = validator("explanation.schema.json")
    wrong, explained = [], 0
    for text, answer in zip(texts, judge("explain", texts)):
        if answer == "no pattern":
            continue
        explained += 1
        explanation = json.loads(answer, object_pairs_hook=unique_members, parse_constant=refuse)
        wrong += [f"{error.message}\n{text}\n{answer}" for error in check_schema.iter_errors(explanation)]
    assert not wrong, "\n".join(wrong[:20])
    assert explained > 1000
