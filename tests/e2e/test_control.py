# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The control API: what it answers, to whom and when."""
import json
import time

import pytest

from harness import wait_until

CONTROL = "$CONTROL/sluice/v1"
VIEW = "$CONTROL/sluice-view/v1"
ANY = {"$mqtt": {"topic": [{"exists": True}]}}


def rule(name, pattern=None, **members):
    return {"name": name, "pattern": pattern or {"a": [1]}, "targets": [{"id": "t", "topic": f"consumers/{name}"}],
            **members}


def data(answer):
    assert "error" not in answer, answer
    return answer["data"]


@pytest.fixture
def admin(broker):
    return broker.client("admin")


def ask(client, command, **members):
    return client.command({"command": command, **members})[0]


def raw(client, payload, topic=CONTROL):
    """Sends anything; returns the one answer."""
    client.publish(topic, payload)
    client.wait_for(lambda message: message.topic == topic + "/response")
    (message,) = [message for message in client.messages if message.topic == topic + "/response"]
    client.messages.clear()
    return message.json["responses"]


# --- rules ---

def test_a_rule_is_put_read_listed_and_deleted(admin):
    put = data(ask(admin, "putRule", rule=rule("r", description="d")))
    assert put == {"name": "r", "revision": put["revision"]} and put["revision"] > 0
    got = data(ask(admin, "getRule", name="r"))
    assert got["rule"]["pattern"] == {"a": [1]} and got["rule"]["description"] == "d"
    assert got["revision"] == put["revision"]
    assert got["counters"] == {"matched": 0, "delivered": 0, "failed": 0, "last_match_ms": 0}
    assert data(ask(admin, "listRules")) == {
        "rules": [{"name": "r", "bus": "default", "state": "ENABLED", "revision": put["revision"]}]}
    assert data(ask(admin, "deleteRule", name="r")) == {"name": "r"}
    assert ask(admin, "getRule", name="r")["code"] == "not-found"
    assert ask(admin, "deleteRule", name="r")["code"] == "not-found"


def test_a_pattern_is_kept_to_the_letter(admin):
    text = '{"commands":[{"command":"putRule","rule":{"name":"r","targets":[{"id":"t","topic":"x"}],' \
           '"pattern":{"a":[1.50,9007199254740993,"\\u0041"]}}}]}'
    raw(admin, text)
    admin.publish(CONTROL, '{"commands":[{"command":"getRule","name":"r"}]}')
    admin.wait_for(1)
    assert '{"a":[1.50,9007199254740993,"\\u0041"]}' in admin.messages[0].text


def test_a_rule_is_in_force_when_its_answer_comes(broker, admin):
    consumer = broker.client()
    consumer.subscribe("consumers/#")
    for number in range(20):
        data(ask(admin, "putRule", rule=rule("r", {"n": [number]})))
        admin.publish("x", {"n": number}, qos=0)
        admin.publish("x", {"n": number - 1}, qos=0)
    assert [message.json["n"] for message in consumer.take()] == list(range(20))


def test_the_state_of_a_rule_is_changed(broker, admin):
    consumer = broker.client()
    consumer.subscribe("consumers/#")
    data(ask(admin, "putRule", rule=rule("r", ANY)))
    for command, state, count in (("disableRule", "DISABLED", 0), ("shadowRule", "SHADOW", 0),
                                  ("enableRule", "ENABLED", 1)):
        assert data(ask(admin, command, name="r"))["name"] == "r"
        admin.publish("x", "{}")
        assert len(consumer.take()) == count
        assert data(ask(admin, "listRules", state=state))["rules"][0]["state"] == state
    assert ask(admin, "enableRule", name="none")["code"] == "not-found"


def test_rules_are_listed_in_pages(admin):
    admin.command(*[{"command": "putRule", "rule": rule(f"r{number:02}")} for number in range(25)],
                  {"command": "putRule", "rule": rule("other")})
    names, after = [], None
    while True:
        page = data(ask(admin, "listRules", prefix="r", limit=10, **({"after": after} if after else {})))
        names += [entry["name"] for entry in page["rules"]]
        after = page.get("next")
        if not after:
            break
    assert names == [f"r{number:02}" for number in range(25)]
    full = data(ask(admin, "listRules", prefix="other", full=True))["rules"]
    assert full[0]["rule"]["targets"] == [{"id": "t", "topic": "consumers/other"}]
    assert data(ask(admin, "listRules", bus="none")) == {"rules": []}


def test_a_revision_guards_a_change(admin):
    first = data(ask(admin, "putRule", rule=rule("r"), ifRevision=0))["revision"]
    assert ask(admin, "putRule", rule=rule("r"), ifRevision=0)["code"] == "conflict"
    second = data(ask(admin, "putRule", rule=rule("r", {"a": [2]}), ifRevision=first))["revision"]
    assert second > first
    assert ask(admin, "deleteRule", name="r", ifRevision=first)["code"] == "conflict"
    assert ask(admin, "disableRule", name="r", ifRevision=first)["code"] == "conflict"
    data(ask(admin, "deleteRule", name="r", ifRevision=second))


# --- buses ---

def test_a_bus_is_put_read_listed_and_deleted(admin):
    bus = {"name": "plants", "topics": ["plants/#"], "exclude": ["plants/not"], "deliver_original": False}
    revision = data(ask(admin, "putBus", bus=bus))["revision"]
    got = data(ask(admin, "getBus", name="plants"))
    assert got["revision"] == revision and got["bus"]["topics"] == ["plants/#"]
    assert {entry["bus"]["name"] for entry in data(ask(admin, "listBuses"))["buses"]} == {"default", "plants"}
    data(ask(admin, "putRule", rule=rule("r", bus="plants")))
    assert ask(admin, "deleteBus", name="plants")["code"] == "conflict"
    data(ask(admin, "deleteRule", name="r"))
    assert data(ask(admin, "deleteBus", name="plants")) == {"name": "plants"}
    assert ask(admin, "deleteBus", name="default")["code"] == "invalid"
    assert ask(admin, "putRule", rule=rule("r", bus="plants"))["code"] == "not-found"


# --- looking ---

def test_a_pattern_is_tested_against_an_event(admin):
    pattern = {"temperature": [{"numeric": [">", 30]}]}
    answer = data(ask(admin, "testPattern", pattern=pattern, event={"temperature": 31}))
    assert answer["match"] is True
    answer = data(ask(admin, "testPattern", pattern=pattern, event='{"temperature": 21.5}'))
    assert answer["match"] is False and "21.5" in answer["text"] and isinstance(answer["explanation"], dict)
    answer = data(ask(admin, "testPattern", pattern={"$mqtt": {"topic": [{"mqtt-topic": "a/#"}]}},
                      publish={"topic": "a/b", "payload": "not json"}))
    assert answer["match"] is True
    wrong = ask(admin, "testPattern", pattern={"a": [1, {"prefixx": "b"}]}, event={})
    assert wrong["code"] == "invalid" and wrong["place"] == "$.pattern.a[1]" and "prefix" in wrong["error"]
    assert ask(admin, "testPattern", pattern=pattern)["code"] == "invalid"
    assert ask(admin, "testPattern", pattern=pattern, event={}, publish={"topic": "a"})["code"] == "invalid"


def test_an_event_is_explained_against_all_rules(admin):
    data(ask(admin, "putRule", rule=rule("match", {"a": [1]})))
    data(ask(admin, "putRule", rule=rule("near", {"a": [1], "b": [2]})))
    data(ask(admin, "putRule", rule=rule("far", {"c": [1], "b": [2], "d": [3]})))
    answer = data(ask(admin, "explain", event={"a": 1}))
    assert [entry["rule"] for entry in answer["matches"]] == ["match"]
    assert [entry["rule"] for entry in answer["misses"]] == ["near", "far"]
    assert [entry["rule"] for entry in data(ask(admin, "explain", event={"a": 1}, misses=1))["misses"]] == ["near"]
    one = data(ask(admin, "explain", rule="far", publish={"topic": "consumers/x", "payload": {"a": 1}}))
    assert one["matches"] == [] and one["misses"][0]["rule"] == "far" and one["misses"][0]["bus_takes"] is False
    assert ask(admin, "explain", rule="none", event={})["code"] == "not-found"


def test_a_status_counts(broker, admin):
    data(ask(admin, "putRule", rule=rule("r", ANY)))
    admin.publish("x", "{}")
    status = data(ask(admin, "getStatus", rules=True))
    assert (status["events"], status["matched"], status["delivered"], status["failed"]) == (1, 1, 1, 0)
    assert status["store"]["state"] == "ok" and status["store"]["rules"] == 1
    assert status["callback_us"]["max"] >= status["callback_us"]["p50"] > 0
    (entry,) = status["rules"]
    assert (entry["name"], entry["matched"], entry["delivered"]) == ("r", 1, 1)
    assert abs(entry["last_match_ms"] / 1000 - time.time()) < 60
    assert status["version"] and status["broker"]["mosquitto"] in ("2.0", "2.1")


# --- taps ---

def tapped(client):
    return [message.json for message in client.take() if message.topic.startswith(VIEW + "/tap/")]


def test_a_tap_shows_what_a_pattern_would_match(broker, admin):
    other = broker.client()
    other.subscribe("$CONTROL/#", VIEW + "/#")
    tap = data(ask(admin, "tap", pattern={"a": [1]}))
    assert tap["lease_s"] == 60
    producer = broker.client("producer")
    producer.publish("x/y", {"a": 1}, retain=True)
    producer.publish("x/y", {"a": 2})
    (event,) = wait_until(lambda: tapped(admin))
    assert event.pop("time_ms") > 0
    assert event == {"tap": tap["tap"], "topic": "x/y", "client_id": "producer", "qos": 1, "retain": True,
                     "payload": '{"a": 1}', "left_out": 0}
    assert data(ask(admin, "untap", tap=tap["tap"])) == {"tap": tap["tap"], "seen": 1, "left_out": 0}
    producer.publish("x/y", {"a": 1})
    time.sleep(0.3)
    assert tapped(admin) == [] and other.take() == []
    assert ask(admin, "untap", tap=tap["tap"])["code"] == "not-found"


def test_a_tap_shows_what_a_rule_would_match(broker, admin):
    data(ask(admin, "putRule", rule=rule("off", ANY, state="DISABLED")))
    data(ask(admin, "tap", rule="off"))
    broker.client().publish("x", b"\x00\xff")
    (event,) = wait_until(lambda: tapped(admin))
    assert event["rule"] == "off" and event["payload_base64"] == "AP8=" and "payload" not in event
    assert ask(admin, "tap", rule="none")["code"] == "not-found"
    assert ask(admin, "tap")["code"] == "invalid"


def test_a_tap_has_a_rate_and_counts_what_it_left_out(broker, admin):
    tap = data(ask(admin, "tap", pattern=ANY, rate=3))
    producer = broker.client()
    for _ in range(50):
        producer.publish("x", "{}", qos=0)
    producer.barrier()
    time.sleep(0.3)
    ended = data(ask(admin, "untap", tap=tap["tap"]))
    assert ended["seen"] >= 50 and ended["left_out"] >= 40


def test_a_tap_ends_with_its_lease(broker, admin):
    tap = data(ask(admin, "tap", pattern=ANY, lease_s=1))
    time.sleep(1.5)
    broker.client().publish("x", "{}")
    time.sleep(0.3)
    assert tapped(admin) == []
    assert ask(admin, "untap", tap=tap["tap"])["code"] == "not-found"


def test_a_tap_ends_with_its_connection(broker, admin):
    data(ask(admin, "tap", pattern=ANY))
    admin.kill()
    again = broker.client("admin")
    broker.client().publish("x", "{}")
    time.sleep(0.3)
    assert tapped(again) == []


def test_a_client_may_have_only_so_many_taps(admin):
    answers = admin.command(*[{"command": "tap", "pattern": ANY}] * 9)
    assert ["error" in answer for answer in answers] == [False] * 8 + [True]
    assert answers[-1]["code"] == "limit"


# --- import and export ---

def test_rules_are_imported_in_parts_all_at_once(broker, admin):
    identifier = data(ask(admin, "importBegin"))["import"]
    part = data(ask(admin, "importPart", **{"import": identifier}, buses=[{"name": "b", "topics": ["b/#"]}],
                    rules=[rule("one", bus="b")]))
    assert (part["rules"], part["buses"]) == (1, 1)
    data(ask(admin, "importPart", **{"import": identifier}, rules=[rule("two"), rule("three")]))
    assert data(ask(admin, "listRules"))["rules"] == []
    dry = data(ask(admin, "importCommit", **{"import": identifier}, dryRun=True))
    assert (dry["rules"], dry["changed"]) == (3, 4)
    assert data(ask(admin, "listRules"))["rules"] == []
    done = data(ask(admin, "importCommit", **{"import": identifier}))
    assert (done["rules"], done["buses"], done["deleted"], done["changed"]) == (3, 1, 0, 4)
    assert len(data(ask(admin, "listRules"))["rules"]) == 3
    assert ask(admin, "importCommit", **{"import": identifier})["code"] == "not-found"


def test_an_import_that_fails_changes_nothing(admin):
    identifier = data(ask(admin, "importBegin"))["import"]
    wrong = ask(admin, "importPart", **{"import": identifier}, rules=[rule("good"), rule("bad", {"a": []})])
    assert wrong["code"] == "invalid" and wrong["place"].startswith("$.rules[1].pattern")
    data(ask(admin, "importPart", **{"import": identifier}, rules=[rule("good"), rule("lost", bus="none")]))
    assert ask(admin, "importCommit", **{"import": identifier})["code"] == "not-found"
    assert data(ask(admin, "listRules"))["rules"] == []
    data(ask(admin, "importAbort", **{"import": identifier}))


def test_an_import_can_replace_everything(admin):
    data(ask(admin, "putBus", bus={"name": "old", "topics": []}))
    data(ask(admin, "putRule", rule=rule("old", bus="old")))
    data(ask(admin, "putRule", rule=rule("kept")))
    identifier = data(ask(admin, "importBegin", replace=True))["import"]
    data(ask(admin, "importPart", **{"import": identifier}, rules=[rule("kept"), rule("new")]))
    done = data(ask(admin, "importCommit", **{"import": identifier}))
    assert (done["deleted"], done["changed"]) == (2, 3)
    assert [entry["name"] for entry in data(ask(admin, "listRules"))["rules"]] == ["kept", "new"]
    assert [entry["bus"]["name"] for entry in data(ask(admin, "listBuses"))["buses"]] == ["default"]


def test_everything_is_exported_as_one_snapshot(admin):
    names = [f"r{number:03}" for number in range(600)]
    for answer in admin.command(*[{"command": "putRule", "rule": rule(name, description="x" * 1000)} for name in names],
                                timeout=60):
        data(answer)
    identifier = data(ask(admin, "exportBegin"))["export"]
    data(ask(admin, "deleteRule", name="r599"))
    rules, buses, parts = [], [], 0
    while True:
        part = data(ask(admin, "exportPart", export=identifier))
        rules += part["rules"]
        buses += part["buses"]
        parts += 1
        if part["done"]:
            break
    assert [entry["name"] for entry in rules] == names and parts > 1
    assert [entry["name"] for entry in buses] == ["default"]
    assert ask(admin, "exportPart", export=identifier)["code"] == "not-found"


def test_exports_that_are_left_open_keep_nobody_from_importing(broker, admin):
    viewer = broker.client()
    begun = viewer.command(*[{"command": "exportBegin"}] * 9, topic=VIEW)
    assert [answer.get("code") for answer in begun] == [None] * 8 + ["limit"]
    data(ask(admin, "importBegin"))


def test_an_import_belongs_to_its_connection(broker, admin):
    identifier = data(ask(admin, "importBegin"))["import"]
    assert ask(broker.client(), "importPart", **{"import": identifier})["code"] == "not-found"
    for _ in range(7):
        data(ask(admin, "importBegin"))
    assert ask(admin, "importBegin")["code"] == "limit"
    admin.close()
    again = broker.client("admin")
    wait_until(lambda: "data" in ask(again, "importBegin"))


# --- answers ---

def test_an_answer_comes_to_the_asker_alone(broker, admin):
    other = broker.client()
    other.subscribe("#", "$CONTROL/#", CONTROL + "/response", VIEW + "/response")
    data(ask(admin, "listRules"))
    admin.command({"command": "listRules"}, topic=VIEW)
    assert other.take() == []


def test_an_answer_does_not_come_to_a_later_connection_of_the_same_id(broker):
    asker = broker.client("asker")
    data(ask(asker, "putRule", rule=rule("r")))
    for _ in range(20):
        asker.publish(CONTROL, json.dumps({"commands": [{"command": "listRules"}] * 50}), qos=0)
        asker.publish(CONTROL, json.dumps({"commands": [{"command": "putRule", "rule": rule("late")}]}), qos=1)
        asker.kill()
        asker = broker.client("asker")
        time.sleep(0.15)
        assert asker.take() == []
    assert "error" not in ask(asker, "getRule", name="late")


def test_several_commands_are_run_in_order(admin):
    answers = admin.command({"command": "putRule", "rule": rule("r")}, {"command": "nonsense"},
                            {"command": "getRule", "name": "r"}, {"command": "deleteRule", "name": "r"})
    assert ["error" in answer for answer in answers] == [False, True, False, False]
    assert [answer["command"] for answer in answers] == ["putRule", "nonsense", "getRule", "deleteRule"]


@pytest.mark.parametrize("payload, code", [
    (b"", "syntax"), (b"{", "syntax"), (b"\xff", "syntax"), (b"[]", "invalid"), (b"1", "invalid"), (b"{}", "invalid"),
    (b'{"commands":{}}', "invalid"), (b'{"commands":[],"more":1}', "invalid"), (b'{"commands":[1]}', "invalid"),
    (b'{"commands":[{}]}', "invalid"), (b'{"commands":[{"command":1}]}', "invalid"),
    (b'{"commands":[{"command":"nonsense"}]}', "invalid"),
    (b'{"commands":[{"command":"listRules","correlationData":1}]}', "invalid"),
    (b'{"commands":[{"command":"listRules","limit":"1"}]}', "invalid"),
    (b'{"commands":[{"command":"listRules","limit":0}]}', "invalid"),
    (b'{"commands":[{"command":"listRules","limit":1001}]}', "invalid"),
    (b'{"commands":[{"command":"listRules","state":"ON"}]}', "invalid"),
    (b'{"commands":[{"command":"listRules","unknown":1}]}', "invalid"),
    (b'{"commands":[{"command":"listRules","limit":1,"limit":2}]}', "invalid"),
    (b'{"commands":[{"command":"getRule"}]}', "invalid"),
    (b'{"commands":[{"command":"getRule","name":"a/b"}]}', "invalid"),
    (b'{"commands":[{"command":"tap","pattern":{}}]}', "invalid"),
    (b'{"commands":' + b"[" * 1000 + b"]" * 1000 + b"}", "limit"),
    (b'{"commands":[' + b",".join([b"{}"] * 1001) + b"]}", "limit"),
    (b"\x00" * 1900000, "syntax"),
], ids=lambda value: str(value[:40]) if isinstance(value, bytes) else value)
@pytest.mark.parametrize("topic", [CONTROL, VIEW])
def test_whatever_is_wrong_gets_an_error_and_keeps_its_connection(admin, topic, payload, code):
    (answer,) = raw(admin, payload, topic)
    assert answer["code"] == code and answer["error"] and "data" not in answer
    assert not admin.disconnected.is_set()
    assert "data" in ask(admin, "listRules")


def test_as_much_as_the_broker_lets_through_gets_an_answer(broker_version, admin):
    if broker_version >= (2, 1):
        pytest.skip("this broker bounds a packet at 2 MB")
    (answer,) = raw(admin, b"[" + b"1," * 9000000 + b"1]")
    assert answer["code"] == "limit"
    (answer,) = raw(admin, b"[" + b"1," * 7000000 + b"1]")
    assert answer["code"] == "invalid"


def test_an_error_names_its_place(admin):
    wrong = ask(admin, "putRule", rule=rule("r", {"detail": {"state": ["a", {"prefixx": "b"}]}}))
    assert wrong["place"] == "$.rule.pattern.detail.state[1]"
    wrong = ask(admin, "putBus", bus={"name": "b", "topics": ["a/#/b"]})
    assert wrong["place"].startswith("$.bus.topics[0]")


@pytest.mark.parametrize("command, members", [
    ("putRule", {"rule": rule("r")}), ("deleteRule", {"name": "r"}), ("enableRule", {"name": "r"}),
    ("disableRule", {"name": "r"}), ("shadowRule", {"name": "r"}), ("putBus", {"bus": {"name": "b", "topics": []}}),
    ("deleteBus", {"name": "b"}), ("importBegin", {}), ("importPart", {"import": "1"}), ("importCommit", {"import": "1"}),
    ("importAbort", {"import": "1"})])
def test_the_view_topic_changes_nothing(admin, command, members):
    (answer,) = admin.command({"command": command, **members}, topic=VIEW)
    assert answer["code"] == "read-only"
    assert data(ask(admin, "listRules"))["rules"] == []


def test_the_view_topic_looks(admin):
    data(ask(admin, "putRule", rule=rule("r")))
    for command in ({"command": "getRule", "name": "r"}, {"command": "listRules"}, {"command": "listBuses"},
                    {"command": "getBus", "name": "default"}, {"command": "getStatus"}, {"command": "exportBegin"},
                    {"command": "testPattern", "pattern": {"a": [1]}, "event": {}}, {"command": "explain", "event": {}},
                    {"command": "tap", "rule": "r"}):
        (answer,) = admin.command(command, topic=VIEW)
        data(answer)


def test_a_command_is_answered_soon_on_an_idle_broker(admin):
    times = []
    for _ in range(10):
        start = time.monotonic()
        data(ask(admin, "getStatus"))
        times.append(time.monotonic() - start)
        time.sleep(0.05)
    assert sorted(times)[5] < 0.25, times


def test_many_commands_at_once_are_all_answered(broker, admin):
    for number in range(2000):
        admin.publish(CONTROL, json.dumps({"commands": [{"command": "getRule", "name": f"r{number}"}]}), qos=0)
    messages = admin.wait_for(2000, timeout=30)
    assert len(messages) == 2000
    assert {message.json["responses"][0]["code"] for message in messages} <= {"not-found", "busy"}
