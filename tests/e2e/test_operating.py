# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What docs/operating.md says, and the ACL file that it gives."""
import re
import socket

import pytest

import harness

TEXT = (harness.REPOSITORY / "docs/operating.md").read_text()
ACL = re.search(r"^```acl\n(.*?)^```$", TEXT, re.M | re.S).group(1)
USERS = {"admin": "a", "viewer": "v", "maintenance": "m", "office": "o", "boiler-7": "b"}
EVERYTHING = {"$mqtt": {"topic": [{"mqtt-topic": "plants/#"}]}}


@pytest.fixture
def guarded(start_broker):
    broker = start_broker(users=USERS, acl=ACL, options={"control_access": "acl"})
    broker.put_rule("hot", EVERYTHING, {"id": "t", "consumer": "maintenance", "qos": 1})
    return broker


def named(broker, name, **options):
    return broker.client(username=name, password=USERS[name], **options)


def of_consumer(broker, name):
    """A consumer that reads its own topics; a barrier would need leave to write."""
    consumer = named(broker, name)
    consumer.subscribe(f"consumers/{name}/#", qos=1)
    return consumer


def last(broker, consumer, payload="last"):
    """An event behind all others; returns what came before it."""
    named(broker, "boiler-7").publish("plants/boiler-7/x", payload)
    return [message.text for message in consumer.wait_for(lambda message: message.text == payload)[:-1]]


def test_the_acl_file_lets_producers_and_consumers_work(guarded):
    consumer, other = of_consumer(guarded, "maintenance"), of_consumer(guarded, "office")
    other.subscribe("consumers/maintenance/#", "#")
    producer = named(guarded, "boiler-7")
    producer.publish("plants/boiler-7/x", "one")
    producer.publish("plants/other/x", "forged")
    assert last(guarded, consumer) == ["one"]
    assert other.messages == []


def test_the_acl_file_keeps_publishes_and_wills_from_target_topics(guarded, version):
    consumer = of_consumer(guarded, "maintenance")
    topic = "consumers/maintenance/forged"
    named(guarded, "boiler-7", version=version).publish(topic, "publish", wait=False)
    victim = named(guarded, "boiler-7", version=version, will=(topic, "will", 1))
    before = len(guarded.log())
    victim.kill()
    guarded.wait_log(victim.client_id, since=before)  # its end; the will goes out with it
    assert last(guarded, consumer) == []


def test_a_will_gets_past_protect_targets_where_no_acl_stops_it(start_broker):
    broker = start_broker(options={"protect_targets": "true"})
    broker.put_rule("hot", EVERYTHING, {"id": "t", "consumer": "maintenance", "qos": 1})
    consumer = broker.client()
    consumer.subscribe("consumers/maintenance/#", qos=1)
    broker.client().publish("consumers/maintenance/forged", "publish")
    broker.client(will=("consumers/maintenance/forged", "will", 1)).kill()
    assert [message.text for message in consumer.wait_for(1)] == ["will"]


def test_the_acl_file_tells_who_changes_rules_from_who_reads_them(guarded):
    admin, viewer, boiler = (named(guarded, name) for name in ("admin", "viewer", "boiler-7"))
    view = "$CONTROL/sluice-view/v1"
    for client in (admin, viewer):
        (answer,) = client.command({"command": "listRules"}, topic=view)
        assert [rule["name"] for rule in answer["data"]["rules"]] == ["hot"]
    (answer,) = viewer.command({"command": "deleteRule", "name": "hot"}, topic=view)
    assert "error" in answer
    for client, topic in ((viewer, "$CONTROL/sluice/v1"), (boiler, "$CONTROL/sluice/v1"), (boiler, view)):
        client.publish(topic, {"commands": [{"command": "deleteRule", "name": "hot"}]}, wait=False)
    (answer,) = admin.command({"command": "getRule", "name": "hot"})
    assert "data" in answer
    assert viewer.messages == boiler.messages == []


def test_a_subscriber_of_everything_sees_originals_and_deliveries(broker):
    broker.put_rule("hot", EVERYTHING, ["consumers/a/{topic}", "consumers/b/{topic}"])
    consumer = broker.client()
    consumer.subscribe("#", qos=1)
    broker.client().publish("plants/x", "1")
    assert sorted(message.topic for message in consumer.take()) == [
        "consumers/a/plants/x", "consumers/b/plants/x", "plants/x"]


def test_a_producer_is_told_of_no_subscribers_though_its_event_was_routed(broker):
    broker.put_rule("hot", EVERYTHING, "consumers/a/x")
    consumer = broker.client()
    consumer.subscribe("consumers/#", qos=1)
    said = harness.run("mosquitto_pub", "-h", "127.0.0.1", "-p", broker.port, "-V", "5", "-q", "1", "-d",
                       "-t", "plants/x", "-m", "1").out
    assert re.search(r"PUBACK \(Mid: 1, RC:16\)", said), said
    assert len(consumer.take()) == 1


def remaining(body):
    """A packet's body behind its length, which needs one byte in these tests."""
    assert len(body) < 128
    return bytes([len(body)]) + body


def text(value):
    return len(value).to_bytes(2, "big") + value


def test_a_qos_2_producer_that_sends_again_before_pubrec_is_routed_twice(broker):
    broker.put_rule("hot", EVERYTHING, "consumers/a/x")
    consumer = broker.client()
    consumer.subscribe("consumers/#", qos=1)
    connect = b"\x10" + remaining(text(b"MQTT") + b"\x04\x00\x00\x3c" + text(b"raw"))  # no clean session
    publish = remaining(text(b"plants/x") + b"\x00\x01" + b"once")
    for first_byte in (b"\x34", b"\x3c"):  # QoS 2, then the same with DUP
        with socket.create_connection(("127.0.0.1", broker.port)) as peer:
            peer.sendall(connect)
            assert peer.recv(4)[0] == 0x20
            peer.sendall(first_byte + publish)
            assert peer.recv(4)[0] == 0x50  # PUBREC, which the producer never sees, say
    assert [message.text for message in consumer.take()] == ["once", "once"]


def test_the_options_are_those_that_the_plugin_knows(make_broker):
    listed = re.findall(r"^\| `(\w+)` \|", TEXT.split("| `plugin_opt_…`")[1].split("\n\n")[0], re.M)
    log = make_broker(options={"nonsense": "1"}).start_refused()
    known = re.search(r"there are (.*)", log).group(1)
    assert sorted(re.findall(r"\w+_\w+", known)) == sorted(listed)


def test_the_numbers_are_those_that_the_broker_shows(start_broker):
    broker = start_broker(options={"sys_interval": "1"})
    broker.put_rule("hot", EVERYTHING, "consumers/a/x", metrics=True)
    listed = set()
    for row in re.findall(r"^\| (`[^|]*) \|", TEXT.split("## Numbers")[1].split("\n## ")[0], re.M):
        names = re.findall(r"`([^`]*)`", row)
        if names[0].startswith("rules/"):
            names = [names[0].replace("<name>", "hot"), *(f"rules/hot/{name}" for name in names[1:])]
        listed.update("$SYS/broker/sluice/" + name for name in names)
    reader = broker.client()
    reader.subscribe("$SYS/broker/sluice/#")
    reader.wait_for(lambda message: message.topic.endswith("rules/hot/failed"), 20)
    harness.wait_until(lambda: set(reader.topics()) >= listed, 10, lambda: f"{listed - set(reader.topics())}")
    assert set(reader.topics()) == listed
