# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Queues and schedules as the broker is told of them, by command and by sqlite3."""
import json

ANY = {"$mqtt": {"topic": [{"exists": True}]}}


def test_what_sqlite_puts_and_deletes_is_followed(broker):
    broker.sqlite("INSERT INTO queues (name) VALUES ('a'), ('b')")
    mark = len(broker.log())
    broker.sqlite("UPDATE queues SET group_path = '$..x' WHERE name = 'a'")
    broker.wait_log(r"queue a, revision \d+, is not in force: \$.group: ", since=mark)
    answer = json.loads(broker.cli("queue", "get", "a", "--json").out)
    assert "is not supported" in answer["error"]
    broker.sqlite("UPDATE queues SET group_path = '' WHERE name = 'a'; DELETE FROM queues WHERE name = 'b'")
    broker.cli("rule", "list")
    assert [entry["queue"]["name"] for entry in broker.cli("queue", "list", "--json").json["queues"]] == ["a"]


def test_queues_are_put_exported_and_replaced_through_the_broker(broker, tmp_path):
    path = tmp_path / "file"
    path.write_text('{"queue":{"name":"q","max_receives":3}}\n{"queue":{"name":"p"}}\n')
    assert broker.cli("rule", "import", path).out == "0 rules, 0 buses, 2 queues: 2 changed, 0 deleted\n"
    exported = tmp_path / "exported"
    broker.cli("rule", "export", exported)
    assert broker.cli("rule", "diff", exported, "--replace").code == 0
    path.write_text('{"queue":{"name":"q"}}\n')
    assert broker.cli("rule", "import", path, "--replace").out == "0 rules, 0 buses, 1 queue: 1 changed, 1 deleted\n"
    path.write_text('{"queue":{"name":"q","batch":{}}}\n')
    result = broker.cli("rule", "import", path, check=False)
    assert result.code == 3 and f"{path}:1: $.queue.batch: " in result.err


def test_putting_a_rule_warns_of_a_queue_that_is_not_there(broker, tmp_path):
    path = tmp_path / "rule"
    path.write_text(json.dumps({"name": "r", "pattern": ANY, "targets": [{"id": "t", "queue": "gone"}]}))
    assert broker.cli("rule", "put", path).err == 'sluice: warning: there is no queue "gone" yet\n'


def test_a_rule_with_a_schedule_matches_no_event(broker):
    broker.command({"command": "putRule", "rule": {"name": "timed", "schedule": "rate(1 day)",
                                                   "targets": [{"id": "t", "topic": "consumers/x"}]}})
    broker.put_rule("r", ANY, {"id": "t", "topic": "consumers/other"})
    consumer = broker.client()
    consumer.subscribe("consumers/#")
    broker.client().publish("a", "{}")
    assert [message.topic for message in consumer.take()] == ["consumers/other"]
    explained = broker.cli("explain", "{}", "-t", "a", "--json").json
    assert [entry["rule"] for entry in explained["matches"] + explained["misses"]] == ["r"]
    assert "has a schedule" in broker.cli("tap", "--rule", "timed", check=False).err
    broker.command({"command": "putRule", "rule": {"name": "timed", "pattern": ANY,
                                                   "targets": [{"id": "t", "topic": "consumers/x"}]}})
    broker.client().publish("a", "{}")
    assert [message.topic for message in consumer.take()] == ["consumers/other", "consumers/x"]
    broker.delete_rule("timed")
