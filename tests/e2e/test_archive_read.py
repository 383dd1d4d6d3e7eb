# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Archives by commands: what there is, searching, reading as a stream, trying a rule."""
import base64
import json
import time

import jsonschema
import pytest

from harness import PATIENCE, REPOSITORY, publish_properties, wait_until

ALARM = {"alarm": [True]}
EVENT = json.loads((REPOSITORY / "schemas" / "json" / "archived-event.schema.json").read_text())


def ask(broker, command, **members):
    (answer,) = broker.command({"command": command, **members})
    assert "error" not in answer, answer
    return answer["data"]


def refused(broker, command, **members):
    (answer,) = broker.command({"command": command, **members})
    assert "error" in answer, answer
    return answer


def events(broker):
    return sum(archive["events"] for archive in ask(broker, "listArchives")["archives"])


def numbers(found):
    return [event["payload"]["n"] for event in found]


def fill(broker, count, topic="plants/a", qos=1, first=0):
    """Events {"n": 0, "alarm": true or false}, in the archive."""
    before = events(broker)
    producer = broker.client()
    for number in range(first, first + count):
        producer.publish(topic, {"n": number, "alarm": number % 3 == 0}, qos=qos)
    wait_until(lambda: events(broker) >= before + count, timeout=20 * PATIENCE)


@pytest.fixture
def plants(broker):
    broker.put_bus("plants", ["plants/#"], archive={"retention_s": 3600, "pattern": {"n": [{"exists": True}]}})
    return broker


def test_archives_are_listed_with_what_they_hold(plants):
    assert ask(plants, "listArchives") == {"archives": [{
        "bus": "plants", "in_force": True, "pattern": {"n": [{"exists": True}]}, "retention_s": 3600, "max_bytes": 0,
        "events": 0, "bytes": 0}]}
    fill(plants, 3)
    (archive,) = ask(plants, "listArchives")["archives"]
    assert archive["events"] == 3 and archive["bytes"] > 100
    assert archive["first"] <= archive["last"]
    plants.put_bus("plants", ["plants/#"])
    (archive,) = ask(plants, "listArchives")["archives"]
    assert (archive["in_force"], archive["events"]) == (False, 3)
    assert "retention_s" not in archive


def test_without_an_archive_there_is_nothing_to_search(broker):
    assert ask(broker, "listArchives") == {"archives": []}
    assert refused(broker, "searchArchive")["code"] == "not-found"


def test_an_event_is_shown_with_all_that_it_was(broker):
    broker.put_bus("plants", ["plants/#"], archive={})
    producer = broker.client(version=5)
    producer.publish("plants/a", {"n": 1.0, "big": 12345678901234567890}, qos=1, properties=publish_properties(
        user=[("a", "1"), ("b", "2"), ("a", "3")], content_type="application/json", response_topic="r",
        correlation_data=b"\xff\x01"))
    for payload in ("text", b"\xff", '"json text"', ""):
        producer.publish("plants/b", payload, qos=1)
    wait_until(lambda: events(broker) == 5)
    found = ask(broker, "searchArchive", bus="plants")["events"]
    for event in found:
        jsonschema.Draft202012Validator(EVENT).validate(event)
    first, text, binary, quoted, empty = found
    assert first["payload"] == {"n": 1.0, "big": 12345678901234567890}
    assert (first["topic"], first["client_id"], first["qos"], first["retain"]) == ("plants/a", producer.client_id, 1, False)
    assert first["user_properties"] == {"a": ["1", "3"], "b": ["2"]}
    assert (first["content_type"], first["response_topic"]) == ("application/json", "r")
    assert base64.b64decode(first["correlation_data"]) == b"\xff\x01"
    assert len(first["id"]) == 32 and first["time"].endswith("Z")
    assert text["payload"] == "text" and quoted["payload"] == '"json text"' and empty["payload"] == ""
    assert base64.b64decode(binary["payload_base64"]) == b"\xff"


def test_a_search_goes_by_time_topic_rule_and_pattern(plants):
    fill(plants, 6)
    time.sleep(0.05)
    middle = int(time.time() * 1000)
    fill(plants, 6, topic="plants/b", first=6)
    search = lambda **members: numbers(ask(plants, "searchArchive", bus="plants", **members)["events"])
    assert search() == list(range(12))
    assert search(to=middle) == list(range(6))
    assert search(**{"from": middle}) == list(range(6, 12))
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(middle / 1000)) + f".{middle % 1000:03}Z"
    assert search(**{"from": stamp}) == list(range(6, 12))
    assert search(topic="+/b") == list(range(6, 12))
    assert search(pattern={"n": [{"numeric": [">", 9]}]}) == [10, 11]
    assert search(pattern=ALARM, topic="plants/a") == [0, 3]
    plants.put_rule("alarms", ALARM, "consumers/x", bus="plants", state="DISABLED")
    assert search(rule="alarms") == [0, 3, 6, 9]
    assert numbers(ask(plants, "searchArchive", rule="alarms")["events"]) == [0, 3, 6, 9]


def test_a_search_comes_in_pages(plants):
    fill(plants, 10)
    page = ask(plants, "searchArchive", bus="plants", limit=4)
    got = numbers(page["events"])
    while "next" in page:
        page = ask(plants, "searchArchive", bus="plants", limit=4, after=page["next"])
        got += numbers(page["events"])
    assert got == list(range(10))


@pytest.mark.parametrize("members, place", [
    ({"from": "yesterday"}, "$.from"),
    ({"from": "2026-02-30T00:00:00Z"}, "$.from"),
    ({"from": 5, "to": 5}, "$.to"),
    ({"topic": "a/#/b"}, "$.topic"),
    ({"after": "x"}, "$.after"),
    ({"after": "99999999999999999999"}, "$.after"),
    ({"pattern": {"a": 1}}, "$.pattern.a"),
    ({"rule": "none"}, "$.rule"),
    ({"bus": "none"}, "$.bus"),
    ({"limit": 0}, "$.limit"),
])
def test_a_search_that_makes_no_sense_is_refused(plants, members, place):
    assert refused(plants, "searchArchive", **members)["place"] == place


def test_a_stream_gives_each_record_once_over_pages_and_a_restart(plants):
    fill(plants, 7)
    page = ask(plants, "readStream", bus="plants", limit=4, **{"from": "trim-horizon"})
    assert numbers(page["records"]) == [0, 1, 2, 3] and page["more"] is True
    plants.restart()
    page = ask(plants, "readStream", bus="plants", limit=4, **{"from": {"after": page["cursor"]}})
    assert numbers(page["records"]) == [4, 5, 6] and page["more"] is False
    page = ask(plants, "readStream", bus="plants", **{"from": {"after": page["cursor"]}})
    assert page["records"] == []
    fill(plants, 2, first=7)
    page = ask(plants, "readStream", bus="plants", **{"from": {"after": page["cursor"]}})
    assert numbers(page["records"]) == [7, 8]


def test_a_stream_begins_at_the_latest_or_at_a_time(plants):
    fill(plants, 3)
    latest = ask(plants, "readStream", bus="plants", **{"from": "latest"})
    assert latest["records"] == [] and latest["more"] is False
    time.sleep(0.05)
    middle = int(time.time() * 1000)
    fill(plants, 2, first=3)
    assert numbers(ask(plants, "readStream", bus="plants", **{"from": {"after": latest["cursor"]}})["records"]) == [3, 4]
    assert numbers(ask(plants, "readStream", bus="plants", **{"from": middle})["records"]) == [3, 4]
    for wrong in ("never", {"after": 3}, {}, {"after": "1", "x": 1}, None, True):
        assert refused(plants, "readStream", bus="plants", **{"from": wrong})["place"].startswith("$.from")


def test_a_rule_is_tried_on_what_was_archived(plants):
    plants.put_rule("alarms", ALARM, "consumers/x", bus="plants")
    fill(plants, 12)
    rule = {"name": "alarms", "bus": "plants", "pattern": {"n": [{"numeric": ["<", 4]}]},
            "targets": [{"id": "t", "topic": "x"}]}
    trial = ask(plants, "testRuleAgainstArchive", rule=rule, hours=1)
    # 0 and 3 are alarms too; 1 and 2 are not; 6 and 9 are past the new one's bound
    assert (trial["both"], trial["only_new"], trial["only_old"], trial["scanned"]) == (2, 2, 2, 12)
    assert trial["in_force"] is True and trial["total"] == 12 and "next" not in trial
    assert [(shown["event"]["payload"]["n"], shown["matched_by"]) for shown in trial["events"]] == [
        (0, "both"), (1, "new"), (2, "new"), (3, "both"), (6, "old"), (9, "old")]
    trial = ask(plants, "testRuleAgainstArchive", rule={**rule, "name": "other"}, hours=1, limit=1)
    assert (trial["both"], trial["only_new"], trial["only_old"], trial["in_force"]) == (0, 4, 0, False)
    assert len(trial["events"]) == 1
    assert ask(plants, "testRuleAgainstArchive", rule=rule, to=1000)["scanned"] == 0
    assert refused(plants, "testRuleAgainstArchive", rule=rule, hours=1, to=1000)["place"] == "$.hours"
    assert refused(plants, "testRuleAgainstArchive", rule={**rule, "pattern": {"a": 1}})["place"] == "$.rule.pattern.a"
