# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Replays: archived events are routed again, to rules or to a topic, at a speed, over pauses and restarts."""
import time

import pytest

from harness import PATIENCE, publish_properties, wait_until
from test_archive_read import ALARM, ask, fill, numbers, refused

SMALL = {"n": [{"numeric": ["<", 3]}]}


def replay_of(broker, name):
    (replay,) = ask(broker, "listReplays", name=name)["replays"]
    return replay


def ended(broker, name, state="DONE"):
    wait_until(lambda: replay_of(broker, name)["state"] == state, timeout=20 * PATIENCE)
    return replay_of(broker, name)


@pytest.fixture
def plants(make_broker):
    broker = make_broker(config="max_queued_messages 0\n").start()
    broker.put_bus("plants", ["plants/#"], archive={})
    return broker


def listen(broker, topic="consumers/#"):
    client = broker.client(version=5)
    client.subscribe(topic, qos=1)
    return client


def test_a_replay_goes_to_the_rules_as_they_are_now(plants):
    fill(plants, 6)
    plants.put_rule("alarms", ALARM, "consumers/alarms/{topic}", bus="plants")
    plants.put_rule("small", SMALL, "consumers/small/{topic}", bus="plants")
    plants.put_rule("off", SMALL, "consumers/off/{topic}", bus="plants", state="DISABLED")
    client, plain = listen(plants), listen(plants, "plants/#")
    name = ask(plants, "startReplay", bus="plants")["name"]
    replay = ended(plants, name)
    assert (replay["total"], replay["done"], replay["matched"], replay["speed"]) == (6, 6, 4, "max")
    assert [(message.topic, message.json["n"]) for message in client.take()] == [
        ("consumers/alarms/plants/a", 0), ("consumers/small/plants/a", 0), ("consumers/small/plants/a", 1),
        ("consumers/small/plants/a", 2), ("consumers/alarms/plants/a", 3)]
    assert plain.take() == []
    assert sum(archive["events"] for archive in ask(plants, "listArchives")["archives"]) == 6


def test_what_is_replayed_says_what_it_was(plants):
    producer = plants.client(version=5)
    producer.publish("plants/a", {"alarm": True, "n": 1}, qos=1, retain=True, properties=publish_properties(
        user=[("tenant", "acme"), ("sluice-id", "forged")], content_type="application/json"))
    plants.put_queue("jobs")
    plants.put_rule("alarms", {"$mqtt": {"user_properties": {"tenant": ["acme"]}}}, [
        {"id": "t", "topic": "consumers/a", "qos": 1, "properties": ["sluice-id", "sluice-rule"]}, {"id": "q", "queue": "jobs"}],
        bus="plants")
    client, worker = listen(plants), plants.client(version=5)
    wait_until(lambda: ask(plants, "searchArchive", bus="plants")["events"])
    (event,) = ask(plants, "searchArchive", bus="plants")["events"]
    name = ask(plants, "startReplay", bus="plants", name="again")["name"]
    assert name == "again"
    ended(plants, name)
    worker.publish("queues/jobs/ready", "5")
    (by_topic,), (by_queue,) = client.take(), worker.take()
    assert not by_topic.retain and by_topic.content_type == "application/json"
    assert sorted(by_topic.user_properties) == sorted([
        ("tenant", "acme"), ("sluice-replay", "again"), ("sluice-id", event["id"]), ("sluice-time", event["time"]),
        ("sluice-rule", "alarms")])
    properties = dict(by_queue.user_properties)
    assert properties["sluice-replay"] == "again" and properties["tenant"] == "acme"
    assert properties["sluice-id"] == event["id"] and properties["sluice-time"] == event["time"]


def test_a_replay_of_some_rules_and_a_time(plants):
    fill(plants, 3)
    time.sleep(0.05)
    middle = int(time.time() * 1000)
    fill(plants, 3, first=3)
    plants.put_rule("alarms", ALARM, "consumers/alarms", bus="plants")
    plants.put_rule("all", {"n": [{"exists": True}]}, "consumers/all", bus="plants")
    client = listen(plants)
    ended(plants, ask(plants, "startReplay", bus="plants", rules=["alarms"])["name"])
    assert [(message.topic, message.json["n"]) for message in client.take()] == [
        ("consumers/alarms", 0), ("consumers/alarms", 3)]
    client.messages.clear()
    ended(plants, ask(plants, "startReplay", bus="plants", rules=["all"], **{"from": middle})["name"])
    assert [message.json["n"] for message in client.take()] == [3, 4, 5]
    client.messages.clear()
    ended(plants, ask(plants, "startReplay", bus="plants", rules=["all"], to=middle)["name"])
    assert [message.json["n"] for message in client.take()] == [0, 1, 2]


def test_a_replay_to_a_topic(plants):
    fill(plants, 4)
    plants.put_rule("alarms", ALARM, "consumers/alarms", bus="plants")
    client = listen(plants, "#")
    ended(plants, ask(plants, "startReplay", bus="plants", topic="again/{topic}")["name"])
    assert [(message.topic, message.json["n"]) for message in client.take()] == [("again/plants/a", n) for n in range(4)]
    client.messages.clear()
    replay = ended(plants, ask(plants, "startReplay", bus="plants", topic="again/{rule}", rules=["alarms"], name="x")["name"])
    assert [(message.topic, message.json["n"]) for message in client.take()] == [("again/x", 0), ("again/x", 3)]
    assert (replay["done"], replay["matched"], replay["rules"], replay["topic"]) == (4, 2, ["alarms"], "again/{rule}")


def test_a_replay_keeps_the_original_pace(plants):
    producer = plants.client()
    for number in range(4):
        producer.publish("plants/a", {"n": number}, qos=1)
        time.sleep(1.0)
    client = listen(plants, "again/#")
    before = time.time()
    name = ask(plants, "startReplay", bus="plants", topic="again", speed=10)["name"]
    assert replay_of(plants, name)["speed"] == 10
    ended(plants, name)
    took = time.time() - before
    messages = client.take()
    assert [message.json["n"] for message in messages] == [0, 1, 2, 3]
    assert 0.25 < messages[-1].time - messages[0].time < took < 2 * PATIENCE


def test_a_replay_is_paused_resumed_and_cancelled(plants):
    producer = plants.client()
    for number in range(6):
        producer.publish("plants/a", {"n": number}, qos=1)
        time.sleep(0.2)
    client = listen(plants, "again/#")
    name = ask(plants, "startReplay", bus="plants", topic="again", speed=0.5)["name"]
    client.wait_for(2)
    ask(plants, "pauseReplay", name=name)
    replay = replay_of(plants, name)
    assert replay["state"] == "PAUSED"
    seen = len(client.barrier().messages)
    assert replay["done"] == seen
    time.sleep(1)
    assert len(client.barrier().messages) == seen
    ask(plants, "pauseReplay", name=name)
    ask(plants, "resumeReplay", name=name)
    client.wait_for(seen + 1)
    ask(plants, "cancelReplay", name=name)
    assert replay_of(plants, name)["state"] == "CANCELLED"
    count = len(client.barrier().messages)
    time.sleep(1)
    assert [message.json["n"] for message in client.take()] == list(range(count))
    assert count < 6
    assert refused(plants, "resumeReplay", name=name)["code"] == "conflict"
    assert refused(plants, "cancelReplay", name="none")["code"] == "not-found"


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_a_replay_goes_on_after_a_restart(plants, how):
    producer = plants.client()
    for number in range(10):
        producer.publish("plants/a", {"n": number}, qos=1)
        time.sleep(0.1)
    plants.put_queue("again")
    plants.put_rule("all", {"n": [{"exists": True}]}, {"id": "q", "queue": "again"}, bus="plants")
    name = ask(plants, "startReplay", bus="plants", speed=0.5)["name"]
    wait_until(lambda: replay_of(plants, name)["done"] >= 3, timeout=20 * PATIENCE)
    if how == "kill":
        plants.kill()
        plants.start()
    else:
        plants.restart()
    replay = ended(plants, name)
    worker = plants.client(version=5)
    worker.publish("queues/again/ready", "100")
    got = [message.json["n"] for message in worker.take()]
    assert sorted(set(got)) == list(range(10))
    if how == "restart":
        assert got == list(range(10)) and replay["done"] == 10
    assert len(got) < 20


def test_many_events_come_in_order_over_all_pages(plants):
    fill(plants, 3000)
    plants.put_queue("again", max_in_flight=1000)
    plants.put_rule("all", {"n": [{"exists": True}]}, {"id": "q", "queue": "again"}, bus="plants")
    replay = ended(plants, ask(plants, "startReplay", bus="plants")["name"])
    assert (replay["total"], replay["done"], replay["matched"]) == (3000, 3000, 3000)
    (status,) = plants.command({"command": "getQueueStatus", "name": "again"})
    # one may be on its way to a subscriber that may be there
    assert status["data"]["ready"] + status["data"]["in_flight"] == 3000
    worker = plants.client(version=5)
    worker.publish("queues/again/ready", "1000")
    worker.wait_for(1000)
    got = [message.json["n"] for message in worker.messages]
    assert got == sorted(got) and len(set(got)) == 1000 and max(got) < 1010


@pytest.mark.parametrize("members, place, code", [
    ({"bus": "none"}, "$.bus", "not-found"),
    ({"rules": ["none"]}, "$.rules[0]", "not-found"),
    ({"rules": []}, "$.rules", "invalid"),
    ({"rules": [1]}, "$.rules[0]", "invalid"),
    ({"topic": "a/#"}, "$.topic", "invalid"),
    ({"topic": "$SYS/x"}, "$.topic", "invalid"),
    ({"speed": 0}, "$.speed", "invalid"),
    ({"speed": "fast"}, "$.speed", "invalid"),
    ({"from": "x"}, "$.from", "invalid"),
    ({"name": "a b"}, "$.name", "invalid"),
])
def test_a_replay_that_makes_no_sense_is_refused(plants, members, place, code):
    answer = refused(plants, "startReplay", **{"bus": "plants", **members})
    assert (answer["place"], answer["code"]) == (place, code)


def test_a_name_is_used_once_and_not_too_many_are_under_way(plants):
    fill(plants, 1)
    time.sleep(0.1)
    fill(plants, 1)
    for number in range(8):
        ask(plants, "startReplay", bus="plants", name=f"r{number}", speed=0.001)
    assert refused(plants, "startReplay", bus="plants", name="r0")["code"] == "conflict"
    assert refused(plants, "startReplay", bus="plants", name="more")["code"] == "limit"
    ask(plants, "cancelReplay", name="r0")
    ask(plants, "startReplay", bus="plants", name="more")
    assert [replay["name"] for replay in ask(plants, "listReplays")["replays"]] == [f"r{n}" for n in range(8)] + ["more"]
