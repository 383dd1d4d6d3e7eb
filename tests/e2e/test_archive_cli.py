# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""sluice archive, replay, stream and rule put --dry-run."""
import json
import time

import pytest

from test_archive_read import ALARM, ask, fill
from test_replay import listen

RULE = {"name": "alarms", "bus": "plants", "pattern": ALARM, "targets": [{"id": "t", "topic": "consumers/alarms"}]}


@pytest.fixture
def plants(broker):
    broker.put_bus("plants", ["plants/#"], archive={"retention_s": 3600})
    fill(broker, 6)
    return broker


def lines(result):
    return [json.loads(line) for line in result.out.splitlines()]


def test_archives_are_listed_and_described(plants):
    (line,) = plants.cli("archive", "list").out.splitlines()
    assert line.split()[:2] == ["plants", "6"]
    assert json.loads(plants.cli("archive", "list", "--json").out)["archives"][0]["events"] == 6
    stats = dict(line.split(None, 1) for line in plants.cli("archive", "stats", "plants").out.splitlines())
    assert (stats["events"], stats["retention_s"], stats["in_force"]) == ("6", "3600", "true")
    assert plants.cli("archive", "stats", "none", check=False).code == 1


def test_a_search_prints_what_it_finds(plants):
    plain = plants.cli("archive", "search", "--bus", "plants", "--from", "1h", "--topic", "plants/+", "--limit", "2").out
    assert [line.split()[1] for line in plain.splitlines()] == ["plants/a", "plants/a"]
    assert plain.splitlines()[0].endswith('{"n": 0, "alarm": true}')
    found = lines(plants.cli("archive", "search", "--bus", "plants", "--pattern", json.dumps(ALARM), "--json"))
    assert [event["payload"]["n"] for event in found] == [0, 3]
    assert plants.cli("archive", "search", "--bus", "plants", "--to", "1h", check=False).code == 1
    assert plants.cli("archive", "search", "--from", "soon", check=False).code == 2
    assert plants.cli("archive", "search", "--bus", "none", check=False).code == 1


def test_a_stream_goes_on_where_it_ended(plants):
    first = lines(plants.cli("stream", "plants", "--from", "trim-horizon", "--count", "4", "--json"))
    assert [record["payload"]["n"] for record in first] == [0, 1, 2, 3]
    rest = plants.cli("stream", "plants", "--after", first[-1]["cursor"])
    assert [line.split(None, 2)[2] for line in rest.out.splitlines()] == ['{"n": 4, "alarm": false}', '{"n": 5, "alarm": false}']
    assert "--after" in rest.err
    assert plants.cli("stream", "plants").out == ""
    followed = plants.cli("stream", "plants", "--from", "trim-horizon", "--follow", "--count", "6")
    assert len(followed.out.splitlines()) == 6


def test_a_replay_is_started_and_waited_for(plants):
    client = listen(plants, "again/#")
    done = plants.cli("replay", "start", "--bus", "plants", "--from", "1h", "--to-topic", "again/{topic}", "--name", "x",
                      "--speed", "1000x")
    assert done.out == "x\n" and "DONE: 6 of 6" in done.err
    assert [message.json["n"] for message in client.take()] == list(range(6))
    assert plants.cli("replay", "list").out.startswith("x  DONE  6/6 (100%)")
    assert plants.cli("replay", "pause", "x", check=False).code == 6
    assert plants.cli("replay", "cancel", "none", check=False).code == 1
    assert plants.cli("replay", "start", "--speed", "fast", check=False).code == 2
    plants.put_rule("alarms", ALARM, "again/alarms", bus="plants")
    plants.cli("replay", "start", "--bus", "plants", "--rule", "alarms", "--no-wait")
    client.wait_for(2)


def test_a_replay_is_paused_resumed_and_cancelled(plants):
    time.sleep(0.3)
    fill(plants, 1)
    name = plants.cli("replay", "start", "--bus", "plants", "--to-topic", "again", "--speed", "0.001x", "--no-wait").out.strip()
    for verb, state in (("pause", "PAUSED"), ("resume", "RUNNING"), ("cancel", "CANCELLED")):
        plants.cli("replay", verb, name)
        (replay,) = json.loads(plants.cli("replay", "list", "--json").out)["replays"]
        assert replay["state"] == state


def test_a_dry_run_says_what_a_rule_would_have_matched(plants, directory):
    path = directory / "rule.json"
    path.write_text(json.dumps({**RULE, "pattern": {"n": [{"numeric": ["<", 2]}]}}, indent=1))
    out = plants.cli("rule", "put", path, "--dry-run").out.splitlines()
    assert out[:2] == ["of 6 archived events it would have matched 2", "no rule of that name is in force"]
    assert ask(plants, "listRules")["rules"] == []
    plants.put_rule("alarms", ALARM, "consumers/alarms", bus="plants")
    out = plants.cli("rule", "put", path, "--dry-run", "--against", "24h").out.splitlines()
    assert out[1] == "the rule in force: 1 of these too, 1 only the new one (+), 1 only the one in force (-)"
    assert [line[0] for line in out[2:]] == [" ", "+", "-"]
    trial = json.loads(plants.cli("rule", "put", path, "--dry-run", "--json").out)
    assert (trial["both"], trial["only_new"], trial["only_old"], len(trial["events"])) == (1, 1, 1, 3)
    assert plants.cli("rule", "put", path, "--against", "1h", check=False).code == 2
    assert plants.cli("rule", "put", path, "--dry-run", "--against", "x", check=False).code == 2
