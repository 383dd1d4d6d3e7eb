# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Archives of buses: what enters them, how long it stays, and that it survives."""
import sqlite3
import time

import pytest

from harness import PATIENCE, publish_properties, wait_until

ALARM = {"alarm": [True]}


def rows(broker, columns="topic, payload"):
    """What stands in the archive, in its order."""
    file = broker.db.parent / "sluice-data.db"
    if not file.exists():
        return []
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(f"SELECT {columns} FROM archive ORDER BY id").fetchall()
    finally:
        connection.close()


def archived(broker, count):
    wait_until(lambda: len(rows(broker)) >= count, timeout=10 * PATIENCE)
    return rows(broker)


@pytest.fixture
def plants(broker):
    broker.put_bus("plants", ["plants/#"], archive={})
    return broker


def test_what_a_bus_takes_in_is_archived_without_any_rule(plants):
    producer = plants.client(version=5)
    producer.publish("plants/a", {"n": 1}, qos=1,
                     properties=publish_properties(user=[("tenant", "acme")], content_type="application/json"))
    producer.publish("elsewhere", {"n": 2}, qos=1)
    producer.publish("plants/b", b"\xff\x00", qos=1)
    assert archived(plants, 2) == [("plants/a", b'{"n": 1}'), ("plants/b", b"\xff\x00")]
    (first, second) = rows(plants, "client_id, flags, properties, event_id")
    assert first[:2] == (producer.client_id, 1)
    assert b"tenant" in first[2] and b"application/json" in first[2]
    assert len(second[3]) == 32 and second[3] != first[3]


def test_its_pattern_decides_and_rules_have_no_say(broker):
    broker.put_bus("plants", ["plants/#"], archive={"pattern": ALARM})
    broker.put_rule("off", ALARM, "consumers/x", bus="plants", state="DISABLED")
    broker.put_rule("shadow", {"alarm": [False]}, "consumers/y", bus="plants", state="SHADOW")
    producer = broker.client()
    for payload in ({"alarm": True, "n": 1}, {"alarm": False}, "no json", {"alarm": True, "n": 2}):
        producer.publish("plants/a", payload, qos=1)
    assert [payload for _, payload in archived(broker, 2)] == [b'{"alarm": true, "n": 1}', b'{"alarm": true, "n": 2}']


def test_a_chained_bus_archives_what_reaches_it_as_it_is_there(broker):
    broker.put_bus("plants", ["plants/#"])
    broker.put_bus("alarms", [], archive={})
    broker.put_rule("chain", ALARM, {"id": "t", "bus": "alarms", "input_transformer": {
        "paths": {"n": "$.n"}, "template": "{\"number\": <n>}"}}, bus="plants")
    producer = broker.client()
    producer.publish("plants/a", {"alarm": True, "n": 7}, qos=1)
    producer.publish("plants/a", {"alarm": False, "n": 8}, qos=1)
    assert archived(broker, 1) == [("plants/a", b'{"number":7}')]


def test_an_event_past_a_limit_is_archived_all_the_same(make_broker):
    broker = make_broker(options={"max_deliveries": 1}).start()
    broker.put_bus("plants", ["plants/#"], archive={})
    broker.put_rule("two", ALARM, ["consumers/x", "consumers/y"], bus="plants")
    broker.client().publish("plants/a", {"alarm": True}, qos=1)
    assert archived(broker, 1) == [("plants/a", b'{"alarm": true}')]
    assert broker.status()["over_limit"] == 1


def test_it_survives_a_kill(plants):
    producer = plants.client()
    for number in range(200):
        producer.publish("plants/a", {"n": number}, qos=1)
    plants.kill()
    plants.start()
    assert [payload for _, payload in archived(plants, 200)] == [b'{"n": %d}' % n for n in range(200)]


def test_events_go_when_their_time_is_over(broker):
    broker.put_bus("plants", ["plants/#"], archive={"retention_s": 3600})
    broker.put_bus("brief", ["brief/#"], archive={"retention_s": 1})
    producer = broker.client()
    for number in range(20):
        producer.publish("brief/a", {"n": number}, qos=1)
        producer.publish("plants/a", {"n": number}, qos=1)
    archived(broker, 20)
    wait_until(lambda: {topic for topic, _ in rows(broker)} == {"plants/a"}, timeout=10 * PATIENCE)
    assert len(rows(broker)) == 20


def test_the_oldest_go_when_there_are_too_many(broker):
    broker.put_bus("plants", ["plants/#"], archive={"max_bytes": 3000})
    producer = broker.client()
    for number in range(100):
        producer.publish("plants/a", {"n": number, "pad": "x" * 100}, qos=1)
    wait_until(lambda: 0 < sum(row[0] for row in rows(broker, "bytes")) <= 3000, timeout=10 * PATIENCE)
    assert b'"n": 99' in rows(broker)[-1][1]


def test_what_the_journal_has_no_room_for_is_refused_whole(make_broker):
    # 2.1 takes packets of up to 2 MB unless it is told otherwise.
    broker = make_broker(options={"journal_max": 4194304}, config="max_packet_size 20000000").start()
    broker.put_bus("plants", ["plants/#"], archive={"pattern": {"$mqtt": {"topic": ["plants/kept"]}}})
    subscriber, producer = broker.client(), broker.client()
    subscriber.subscribe("plants/#", qos=1)
    large = "x" * 6000000
    producer.publish("plants/other", large, qos=1)
    assert [message.topic for message in subscriber.take()] == ["plants/other"]
    producer.publish("plants/kept", large, qos=1, wait=False)
    assert producer.disconnected.wait(10 * PATIENCE)
    assert subscriber.take() == []
    again = broker.client()
    again.publish("plants/kept", "small", qos=1)
    assert archived(broker, 1) == [("plants/kept", b"small")]
    assert [message.topic for message in subscriber.take()] == ["plants/kept"]
