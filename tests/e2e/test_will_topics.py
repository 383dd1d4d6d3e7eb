# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Last wills, the plugin's part: what it marks, and what it takes in on sluice/wills/. The test is the bridge here."""
import time

import pytest
from paho.mqtt.client import SubscribeOptions

from harness import publish_properties, run

MARK = ("sluice-seen", "1")
SHARED = "$share/sluice-wills-lost/devices/+/status"
FILTERS = "sluice/wills/lost/filters"


@pytest.fixture
def lost(broker):
    """A broker with a bus that takes wills of devices/+/status, and a rule on it."""
    broker.put_bus("lost", [], exclude=["devices/x/status"], will_topics=["devices/+/status", "out/#"])
    broker.put_rule("gone", {"$mqtt": {"topic": [{"exists": True}]}},
                    {"id": "t", "topic": "consumers/lost/{topic}", "qos": 1}, bus="lost")
    return broker


def bridge(broker):
    client = broker.client(version=5)
    client.subscribe(SHARED, "$share/sluice-wills-lost/out/#", qos=2, retainAsPublished=True,
                     retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
    return client


def answer(broker, topic, payload):
    """What mosquitto_pub is told of a publish: "" when it is taken in."""
    result = run("mosquitto_pub", "-V", "5", "-p", broker.port, "-q", "1", "-t", topic, "-m", payload, check=False)
    return (result.out + result.err).strip()


def die(broker, **will):
    """A client with a will goes without a DISCONNECT."""
    client = broker.client(will=(will["topic"], will["payload"], will.get("qos", 1), will.get("retain", False)))
    client.kill()


def test_an_original_is_marked_and_a_will_is_not(lost, version):
    watcher = bridge(lost)
    producer = lost.client(version=version)
    options = {"properties": publish_properties(user=[("a", ""), ("b", "2")])} if version == 5 else {}
    producer.publish("devices/1/status", "on", qos=1, **options)
    producer.publish("devices/2/status", "on", qos=0)
    producer.publish("devices/3/status", "on", qos=1, retain=True)
    die(lost, topic="devices/1/status", payload="gone", retain=True)
    watcher.wait_for(4)
    got = {message.text + message.topic[8]: message for message in watcher.take()}
    assert got["on1"].user_properties == ([("a", ""), ("b", "2")] if version == 5 else []) + [MARK]
    assert got["on2"].user_properties == [MARK]
    assert got["on3"].user_properties == [MARK] and got["on3"].retain
    assert got["gone1"].user_properties == [] and got["gone1"].retain and got["gone1"].qos == 1


def test_only_what_may_be_taken_for_a_will_is_marked(lost):
    reader = lost.client(version=5)
    reader.subscribe("#", qos=1)
    producer = lost.client(version=5)
    for topic in ("devices/1", "devices/x/status", "other", "out"):
        producer.publish(topic, "x")
    reader.wait_for(4)
    assert {message.topic: message.user_properties for message in reader.take()} == {
        "devices/1": [], "devices/x/status": [], "other": [], "out": [MARK]}


def test_a_mark_that_is_there_is_enough(lost):
    watcher = bridge(lost)
    lost.client(version=5).publish("out/a", "x", properties=publish_properties(user=[MARK, ("c", "3")]))
    watcher.wait_for(1)
    assert watcher.take()[0].user_properties == [MARK, ("c", "3")]


def test_what_the_router_delivers_there_is_marked(lost):
    lost.put_queue("q")
    lost.put_bus("all", ["in"])
    lost.put_rule("copy", {"$mqtt": {"topic": ["in"]}}, [
        {"id": "plain", "topic": "out/plain", "qos": 1},
        {"id": "named", "topic": "out/named", "qos": 1, "properties": ["sluice-rule"]},
        {"id": "late", "topic": "out/late", "qos": 1, "delay_ms": 50},
        {"id": "elsewhere", "topic": "elsewhere", "qos": 1}], bus="all")
    reader = lost.client(version=5)
    reader.subscribe("elsewhere", "out/#", qos=1)
    lost.client().publish("in", "x")
    reader.wait_for(4)
    assert {message.topic: message.user_properties for message in reader.take()} == {
        "out/plain": [MARK], "out/named": [("sluice-rule", "copy"), MARK], "out/late": [MARK], "elsewhere": []}


def test_a_will_that_is_handed_in_is_an_event_of_its_bus_alone(lost):
    lost.put_rule("elsewhere", {"$mqtt": {"topic": [{"exists": True}]}}, "consumers/default/{topic}")
    lost.put_rule("known", {"$mqtt": {"qos": [2], "retain": [True], "client_id": [{"exists": False}],
                                      "username": [{"exists": False}], "user_properties": {"k": ["v"]}},
                            "state": ["gone"]}, "consumers/known/{topic}", bus="lost")
    reader = lost.client(version=5)
    reader.subscribe("#", qos=1)
    lost.client(version=5).publish("sluice/wills/lost/2r/devices/1/status", '{"state": "gone"}',
                                   properties=publish_properties(user=[("k", "v")], content_type="application/json"))
    reader.wait_for(2)
    got = reader.take()
    assert [message.topic for message in got] == ["consumers/lost/devices/1/status", "consumers/known/devices/1/status"]
    assert got[0].text == '{"state": "gone"}' and got[0].content_type == "application/json"
    assert got[0].user_properties == [("k", "v")] and not got[0].retain


def test_a_will_into_a_queue_keeps_its_own_topic(lost):
    lost.put_queue("q")
    lost.put_rule("queued", {"$mqtt": {"topic": ["devices/7/status"]}}, {"id": "q", "queue": "q"}, bus="lost")
    lost.client(version=5).publish("sluice/wills/lost/1/devices/7/status", "gone")
    worker = lost.client(version=5)
    worker.publish("queues/q/ready", "1")
    worker.wait_for(1)
    assert ("sluice-topic", "devices/7/status") in worker.messages[0].user_properties


def test_what_is_no_will_of_a_bus_is_refused(lost):
    reader = lost.client()
    reader.subscribe("#", qos=1)
    for topic in ("lost/1/devices/x/status", "lost/1/devices/1", "other/1/devices/1/status", "lost/3/devices/1/status",
                  "lost/1", "lost/1/", "lost", "", "default/1/devices/1/status", "lost/1x/devices/1/status"):
        before = lost.status()["refused"]
        assert "Not authorized" in answer(lost, "sluice/wills/" + topic, "x"), topic
        assert lost.status()["refused"] == before + 1
    assert reader.take() == []


def test_filters_are_confirmed_when_all_of_them_are_in_force(lost):
    assert answer(lost, FILTERS, "devices/+/status") == ""
    assert answer(lost, FILTERS, "out/#\ndevices/+/status") == ""
    for payload in ("", "devices/+/status\nother", "other", "devices/+/status\n\nout/#"):
        assert "Not authorized" in answer(lost, FILTERS, payload or "\n")
    assert "Not authorized" in answer(lost, "sluice/wills/default/filters", "devices/+/status")
    lost.put_bus("lost", [], will_topics=["out/#"])
    assert "Not authorized" in answer(lost, FILTERS, "devices/+/status")
    assert answer(lost, FILTERS, "out/#") == ""
    lost.put_bus("lost", [])
    assert "Not authorized" in answer(lost, FILTERS, "out/#")


def test_wills_come_only_from_whom_the_gate_admits(start_broker):
    broker = start_broker(options={"control_access": "none"})
    broker.sqlite("INSERT INTO buses (name, will_topics) VALUES ('lost', '[\"#\"]');")
    deadline = time.monotonic() + 20
    reader = broker.client(version=5)
    reader.subscribe("a", qos=1)
    while True:
        broker.client(version=5).publish("a", "x")
        if [message.user_properties for message in reader.take()][-1] == [MARK]:
            break
        assert time.monotonic() < deadline, "the bus is not in force"
    assert "Not authorized" in answer(broker, FILTERS, "#")
    assert "Not authorized" in answer(broker, "sluice/wills/lost/1/a", "x")
    assert "plugin_opt_control_access keeps wills out" in broker.log()


def test_a_broker_is_no_worse_for_many_marks(lost):
    """Nothing is lost or freed twice: with SLUICE_VALGRIND this looks for it."""
    watcher = bridge(lost)
    for version in (4, 5):
        producer = lost.client(version=version)
        for number in range(50):
            producer.publish("out/many", str(number), qos=number % 3)
    watcher.wait_for(100)
    assert all(message.user_properties == [MARK] for message in watcher.take())
