# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What the bridge is told, by way of a broker; and what bridges say of themselves, reported here as one would."""
import json
import sqlite3

from harness import wait_until

SECRET = "hunter2-s3cret"
CONNECTION = {"name": "c", "kind": "bearer", "secrets": {"token": SECRET}}
TARGET = {"name": "t", "kind": "http", "connection": "c", "settings": {"url": "http://h/"}}
SOURCE = {"name": "s", "kind": "wills", "topic": "wills/{topic}"}


def ask(broker, command, view=False, **members):
    """The answer to a command, as the CLI's transport need not know it."""
    topic = f"$CONTROL/sluice{'-view' if view else ''}/v1"
    with broker.client() as client:
        client.publish(topic, json.dumps({"commands": [{"command": command, **members}]}))
        client.wait_for(lambda message: message.topic == topic + "/response")
        (answer,) = [message for message in client.messages if message.topic == topic + "/response"]
    return answer.json["responses"][0]


def put(broker, noun, item):
    return broker.cli(noun, "put", "-", input=json.dumps(item))


def test_all_verbs_work_on_a_broker_and_never_show_a_secret(broker):
    put(broker, "connection", CONNECTION)
    put(broker, "target", TARGET)
    put(broker, "source", SOURCE)
    put(broker, "connection", {**CONNECTION, "description": "d", "secrets": {"token": None}})
    got = broker.cli("connection", "get", "c").json
    assert got["secrets"] == {"token": None} and got["description"] == "d"
    for noun, name in (("target", "t"), ("source", "s")):
        broker.cli(noun, "disable", name)
        assert broker.cli(noun, "get", name).json["state"] == "DISABLED"
        broker.cli(noun, "enable", name)
        assert [row[noun]["state"] for row in broker.cli(noun, "list", "--json").json[f"{noun}s"]] == ["ENABLED"]
    exported = broker.cli("rule", "export").out
    assert SECRET not in exported and SECRET not in broker.log()
    assert [next(iter(json.loads(line))) for line in exported.splitlines()] == ["connection", "target", "source"]
    status = broker.cli("status", "--json").json["store"]
    assert (status["connections"], status["targets"], status["sources"], status["errors"]) == (1, 1, 1, 0)
    imported = broker.cli("rule", "import", "-", "--json", input=exported).json
    assert (imported["connections"], imported["targets"], imported["sources"], imported["changed"]) == (1, 1, 1, 0)
    with sqlite3.connect(broker.db) as store:
        assert store.execute("SELECT secrets FROM connections").fetchall() == [(json.dumps(
            {"token": SECRET}, separators=(",", ":")),)]
    for noun, name in (("target", "t"), ("source", "s"), ("connection", "c")):
        broker.cli(noun, "delete", name)
    assert broker.cli("rule", "export").out == ""


def test_a_row_that_means_nothing_is_told_and_counted(broker):
    with sqlite3.connect(broker.db, timeout=10) as store:
        store.execute("INSERT INTO bridge_targets (name, kind) VALUES ('t', 'htp')")
    wait_until(lambda: broker.cli("status", "--json").json["rule_errors"] == 1, what="the error")
    (row,) = broker.cli("target", "list", "--json").json["targets"]
    assert row["error"] == '$.kind: there is no kind "htp" of target, did you mean "http"?'
    put(broker, "target", TARGET)
    assert broker.cli("status", "--json").json["rule_errors"] == 0


def test_what_bridges_say_is_shown_by_target_status(broker):
    assert broker.cli("target", "status", check=False).code == 1
    shop = {"name": "shop", "delivered": 7, "failed": 2, "retried": 3, "dead": 1, "in_flight": 4, "breaker": "open",
            "last_error": "HTTP 503\x1b[2J", "last_error_time": "2026-01-02T03:04:05.678Z"}
    for bridge in ("two", "one"):
        ask(broker, "reportBridge", bridge=bridge, targets=[shop], sources=[{"name": "s", "published": 5}])
    ask(broker, "reportBridge", bridge="one", targets=[{"name": "mail"}])
    head, mail, row = broker.cli("target", "status").out.splitlines()
    assert head.split() == "target bridge delivered failed retried dead in flight breaker last error".split()
    assert mail.split() == ["mail", "one", *"-------"]
    assert row.split()[:8] == ["shop", "two", "7", "2", "3", "1", "4", "open"] and "\x1b" not in row
    assert broker.cli("target", "status", "mail").out.splitlines()[1] == mail
    assert broker.cli("target", "status", "other", check=False).code == 1
    first, second = broker.cli("target", "status", "--json").json["bridges"]
    assert (first["bridge"], first["targets"], first["sources"]) == ("one", [{"name": "mail"}], [])
    assert (second["bridge"], second["targets"]) == ("two", [shop])


def test_reports_are_bounded_and_no_business_of_who_may_only_look(broker):
    assert ask(broker, "reportBridge", view=True, bridge="b")["code"] == "read-only"
    many = [{"name": f"t{number}"} for number in range(1025)]
    assert ask(broker, "reportBridge", bridge="b", targets=many)["place"] == "$.targets"
    large = [{"name": f"t{number}", "last_error": "x" * 500} for number in range(1000)]
    assert ask(broker, "reportBridge", bridge="b", targets=large)["code"] == "limit"
    assert ask(broker, "reportBridge", bridge="b", targets=[{"name": "t", "dead": -1}])["place"] == "$.targets[0].dead"
    with broker.client() as client:
        client.publish("$CONTROL/sluice/v1", json.dumps({"commands": [
            {"command": "reportBridge", "bridge": f"b{number:02}"} for number in range(65)]}))
        client.wait_for(lambda message: message.topic.endswith("/response"))
        answers = client.messages[-1].json["responses"]
    assert [answer.get("code") for answer in answers] == [None] * 64 + ["limit"]
    page = ask(broker, "getBridgeStatus", view=True, prefix="b0", limit=3)["data"]
    assert [bridge["bridge"] for bridge in page["bridges"]] == ["b00", "b01", "b02"] and page["next"] == "b02"
    assert len(broker.cli("target", "status", "--json").json["bridges"]) == 64
