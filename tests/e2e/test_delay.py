# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Deliveries to topics that are put off, and those that count as one."""
import time

from harness import PATIENCE, publish_properties

ANY = {"n": [{"exists": True}]}


def consumer(broker):
    client = broker.client(version=5)
    client.subscribe("later/#", qos=2)
    return client


def test_a_delivery_is_put_off_with_all_that_it_carries(broker):
    broker.put_rule("r", ANY, {"id": "t", "topic": "later/{topic}", "qos": 1, "delay_ms": 800,
                               "properties": ["sluice-rule", "sluice-topic", "sluice-id"], "expiry_s": 60})
    client = consumer(broker)
    begun = time.monotonic()
    broker.client(version=5).publish("a/b", {"n": 1}, properties=publish_properties(
        user=[("tenant", "acme")], content_type="application/json", correlation_data=b"\0\1"))
    assert client.take() == []
    message = client.wait_for(1)[0]
    assert 0.75 < message.time - begun < 0.8 + 3 * PATIENCE
    assert (message.topic, message.json, message.qos) == ("later/a/b", {"n": 1}, 1)
    properties = dict(message.user_properties)
    assert (properties["tenant"], properties["sluice-rule"], properties["sluice-topic"]) == ("acme", "r", "a/b")
    assert message.content_type == "application/json" and message.correlation_data == b"\0\1"
    assert 50 < message.expiry <= 60
    assert broker.status()["delivered"] == 1


def test_the_delay_may_come_from_the_event(broker):
    broker.put_rule("r", ANY, {"id": "t", "topic": "later/{$.n}", "qos": 1, "delay_ms": "$.delay"})
    client = consumer(broker)
    producer = broker.client()
    producer.publish("a", {"n": 1, "delay": 600})
    producer.publish("a", {"n": 2})
    producer.publish("a", {"n": 3, "delay": 100})
    producer.publish("a", {"n": 4, "delay": -1})
    assert [message.topic for message in client.wait_for(3)] == ["later/2", "later/3", "later/1"]
    broker.wait_log("rule r, target t: an event on a is not delivered: ")
    assert broker.status()["failed"] == 1


def test_what_is_put_off_survives_a_kill(broker):
    broker.put_rule("r", ANY, {"id": "t", "topic": "later/{$.n}", "qos": 1, "delay_ms": 1500,
                               "input_transformer": {"paths": {"n": "$.n"}, "template": "\"<n>\""}})
    broker.client().publish("a", {"n": 1})
    broker.kill()
    broker.start()
    client = consumer(broker)
    message = client.wait_for(1)[0]
    assert message.payload == b'"1"'
    time.sleep(0.3)
    assert len(client.take()) == 1


def test_events_that_count_as_one_are_delivered_once(broker):
    broker.put_rule("r", ANY, {"id": "t", "topic": "later/{$.n}", "qos": 1,
                               "deduplication": {"key": "$.n", "window_s": 60}})
    client = consumer(broker)
    producer = broker.client()
    for number in (1, 2, 1, 1, 3, 2):
        producer.publish("a", {"n": number})
    assert [message.topic for message in client.take()] == ["later/1", "later/2", "later/3"]
    broker.kill()
    broker.start()
    client = consumer(broker)
    producer = broker.client()
    for number in (1, 4):
        producer.publish("a", {"n": number})
    assert [message.topic for message in client.take()] == ["later/4"]


def test_the_window_of_deduplication_ends(broker):
    broker.put_rule("r", ANY, {"id": "t", "topic": "later/x", "qos": 1,
                               "deduplication": {"key": "content", "window_s": 1}})
    client = consumer(broker)
    producer = broker.client()
    producer.publish("a", '{"n": 1}')
    producer.publish("a", '{"n":1}')
    producer.publish("a", '{"n": 1}')
    time.sleep(1.1)
    producer.publish("a", '{"n": 1}')
    assert [message.payload for message in client.take()] == [b'{"n": 1}', b'{"n":1}', b'{"n": 1}']
