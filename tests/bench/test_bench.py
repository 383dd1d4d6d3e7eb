# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The bench itself: what it makes is what it says, and its programs build and run. How fast anything is, is not asked here."""
import fcntl
import json
import os
import pathlib
import re
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# scripts/test has built them with the release.
PRESET = os.environ.get("SLUICE_BENCH_BUILD", "bench")
FAMILIES = ("sensor", "sensor2", "order", "order2", "polygon", "polygon2")
KINDS = ("exact", "prefix", "suffix", "wildcard", "numeric", "anything-but", "mixed")


@pytest.fixture(scope="session")
def programs():
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build" / "bench.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # pytest's workers would build over each other
        for command in (["cmake", "--preset", PRESET], ["cmake", "--build", "--preset", PRESET, "--target", "bench", "-j", "2"]):
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / "build" / PRESET / "bench"


def generate(folder, family, kind, rules, *more):
    subprocess.run([HERE / "generate", family, kind, str(rules), folder, *map(str, more)], check=True, capture_output=True)
    return [[json.loads(line) for line in (folder / name).read_text().splitlines()] for name in ("rules.jsonl", "events.jsonl")]


def measure(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_folder(folder):
    return ["--rules", folder / "rules.jsonl", "--events", folder / "events.jsonl"]


def compare(programs, folder, *more):
    return measure(programs / "compare", *in_folder(folder), "--seconds", 0, *more)


@pytest.mark.parametrize("family, kind", [(family, kind) for i, family in enumerate(FAMILIES) for j, kind in enumerate(KINDS)
                                          if (i + j) % 2 == 0])  # each family and each kind; the tables of tests/bench/run have all
def test_a_few_rules_match_an_event_and_the_plain_evaluator_agrees(programs, tmp_path, family, kind):
    generate(tmp_path, family, kind, 100, "--events", 100)
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


@pytest.mark.parametrize("family, least, most", [("sensor", 175, 215), ("order", 600, 700), ("polygon", 900, 1100)])
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


def test_ten_rules_match_the_devices_events_as_often_as_all_the_devices_rules(programs, tmp_path):
    generate(tmp_path / "all", "sensor", "devices", 30000, "--events", 500)
    generate(tmp_path / "twin", "sensor", "twin", 10, "--events", 500)
    assert (tmp_path / "all" / "events.jsonl").read_text() == (tmp_path / "twin" / "events.jsonl").read_text()
    found = compare(programs, tmp_path / "all", "--beside", tmp_path / "twin" / "rules.jsonl")
    assert found["beside"]["multiple"] > 0
    assert 0.5 < found["matches_per_event"] / found["beside_matches_per_event"] < 2


# In the others the engine, by its bound, leaves rules undecided that the plain evaluator can tell.
@pytest.mark.parametrize("kind, rules, matches", [("one-value", 50, True), ("one-value-verified", 50, False),
                                                  ("one-value-looked-at", 50, False), ("wildcards", 50, True), ("or", 20, True),
                                                  ("deep", 2000, True), ("escapes", 100, True)])
def test_a_set_made_to_hurt_is_matched_rightly(programs, tmp_path, kind, rules, matches):
    generate(tmp_path, "worst", kind, rules, "--events", 40)
    found = compare(programs, tmp_path, "--oracle")
    assert found["checked_events"] > 0
    assert found["undecided_per_event"] == 0
    assert (found["matches_per_event"] > 0) == matches


def test_events_of_a_hundred_thousand_leaves_are_measured(programs, tmp_path):
    for kind in ("leaves", "too-many-leaves"):
        _, events = generate(tmp_path, "worst", kind, 20, "--events", 1)
        assert len(events[0]["v"]) + len(events[0].get("rest", {})) == 100000
        assert compare(programs, tmp_path)["engine"]["multiple"] > 0


def test_changes_are_timed_while_events_are_matched(programs, tmp_path):
    generate(tmp_path, "sensor", "mixed", 300, "--events", 50)
    found = measure(programs / "change", *in_folder(tmp_path), "--changes", 2000)
    assert found["add"]["count"] + found["remove"]["count"] == found["changes"] == 2000
    assert found["match"]["count"] > 0
    for times in (found["add"], found["remove"], found["match"]):
        assert 0 < times["p50_us"] <= times["p99_us"] <= times["max_us"]


def test_memory_is_counted_and_given_back(programs):
    found = measure(programs / "memory", "two-fields", "--rules", 2000)
    assert 0 < found["shared_bytes"] <= found["own_bytes"]
    found = measure(programs / "memory", "give-back", "--rules", 6000, "--held", 600)
    assert found["emptied_bytes"] < found["first_bytes"]
    assert found["last_bytes"] < 2 * found["first_bytes"]


def test_the_durable_state_is_measured_beside_a_bare_table(programs, tmp_path):
    found = measure(programs / "data", "--folder", tmp_path, "--events", 2000, "--batch", 500)
    assert found["events"] == 2000
    assert found["plain"]["of_plain"] == 1
    assert min(found[name]["per_second"] for name in ("plain", "come_go", "enqueue", "drain", "archive")) > 0
    assert list(tmp_path.iterdir()) == []


def test_appending_is_measured_beside_a_copy(programs, tmp_path):
    found = measure(programs / "journal", "--folder", tmp_path, "--rate", 5000, "--seconds", 0.2)
    assert found["frames"] == 1000
    for times in (found["append"], found["copy"]):
        assert 0 < times["p50_us"] <= times["p99_us"] <= times["p999_us"] <= times["max_us"]
    assert found["refused"] == 0
    assert list(tmp_path.iterdir()) == []


def test_threads_take_turns_with_one_alone(programs, tmp_path):
    generate(tmp_path, "sensor", "mixed", 100, "--events", 50)
    found = measure(programs / "threads", *in_folder(tmp_path), "--threads", 2, "--seconds", 0.2)
    assert found["threads"] == 2
    assert found["throughput"] > 0 and found["of_each_core"] > 0


def test_run_names_its_rows(programs):
    done = subprocess.run([HERE / "run", "--list"], capture_output=True, text=True, check=True)
    assert {"sensor-exact-10", "polygon-mixed-1000", "million", "load", "change", "memory", "give-back", "worst-or"} <= set(
        done.stdout.split())


def test_run_prints_a_goal_beside_what_was_measured(programs):
    done = subprocess.run([HERE / "run", "--seconds", "0.05", "--markdown", "sensor-exact-10", "scan-sensor"], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\| sensor-exact-10 \| 1\.16 \| .*× \| 6 \| ", done.stdout, re.M)
    assert "| scan-sensor / simdjson | 1.5 | " in done.stdout


def test_durable_delivery_is_measured_beside_a_router_that_has_none():
    done = subprocess.run([HERE / "durable", "--rounds", "1", "--turn", "0.05", "--keep-up", "0.2", "--no-alone", "--json"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    (turns,) = found["rounds"]
    assert {"plain-0", "router-1", "queue-0", "queue-1"} <= set(turns)
    assert min(turn["sent"] for turn in turns.values()) > 300 and min(turn["cpu_us"] for turn in turns.values()) > 0
    # The data thread is one of the others, and only the queue gives it something to do.
    assert turns["queue-0"]["others_us"] > turns["router-0"]["others_us"]
    assert found["kept"]["queue"]["refused"] == 0
