# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What docs/operating.md says, and the ACL file that it gives."""
import re
import socket

import pytest

import harness

TEXT = (harness.REPOSITORY / "docs/operating.md").read_text()
ACL = re.search(r"^```acl\n(.*?)^```$", TEXT, re.M | re.S).group(1)
USERS = {"admin": "a", "viewer": "v", "maintenance": "m", "office": "o", "boiler-7": "b", "worker": "w"}
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


def test_the_acl_file_lets_a_worker_take_and_settle_but_nobody_else(guarded):
    (answer,) = named(guarded, "admin").command({"command": "putQueue", "queue": {"name": "jobs"}})
    assert "error" not in answer, answer
    (answer,) = named(guarded, "admin").command({"command": "putRule", "rule": {
        "name": "work", "pattern": EVERYTHING, "targets": [{"id": "t", "queue": "jobs"}]}})
    assert "error" not in answer, answer
    worker, boiler = named(guarded, "worker"), named(guarded, "boiler-7")
    boiler.publish("plants/boiler-7/x", "1")
    worker.publish("queues/jobs/ready", "1")
    (message,) = worker.wait_for(1)
    receipt = message.topic.rsplit("/", 1)[1]
    boiler.publish(f"queues/jobs/ack/{receipt}", "", wait=False)
    boiler.publish("queues/jobs/in", "forged", wait=False)
    boiler.publish("plants/other/x", "denied", wait=False)
    numbers = {"command": "getQueueStatus", "name": "jobs"}
    (answer,) = named(guarded, "admin").command(numbers)
    assert (answer["data"]["accepted"], answer["data"]["acknowledged"]) == (1, 0)
    worker.publish(f"queues/jobs/ack/{receipt}", "")
    (answer,) = named(guarded, "admin").command(numbers)
    assert answer["data"]["acknowledged"] == 1


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
    assert sorted(re.split(r", | and ", known.strip())) == sorted(listed)


def test_the_numbers_are_those_that_the_broker_shows(start_broker):
    broker = start_broker(options={"sys_interval": "1"})
    broker.put_rule("hot", EVERYTHING, "consumers/a/x", metrics=True)
    broker.put_queue("jobs")
    listed = set()
    for row in re.findall(r"^\| (`[^|]*) \|", TEXT.split("## Numbers")[1].split("\n## ")[0], re.M):
        names = re.findall(r"`([^`]*)`", row)
        for prefix, name in (("rules", "hot"), ("queues", "jobs")):
            if names[0].startswith(f"{prefix}/"):
                names = [names[0].replace("<name>", name), *(f"{prefix}/{name}/{rest}" for rest in names[1:])]
        listed.update("$SYS/broker/sluice/" + name for name in names)
    reader = broker.client()
    reader.subscribe("$SYS/broker/sluice/#")
    reader.wait_for(lambda message: message.topic.endswith("rules/hot/failed"), 20)
    harness.wait_until(lambda: set(reader.topics()) >= listed, 10, lambda: f"{listed - set(reader.topics())}")
    assert set(reader.topics()) == listed


def holding(start_broker, count=3, **options):
    """A broker whose queue holds so many messages, as it was stopped."""
    broker = start_broker(**options)
    broker.put_queue("jobs")
    producer = broker.client()
    for number in range(count):
        producer.publish("queues/jobs/in", str(number))
    broker.stop()
    return broker, broker.db.with_name("sluice-data.db")


def held(broker):
    (answer,) = broker.command({"command": "getQueueStatus", "name": "jobs"})
    return sum(answer["data"][name] for name in ("ready", "in_flight", "delayed"))


def test_messages_come_back_from_a_backup(start_broker):
    broker, data = holding(start_broker)
    copy = broker.directory / "copy.db"
    harness.run("sqlite3", data, f".backup {copy}")
    broker.start()
    (answer,) = broker.command({"command": "purgeQueue", "name": "jobs"})
    assert held(broker) == 0
    broker.stop()
    for name in ("sluice-data.db-wal", "sluice-data.db-shm"):
        data.with_name(name).unlink(missing_ok=True)
    copy.replace(data)
    broker.give(data)
    data.with_name("sluice-journal").rename(broker.directory / "journal.old")
    broker.start()
    assert held(broker) == 3 and broker.status()["durable"]["state"] == "ok"
    broker.client().publish("queues/jobs/in", "3")
    broker.restart()
    assert held(broker) == 4


def test_without_its_file_of_messages_a_broker_starts_anew(start_broker):
    broker, data = holding(start_broker)
    for path in data.parent.glob("sluice-data.db*"):
        path.unlink()
    broker.start()
    assert held(broker) <= 3  # what the journal still holds
    broker.client().publish("queues/jobs/in", "3")
    before = held(broker)
    broker.restart()
    assert held(broker) == before and broker.status()["durable"]["state"] == "ok"


def test_a_damaged_file_of_messages_is_told_and_not_overwritten(start_broker):
    broker, data = holding(start_broker)
    data.write_bytes(b"no database" * 1000)
    assert "sluice-data.db" in broker.start_refused()
    broker.options["on_bad_store"] = "continue"
    broker.start()
    producer = broker.client(version=5)
    producer.publish("elsewhere", "1")
    producer.publish("queues/jobs/in", "3", wait=False)
    broker.wait_log("a publish on queues/jobs/in is refused")
    assert broker.status()["durable"]["state"] != "ok"
    assert data.read_bytes().startswith(b"no database")
    for path in data.parent.glob("sluice-data.db*"):
        path.unlink()
    harness.wait_until(lambda: broker.status()["durable"]["state"] == "ok", 10, "a new file")
