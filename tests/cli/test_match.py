# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""sluice match and sluice bench: the forms that other programs are built on."""
import contextlib
import json
import os
import random
import subprocess
import time

import pytest

from environment import REPOSITORY, SLUICE, sluice

VERDICTS = REPOSITORY / "tests/conformance/ruler-verdicts.jsonl"


def cases(tmp_path, *lines, **options):
    path = tmp_path / "cases"
    path.write_bytes(b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n"
                              for line in lines))
    return sluice("match", "--cases", path, **options)


def test_every_verdict_of_the_reference_comes_out_the_same():
    expected = [json.loads(line) for line in VERDICTS.read_text().splitlines()]
    printed = sluice("match", "--cases", VERDICTS).out.splitlines()
    assert len(printed) == len(expected)
    wrong = [(case, line) for case, line in zip(expected, printed)
             if "quirk" not in case and line.partition(":")[0] != case["verdict"]]
    assert not wrong, wrong[:3]


def test_a_case_holds_json_values_or_text(tmp_path):
    printed = cases(tmp_path, {"pattern": {"a": [1]}, "event": {"a": 1}},
                    {"pattern": '{"a": [1]}', "event": '{"a": 1.0}'},
                    {"pattern": '{"a": [1]}', "event": {"a": 2}},
                    {"pattern": {"a": [1]}, "event": "not JSON"}).out
    assert printed.splitlines() == ["match", "match", "nomatch", "nomatch"]


def test_an_invalid_pattern_is_told_with_place_and_reason(tmp_path):
    printed = cases(tmp_path, {"pattern": {"a": [1, {"prefixx": "b"}]}, "event": {}}).out
    assert printed == 'invalid: $.a[1]: unknown operator "prefixx", did you mean "prefix"?\n'


def test_the_verdict_invalid_is_about_the_pattern_alone(tmp_path):
    printed = cases(tmp_path, {"pattern": "{", "event": "{"}).out
    assert printed.startswith("invalid: ")


def test_a_publish_in_place_of_the_event_sets_mqtt(tmp_path):
    pattern = {"$mqtt": {"topic": [{"mqtt-topic": "plants/+/boiler"}], "qos": [1]}}
    printed = cases(tmp_path,
                    {"pattern": pattern, "publish": {"topic": "plants/berlin/boiler", "payload": "hot", "qos": 1}},
                    {"pattern": pattern, "publish": {"topic": "plants/berlin/boiler", "payload": "hot", "qos": 0}},
                    {"pattern": {"$mqtt": {"payload": ["hot"]}}, "publish": {"topic": "a", "payload": "hot"}},
                    {"pattern": {"$mqtt": {"user_properties": {"tenant": ["acme"]}}},
                     "publish": {"topic": "a", "user_properties": {"tenant": ["x", "acme"]}}}).out
    assert printed.splitlines() == ["match", "nomatch", "match", "match"]


def test_broken_lines_are_told_with_file_and_line_and_the_others_judged(tmp_path):
    result = cases(tmp_path, {"pattern": {"a": [1]}, "event": {"a": 1}}, b"{broken", b'{"event":{}}',
                   b'{"pattern":{"a":[1]}}', b'{"pattern":{"a":[1]},"publish":{"nonsense":1}}', b"",
                   {"pattern": {"a": [1]}, "event": {"a": 2}}, check=False)
    assert result.code == 3
    printed = result.out.splitlines()
    # The nth line is the nth case's.
    assert printed[0] == "match" and printed[5:] == ["nomatch"]
    assert all(line.startswith("invalid: ") and "not a case" in line for line in printed[1:5]), printed
    assert [line.split(":")[2] for line in result.err.splitlines()] == ["2", "3", "4", "5"], result.err


@pytest.mark.parametrize("line", [b"\0", b"\xff\xfe", b"[" * 200000, b'{"pattern":' + b"[" * 100000,
                                  b'"', b"1", b"[]", b"null", b'{"pattern":{},"pattern":{}}', b"\xef\xbb\xbf{}"],
                         ids=lambda line: repr(line[:24]))
def test_a_hostile_line_is_an_error_and_nothing_worse(tmp_path, line):
    result = cases(tmp_path, line, check=False, text=False)
    assert result.code == 3
    assert result.out.startswith(b"invalid: ") and result.out.count(b"\n") == 1


def test_an_event_may_nest_deep_and_lines_be_long(tmp_path):
    deep = b'{"pattern":{"a":[1]},"event":{"b":' + b"[" * 10000 + b"]" * 10000 + b',"a":1}}'
    large = json.dumps({"pattern": {"a": [1]}, "event": {"b": "x" * 5_000_000, "a": 1}}).encode()
    assert cases(tmp_path, deep, large).out.splitlines() == ["nomatch", "match"]


def test_the_last_line_needs_no_newline(tmp_path):
    path = tmp_path / "cases"
    path.write_text('{"pattern":{"a":[1]},"event":{"a":1}}')
    assert sluice("match", "--cases", path).out == "match\n"


def test_cases_come_from_standard_input_too():
    assert sluice("match", "--cases", "-", input='{"pattern":{"a":[1]},"event":{"a":1}}\n').out == "match\n"


def test_json_output_of_cases_has_the_reason(tmp_path):
    printed = cases(tmp_path, {"pattern": {"a": 1}, "event": {}}, {"pattern": {"a": [1]}, "event": {"a": 1}})
    assert printed.out.startswith("invalid: ")
    path = tmp_path / "cases"
    lines = [json.loads(line) for line in sluice("match", "--cases", path, "--json").out.splitlines()]
    assert lines[0]["verdict"] == "invalid" and lines[0]["place"] == "$.a" and lines[0]["reason"]
    assert lines[1] == {"verdict": "match"}


# --- rules and events ---

def files(tmp_path, rules, events):
    (tmp_path / "rules").write_text(rules if isinstance(rules, str)
                                    else "".join(json.dumps(rule) + "\n" for rule in rules))
    (tmp_path / "events").write_bytes(b"".join(
        (event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n" for event in events))
    return "--rules", tmp_path / "rules", "--events", tmp_path / "events"


def test_each_event_gets_the_sorted_names_of_its_rules(tmp_path):
    rules = [{"name": name, "pattern": {"a": [{"exists": True}]}} for name in ("b", "a", "Z", "é", "a b")]
    rules.append({"name": "one", "pattern": {"a": [1]}})
    result = sluice("match", *files(tmp_path, rules, [{"a": 1}, {"a": 2}, {"b": 1}]))
    assert [json.loads(line) for line in result.out.splitlines()] == [
        ["Z", "a", "a b", "b", "one", "é"], ["Z", "a", "a b", "b", "é"], []]


def test_an_event_that_is_no_json_has_a_line_too(tmp_path):
    arguments = files(tmp_path, [{"name": "a", "pattern": {"a": [1]}}, {"name": "v", "pattern": {"$mqtt": {"value": [21.5]}}}],
                      [b"", b"{", b"\xff\0\xff", b"21.5", {"a": 1}])
    assert sluice("match", *arguments).out.splitlines() == ["[]", "[]", "[]", '["v"]', '["a"]']


def test_rules_may_be_an_array_or_whole_rules(tmp_path):
    full = {"name": "f", "pattern": {"a": [1]}, "targets": [{"id": "t", "consumer": "c"}]}
    off = {**full, "name": "off", "state": "DISABLED"}
    arguments = files(tmp_path, json.dumps([{"name": "l", "pattern": '{"a": [1]}'}, full, off], indent=2), [{"a": 1}])
    assert sluice("match", *arguments).out == '["f","l"]\n'


def test_a_faulty_rule_is_told_by_file_and_line_before_any_event(tmp_path):
    arguments = files(tmp_path, [{"name": "a", "pattern": {"a": [1]}}, {"name": "b", "pattern": {"a": []}}], [{"a": 1}])
    result = sluice("match", *arguments, check=False)
    assert result.code == 3 and result.out == ""
    assert f"{tmp_path}/rules:2: $.pattern.a" in result.err


@pytest.mark.parametrize("threads", ["1", "3"])
def test_events_are_answered_line_by_line(tmp_path, threads):
    files(tmp_path, [{"name": "a", "pattern": {"a": [1]}}], [])
    with subprocess.Popen([SLUICE, "match", "--rules", tmp_path / "rules", "--events", "-", "--threads", threads],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        # The large one comes after helpers were called in.
        for event, answer in ((b'{"a":1}\n', b'["a"]\n'), (b'{"b":"' + b"x" * 600_000 + b'","a":1}\n', b'["a"]\n'),
                              (b'{"a":2}\n', b"[]\n"), (b'{"a":1}\n', b'["a"]\n')):
            process.stdin.write(event)
            process.stdin.flush()
            assert process.stdout.readline() == answer
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Rules, several megabytes of lines of every length, and the answers."""
    folder = tmp_path_factory.mktemp("many")
    dice = random.Random(4)
    rules = [{"name": f"r{number % 90}", "pattern": {"a": [number % 100]}} for number in range(100)]
    rules += [{"name": f"often \"{number}\"", "pattern": {"b": [{"exists": True}]}} for number in range(40)]
    lines, answers = [], []
    for _ in range(20000):
        event = {"a": dice.randrange(120), "filler": "x" * dice.choice([0, 1, 50, 300, 700])}
        if dice.random() < 0.1:
            event["b"] = 1
        if dice.random() < 0.0005:
            event["filler"] = "y" * 700_000
        lines.append(json.dumps(event, separators=(",", ":")).encode())
        names = {f"r{event['a'] % 90}"} if event["a"] < 100 else set()
        names |= {f"often \"{number}\"" for number in range(40)} if "b" in event else set()
        answers.append(json.dumps(sorted(names), separators=(",", ":")))
        if dice.random() < 0.05:
            lines.append(dice.choice([b"", b"\0", b"{", b"[[1]]", b"\r"]))
            answers.append("[]")
    arguments = files(folder, rules, lines)
    # The last line has no newline.
    (folder / "events").write_bytes((folder / "events").read_bytes().removesuffix(b"\n"))
    return arguments, "".join(answer + "\n" for answer in answers)


@pytest.mark.parametrize("threads", ["1", "2", "7"])
def test_answers_and_their_order_do_not_depend_on_threads(many, threads):
    arguments, answers = many
    assert sluice("match", *arguments, "--threads", threads).out == answers
    by_pipe = sluice("match", *arguments[:3], "-", "--threads", threads, text=False, input=arguments[3].read_bytes())
    assert by_pipe.out.decode() == answers


def test_as_many_threads_as_cores_are_the_default(many):
    arguments, answers = many
    assert sluice("match", *arguments).out == answers


@pytest.mark.parametrize("arguments", [("--threads", "0"), ("--threads", "257"), ("--threads", "two"),
                                       ("--cases", "-", "--threads", "2")])
def test_threads_are_a_number_for_rules_and_events(tmp_path, arguments):
    result = sluice("match", *(() if "--cases" in arguments else files(tmp_path, [], [])), *arguments, check=False)
    assert result.code == 2 and "threads" in result.err


@pytest.mark.parametrize("threads", ["1", "2"])
def test_memory_is_bounded_by_the_threads_not_by_the_answers(tmp_path, threads):
    rules = [{"name": f"every rule {number}", "pattern": {"gone": [{"exists": False}]}} for number in range(100)]
    arguments = files(tmp_path, rules, [{}] * 100_000)
    process = subprocess.Popen([SLUICE, "match", *arguments, "--threads", threads], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    # 170 MB of answers; under a sanitizer more than in a release.
    assert usage.ru_maxrss < 100 * 1024, usage.ru_maxrss


def test_events_that_cannot_be_read_are_told(tmp_path):
    files(tmp_path, [], [])
    for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file or directory")):
        result = sluice("match", "--rules", tmp_path / "rules", "--events", path, check=False)
        assert result.code == 7 and result.err == f"sluice: {path}: cannot read: {reason}\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_answers_that_cannot_be_written_are_told(many):
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run([SLUICE, "match", *many[0], "--threads", "3"], stdout=full, stderr=subprocess.PIPE,
                                text=True, check=False, timeout=60)
    assert result.returncode == 7
    assert result.stderr == "sluice: standard output: cannot write: No space left on device\n"


def test_threads_end_quietly_with_the_reader_though_events_may_still_come(many):
    arguments, _ = many
    with subprocess.Popen([SLUICE, "match", *arguments[:3], "-", "--threads", "3"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(b'{"a":1}\n')
        process.stdin.flush()
        assert process.stdout.readline() == b'["r1"]\n'
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(arguments[3].read_bytes())
            process.stdin.flush()
        # Standard input stays open.
        assert process.wait(20) == 7
        assert process.stderr.read() == b""
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path):
    path = tmp_path / "cases"
    path.write_text('{"pattern":{"a":[1]},"event":{"a":1}}\n' * 100000)
    with subprocess.Popen([SLUICE, "match", "--cases", path], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        began = time.monotonic()
        process.wait(20)
        assert time.monotonic() - began < 10
        assert process.stderr.read() == b""


# --- bench ---

def test_bench_prints_one_object_with_the_named_members(tmp_path):
    rules = [{"name": f"r{number}", "pattern": {"a": [number], "b": [{"prefix": "x"}]}} for number in range(1000)]
    events = [{"a": random.Random(7).randrange(1000), "b": "xy"} for _ in range(50)]
    result = sluice("bench", *files(tmp_path, rules, events), "--seconds", "0.2").json
    assert set(result) == {"rules", "events", "matches", "events_per_second", "ns_per_event", "load_seconds",
                           "bytes_per_rule"}
    assert set(result["ns_per_event"]) == {"p50", "p99", "max"}
    assert (result["rules"], result["events"], result["matches"]) == (1000, 50, 50)
    assert result["events_per_second"] > 0 and result["load_seconds"] > 0
    assert 0 < result["ns_per_event"]["p50"] <= result["ns_per_event"]["p99"] <= result["ns_per_event"]["max"]


def test_bench_counts_what_a_rule_keeps_beside_the_matcher(tmp_path):
    light = [{"name": f"r{number}", "pattern": {"a": [number]}} for number in range(1000)]
    whole = [{**rule, "targets": [{"id": "t", "topic": "x"}]} for rule in light]
    few, more = (sluice("bench", *files(tmp_path, rules, [{"a": 1}]), "--seconds", "0.1").json["bytes_per_rule"]
                 for rules in (light, whole))
    assert 300 < more - few < 2000


def test_bench_without_events_is_an_error(tmp_path):
    result = sluice("bench", *files(tmp_path, [], [b""]), check=False)
    assert result.code == 3 and "no event" in result.err
