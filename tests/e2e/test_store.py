# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The store under a running broker: whoever writes it is heard, whatever happens to it is survived."""
import json
import sqlite3
import time

import pytest

from harness import wait_until

ANY = {"$mqtt": {"topic": [{"exists": True}]}}


@pytest.fixture
def consumer(broker):
    client = broker.client()
    client.subscribe("consumers/#")
    return client


def insert(name, pattern='{"a":[1]}', bus="default", topic=None, verb="INSERT"):
    target = json.dumps({"id": "t", "topic": topic or f"consumers/{name}"})
    return (f"BEGIN; {verb} INTO rules (name, bus, pattern) VALUES ('{name}', '{bus}', '{pattern}');"
            f"INSERT OR REPLACE INTO targets (rule, id, position, definition) VALUES ('{name}', 't', 0, '{target}'); COMMIT;")


def routed(broker, consumer, payload='{"a":1}', topic="x"):
    broker.client().publish(topic, payload)
    return [message.topic for message in consumer.take()]


def within_a_second(condition):
    start = time.monotonic()
    wait_until(condition, 1.0, "a change of the store to be in force", interval=0.01)
    return time.monotonic() - start


def test_a_rule_by_sqlite3_is_in_force_within_a_second(broker, consumer):
    broker.sqlite(insert("r"))
    within_a_second(lambda: routed(broker, consumer) == ["consumers/r"])
    broker.sqlite("UPDATE rules SET state = 'DISABLED' WHERE name = 'r'")
    within_a_second(lambda: routed(broker, consumer) == [])
    broker.sqlite("UPDATE rules SET state = 'ENABLED', pattern = '{\"a\":[2]}'")
    within_a_second(lambda: routed(broker, consumer, '{"a":2}') == ["consumers/r"])
    assert routed(broker, consumer) == []
    broker.sqlite("UPDATE targets SET definition = '{\"id\":\"t\",\"topic\":\"consumers/other\"}'")
    within_a_second(lambda: routed(broker, consumer, '{"a":2}') == ["consumers/other"])
    broker.sqlite("DELETE FROM rules")
    within_a_second(lambda: routed(broker, consumer, '{"a":2}') == [])


def test_insert_or_replace_is_heard(broker, consumer):
    broker.sqlite(insert("r"))
    broker.sqlite(insert("r", '{"a":[2]}', verb="INSERT OR REPLACE"))
    within_a_second(lambda: routed(broker, consumer, '{"a":2}') == ["consumers/r"])
    assert routed(broker, consumer) == []


def test_a_bus_is_deleted_with_its_rules_and_not_before_them(broker, consumer):
    broker.put_bus("b", ["b/#"])
    broker.put_rule("r", ANY, "consumers/{topic}", bus="b")
    assert routed(broker, consumer, topic="b/x") == ["consumers/b/x"]
    refused = broker.sqlite("DELETE FROM buses WHERE name = 'b'", check=False)
    assert refused.code != 0 and "delete or move them first" in refused.err
    broker.sqlite("DELETE FROM rules WHERE bus = 'b'; DELETE FROM buses WHERE name = 'b'")
    within_a_second(lambda: routed(broker, consumer, topic="b/x") == [])
    assert broker.status()["rules_in_force"] == 0


def test_a_row_that_is_no_rule_is_told_and_its_last_good_version_stays(start_broker):
    broker = start_broker(options={"sys_interval": 1})
    consumer = broker.client()
    consumer.subscribe("consumers/#", "$SYS/broker/sluice/rule_errors")
    broker.put_rule("r", {"a": [1]}, "consumers/r")
    broker.sqlite("UPDATE rules SET pattern = '{\"a\":[{\"prefixx\":\"b\"}]}'")
    broker.wait_log(r"rule r, revision \d+, is not in force: .*prefixx")
    consumer.wait_for(lambda message: message.topic.startswith("$SYS") and message.text == "1")
    consumer.take()
    broker.client().publish("x", '{"a":1}')
    assert "consumers/r" in [message.topic for message in consumer.take()]
    (answer,) = broker.command({"command": "getRule", "name": "r"})
    assert "prefixx" in answer["data"]["error"]
    assert broker.sqlite("SELECT name FROM rule_errors") == ["r"]
    broker.sqlite("UPDATE rules SET pattern = '{\"a\":[2]}'")
    wait_until(lambda: broker.status()["rule_errors"] == 0)
    consumer.take()
    broker.client().publish("x", '{"a":1}')
    assert "consumers/r" not in [message.topic for message in consumer.take()]
    assert broker.sqlite("SELECT name FROM rule_errors") == []


def test_a_writer_that_holds_its_transaction_open_stops_no_delivery(broker, consumer):
    broker.put_rule("r", {"a": [1]}, "consumers/r")
    holder = sqlite3.connect(broker.db, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    holder.execute("UPDATE rules SET state = 'DISABLED'")
    try:
        (answer,) = broker.command({"command": "disableRule", "name": "r"})
        assert answer["code"] == "busy"
        start = time.monotonic()
        assert routed(broker, consumer) == ["consumers/r"]
        assert time.monotonic() - start < 1
    finally:
        holder.execute("COMMIT")
        holder.close()
    within_a_second(lambda: routed(broker, consumer) == [])


def test_a_file_put_in_its_place_by_mv_is_taken_up(broker, consumer, directory):
    broker.put_rule("old", {"a": [1]}, "consumers/old")
    broker.put_rule("both", {"a": [1]}, "consumers/both")
    other = broker.db.with_name("other.db")
    broker.sqlite(f"VACUUM INTO '{other}'")
    edit = sqlite3.connect(other)
    edit.executescript("DELETE FROM rules WHERE name = 'old';" + insert("new"))
    edit.close()
    broker.give(other)
    other.rename(broker.db)
    within_a_second(lambda: sorted(routed(broker, consumer)) == ["consumers/both", "consumers/new"])


def test_a_store_that_breaks_leaves_the_rules_in_force(broker, consumer):
    broker.put_rule("r", {"a": [1]}, "consumers/r")
    good = broker.db.with_name("good.db")
    broker.sqlite(f"VACUUM INTO '{good}'")
    broken = broker.write("broken.db", b"this is no database, and it is long enough to be read as one" * 100)
    broken.rename(broker.db)
    broker.wait_log("the store can't be read; going on with 1 rules as they are")
    assert routed(broker, consumer) == ["consumers/r"]
    status = broker.status()
    assert status["store"]["state"] != "ok"
    (answer,) = broker.command({"command": "putRule", "rule": {
        "name": "n", "pattern": {"a": [1]}, "targets": [{"id": "t", "topic": "x"}]}})
    assert "error" in answer
    broker.give(good)
    good.rename(broker.db)
    broker.wait_log("the store can be read again")
    wait_until(lambda: broker.status()["store"]["state"] == "ok")
    assert routed(broker, consumer) == ["consumers/r"]


# --- starting ---

def test_a_restart_keeps_all_rules(broker):
    for number in range(20):
        broker.put_rule(f"r{number}", {"n": [number]}, f"consumers/{number}")
    broker.restart()
    consumer = broker.client()
    consumer.subscribe("consumers/#")
    producer = broker.client()
    for number in range(20):
        producer.publish("x", {"n": number})
    assert [message.topic for message in consumer.take()] == [f"consumers/{number}" for number in range(20)]


def bad_store(broker, kind):
    if kind == "damaged":
        broker.db.write_bytes(b"no database" * 1000)
    elif kind == "newer":
        sqlite3.connect(broker.db).executescript("PRAGMA user_version = 1000; PRAGMA application_id = 0")
    elif kind == "no-folder":
        broker.options["db_file"] = "/nonexistent/sluice.db"
    elif kind == "folder":
        broker.db.mkdir()
    if broker.db.is_file():
        broker.give(broker.db)


@pytest.mark.parametrize("kind", ["damaged", "newer", "no-folder", "folder"])
def test_a_broker_refuses_to_start_on_a_bad_store(make_broker, kind):
    broker = make_broker()
    if kind == "newer":
        broker.start()
        broker.stop()
    bad_store(broker, kind)
    before = broker.db.read_bytes() if broker.db.is_file() else None
    assert "sluice: refusing to start: " in broker.start_refused()
    assert (broker.db.read_bytes() if broker.db.is_file() else None) == before


def test_a_broker_may_be_told_to_start_without_its_store(make_broker):
    broker = make_broker(options={"on_bad_store": "continue"})
    bad_store(broker, "damaged")
    broker.start()
    consumer = broker.client()
    consumer.subscribe("#")
    broker.client().publish("x", "{}")
    assert len(consumer.take()) == 1
    assert broker.status()["store"]["state"] != "ok"
    broker.db.unlink()
    wait_until(lambda: broker.status()["store"]["state"] == "ok")
    broker.put_rule("r", {"a": [1]}, "consumers/r")


def test_a_store_that_can_only_be_read_is_followed_when_told_to_continue(make_broker):
    broker = make_broker()
    broker.start()
    broker.put_rule("r", {"a": [1]}, "consumers/r")
    broker.stop()
    broker.db.chmod(0o444)
    folder = broker.db.parent.stat().st_mode
    broker.db.parent.chmod(0o555)
    try:
        assert "readonly" in broker.start_refused()
        broker.options["on_bad_store"] = "continue"
        broker.start()
        broker.wait_log("can only be read")
        consumer = broker.client()
        consumer.subscribe("consumers/#")
        assert routed(broker, consumer) == ["consumers/r"]
        (answer,) = broker.command({"command": "deleteRule", "name": "r"})
        assert answer["code"] == "read-only"
        assert routed(broker, consumer) == ["consumers/r"]
    finally:
        broker.db.parent.chmod(folder)


@pytest.mark.parametrize("options, reason", [
    ({"db_file": None}, "plugin_opt_db_file is missing"),
    ({"db_file": "relative.db"}, "must be an absolute path"),
    ({"nonsense": "1"}, "unknown option plugin_opt_nonsense"),
    ({"sys_interval": "often"}, "plugin_opt_sys_interval is \"often\""),
    ({"control_access": "all"}, "must be auto, acl or none"),
])
def test_a_wrong_configuration_is_refused_with_the_reason(make_broker, options, reason):
    assert f"refusing to start: " in (log := make_broker(options=options).start_refused()) and reason in log
