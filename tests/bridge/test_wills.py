# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The source `wills`: a client dies, and its will is an event, exactly once."""
import json
import re

import pytest

from harness import REPOSITORY, wait_until


@pytest.fixture
def lost(start_broker):
    """A broker whose rule puts the wills of devices/+/status into consumers/lost/…, and their bus."""
    broker = start_broker()
    broker.put_bus("lost", [], will_topics=["devices/+/status"])
    broker.put_rule("gone", {"$mqtt": {"topic": [{"exists": True}]}},
                    {"id": "t", "topic": "consumers/lost/{topic}", "qos": 1}, bus="lost")
    return broker


def wait_subscribed(bridges, broker, count=1):
    """Until the bridges have their subscriptions, `count` each, as the broker's log tells."""
    wait_until(lambda: broker.log().count("$share/sluice-wills-") >= len(bridges) * count, 20,
               lambda: "\n".join(one.log()[-2000:] for one in bridges))


def die(broker, topic, payload="gone", qos=1, retain=False, **options):
    client = broker.client(will=(topic, payload, qos, retain), **options)
    client.kill()


def listen(broker, *filters):
    reader = broker.client(version=5)
    reader.subscribe(*(filters or ("consumers/lost/#",)), qos=1)
    return reader


def test_a_will_is_an_event_once_and_an_original_never(lost, start_bridge):
    bridge = start_bridge(lost)
    bridge.put_source("wills", "wills", {"bus": "lost"}, topic="{topic}")
    wait_subscribed([bridge], lost)
    reader = listen(lost)
    producer = lost.client()
    for number in range(20):
        producer.publish("devices/1/status", f"original {number}", retain=number % 2 == 0)
    for number in range(10):
        die(lost, f"devices/{number}/status", f"gone {number}", retain=number % 2 == 0)
    die(lost, "other/1/status")
    reader.wait_for(10)
    producer.publish("devices/1/status", "the last original")
    die(lost, "devices/last/status", "the last will")
    reader.wait_for(lambda message: message.text == "the last will")
    assert sorted(message.text for message in reader.take()) == sorted(
        [f"gone {number}" for number in range(10)] + ["the last will"])


def test_the_page_s_example_is_what_happens(broker, start_bridge):
    page = (REPOSITORY / "docs/bridge/wills.md").read_text()
    bus, source, rule = (json.loads(text) for text in re.findall(r"^```json[a-z ]*\n(.*?)^```$", page, re.M | re.S))
    bridge = start_bridge(broker)
    for command, noun, definition in (("putBus", "bus", bus), ("putSource", "source", source), ("putRule", "rule", rule)):
        (answer,) = broker.command({"command": command, noun: definition})
        assert "error" not in answer, answer
    wait_subscribed([bridge], broker)
    reader = listen(broker, "alarms/#")
    broker.client().publish("devices/17/status", '{"state": "online"}')
    die(broker, "devices/17/status", '{"state": "offline"}')
    reader.wait_for(1)
    assert reader.topics() == ["alarms/devices/17/status"]


def test_two_bridges_bring_each_will_once(lost, start_bridge):
    bridges = [start_bridge(lost), start_bridge(lost)]
    bridges[0].put_source("wills", "wills", {"bus": "lost"}, topic="{topic}")
    wait_subscribed(bridges, lost)
    reader = listen(lost)
    for number in range(20):
        die(lost, f"devices/{number}/status", str(number))
    reader.wait_for(20)
    lost.client().publish("devices/1/status", "original")
    die(lost, "devices/last/status", "last")
    reader.wait_for(lambda message: message.text == "last")
    assert sorted(message.text for message in reader.take()) == sorted([str(number) for number in range(20)] + ["last"])


def test_retained_wills_do_not_come_again_with_a_new_bridge(lost, start_bridge):
    die(lost, "devices/old/status", "before there was a bridge", retain=True)
    reader = listen(lost)
    bridge = start_bridge(lost)
    bridge.put_source("wills", "wills", {"bus": "lost"}, topic="{topic}")
    wait_subscribed([bridge], lost)
    die(lost, "devices/new/status", "first", retain=True)
    reader.wait_for(lambda message: message.text == "first")
    bridge.kill()
    again = start_bridge(lost)
    wait_subscribed([again], lost, count=2)
    die(lost, "devices/new/status", "second", retain=True)
    reader.wait_for(lambda message: message.text == "second")
    assert [message.text for message in reader.take()] == ["first", "second"]


def test_buses_whose_filters_meet_get_each_will_once_each(lost, start_bridge):
    lost.put_bus("also", [], will_topics=["devices/#"])
    lost.put_rule("also", {"$mqtt": {"topic": [{"exists": True}]}}, "consumers/also/{topic}", bus="also")
    bridge = start_bridge(lost)
    bridge.put_source("a", "wills", {"bus": "lost"}, topic="{topic}")
    bridge.put_source("b", "wills", {"bus": "also"}, topic="{topic}")
    wait_subscribed([bridge], lost, count=2)
    reader = listen(lost, "consumers/#")
    for number in range(3):
        die(lost, f"devices/{number}/status", str(number))
    reader.wait_for(6)
    die(lost, "devices/last", "last")
    reader.wait_for(lambda message: message.text == "last")
    assert sorted(reader.topics()) == sorted(
        [f"consumers/{bus}/devices/{number}/status" for bus in ("lost", "also") for number in range(3)]
        + ["consumers/also/devices/last"])


def test_the_source_follows_its_bus(lost, start_bridge):
    bridge = start_bridge(lost)
    bridge.put_source("wills", "wills", {"bus": "later"}, topic="{topic}")
    bridge.wait_log("bus later is not there")
    lost.put_bus("later", [])
    bridge.wait_log("bus later has no will_topics")
    lost.put_bus("later", [], will_topics=["a/#"])
    lost.put_rule("later", {"$mqtt": {"topic": [{"exists": True}]}}, "consumers/later/{topic}", bus="later")
    wait_subscribed([bridge], lost)
    reader = listen(lost, "consumers/later/#")
    die(lost, "a/1")
    reader.wait_for(1)
    lost.put_bus("later", [], will_topics=["b/#"])
    wait_subscribed([bridge], lost, count=3)
    die(lost, "a/2")
    die(lost, "b/2")
    reader.wait_for(2)
    assert reader.topics() == ["consumers/later/a/1", "consumers/later/b/2"]


def test_a_will_keeps_what_it_is_made_of(lost, start_bridge):
    lost.put_rule("gone", {"state": ["gone"], "$mqtt": {"qos": [1], "retain": [True]}},
                  {"id": "t", "topic": "consumers/lost/{topic}", "qos": 1}, bus="lost")
    bridge = start_bridge(lost)
    bridge.put_source("wills", "wills", {"bus": "lost"}, topic="{topic}")
    wait_subscribed([bridge], lost)
    reader = listen(lost)
    die(lost, "devices/1/status", '{"state": "gone"}', qos=0)
    die(lost, "devices/2/status", '{"state": "gone"}', qos=1, retain=True)
    reader.wait_for(1)
    (message,) = reader.take()
    assert (message.topic, message.text) == ("consumers/lost/devices/2/status", '{"state": "gone"}')


def test_what_can_not_be_is_said(lost, start_bridge):
    bridge = start_bridge(lost)
    bridge.put_source("topic", "wills", {"bus": "lost"}, topic="x/{topic}")
    bridge.wait_log('the "topic" of a source of wills must be "{topic}"')
    bridge.put_source("one", "wills", {"bus": "lost"}, topic="{topic}")
    wait_subscribed([bridge], lost)
    bridge.put_source("two", "wills", {"bus": "lost"}, topic="{topic}")
    bridge.wait_log("another source, one, brings the wills of bus lost")


def test_without_the_gate_s_leave_nothing_comes(start_broker, start_bridge):
    broker = start_broker(options={"control_access": "none"})
    broker.sqlite("INSERT INTO buses (name, will_topics) VALUES ('lost', '[\"#\"]');"
                  "INSERT INTO bridge_sources (name, kind, topic, settings) VALUES ('w', 'wills', '{topic}', '{\"bus\":\"lost\"}');")
    bridge = start_bridge(broker)
    bridge.wait_log("the wills of bus lost are not in force: the broker refuses it: Not authorized")
    assert "$share" not in broker.log()
