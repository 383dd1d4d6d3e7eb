# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The bench itself: what it makes is what it says, and its programs build and run. How fast anything is, is not asked here."""
import fcntl
import json
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FAMILIES = ("sensor", "sensor2", "order", "order2", "polygon", "polygon2")
KINDS = ("exact", "prefix", "suffix", "wildcard", "numeric", "anything-but", "mixed")


@pytest.fixture(scope="session")
def programs():
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build" / "bench.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # pytest's workers would build over each other
        for command in (["cmake", "--preset", "bench"], ["cmake", "--build", "--preset", "bench", "-j", "2"]):
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / "build" / "bench" / "bench"


def generate(folder, family, kind, rules, *more):
    subprocess.run([HERE / "generate", family, kind, str(rules), folder, *map(str, more)], check=True, capture_output=True)
    return [[json.loads(line) for line in (folder / name).read_text().splitlines()] for name in ("rules.jsonl", "events.jsonl")]


def compare(programs, folder, *more):
    done = subprocess.run([programs / "compare", "--rules", folder / "rules.jsonl", "--events", folder / "events.jsonl",
                           "--seconds", "0", *more], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_few_rules_match_an_event_and_the_plain_evaluator_agrees(programs, tmp_path, family, kind):
    generate(tmp_path, family, kind, 100, "--events", 200)
    found = compare(programs, tmp_path, "--oracle")
    assert found["rules"] == 100
    assert found["checked_events"] > 0
    assert 0.1 <= found["matches_per_event"] <= 2
    assert found["undecided_per_event"] == 0
    assert min(found[name]["multiple"] for name in ("cjson", "simdjson", "engine", "oracle")) > 0


def test_the_same_arguments_make_the_same_and_another_seed_makes_others(tmp_path):
    first = generate(tmp_path / "a", "order", "mixed", 50, "--events", 5)
    assert generate(tmp_path / "b", "order", "mixed", 50, "--events", 5) == first
    rules, events = generate(tmp_path / "c", "order", "mixed", 50, "--events", 5, "--seed", 2)
    assert rules != first[0] and events != first[1]


@pytest.mark.parametrize("family, least, most", [("sensor", 170, 220), ("order", 550, 720), ("polygon", 900, 1100)])
def test_events_have_the_size_that_they_are_to_have(tmp_path, family, least, most):
    generate(tmp_path, family, "exact", 10, "--events", 300)
    size = (tmp_path / "events.jsonl").stat().st_size / 300
    assert least <= size <= most


def operators(pattern):
    """The operators of a pattern, with the names of what they say."""
    if isinstance(pattern, list):
        for alternative in pattern:
            yield from operators(alternative) if isinstance(alternative, dict) else ["exact"]
        return
    for name, value in pattern.items():
        if name in ("numeric", "cidr", "prefix", "suffix", "wildcard", "equals-ignore-case", "exists", "anything-but"):
            inner = next(iter(value)) if isinstance(value, dict) else str(value).lower() if name == "exists" else ""
            yield f"{name} {inner}".strip()
        else:
            if name == "$or":
                yield name
            yield from operators(value)


def test_mixed_rules_have_every_operator_in_them(tmp_path):
    rules, _ = generate(tmp_path, "sensor", "mixed", 3000, "--events", 1)
    found = {operator for rule in rules for operator in operators(rule["pattern"])}
    assert found >= {"exact", "prefix", "suffix", "wildcard", "numeric", "cidr", "equals-ignore-case", "exists true", "exists false",
                     "anything-but", "anything-but prefix", "anything-but suffix", "anything-but wildcard",
                     "anything-but equals-ignore-case", "prefix equals-ignore-case", "suffix equals-ignore-case", "$or"}
    leading = [rule for rule in rules if '"wildcard": "*' in json.dumps(rule)]
    assert len(leading) > len(rules) / 50


def test_rules_about_devices_name_one_of_ten_thousand(tmp_path):
    rules, events = generate(tmp_path, "sensor", "devices", 30000, "--events", 500)
    assert all("device" in rule["pattern"] for rule in rules)
    named = {value.lower() for rule in rules for device in rule["pattern"]["device"]
             for value in [device if isinstance(device, str) else device["equals-ignore-case"]]}
    assert 9000 < len(named) <= 10000
    assert {event["device"] for event in events} & named


def test_run_prints_a_goal_beside_what_was_measured(programs):
    done = subprocess.run([HERE / "run", "--seconds", "0.05", "--markdown", "sensor-exact-10", "scan-sensor"], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    assert "| sensor-exact-10 | 6 | " in done.stdout
    assert "| scan-sensor / simdjson | 1.5 | " in done.stdout
