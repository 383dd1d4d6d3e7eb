# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The target and the source kafka, with librdkafka's own mock cluster in a process of its own (kafka_mock.c)."""
import itertools
import json
import subprocess

import pytest

from harness import REPOSITORY, publish_properties, run, wait_until

QUICK = {"backoff_ms": 50, "backoff_max_ms": 200, "breaker_failures": 0}
PRODUCE, TOPIC_AUTHORIZATION_FAILED, NOT_ENOUGH_REPLICAS, OUT_OF_ORDER = 0, 29, 19, 45
# When a member left, the mock cluster lets the next one wait for so long. (Its first one waits for three seconds, and
# must not be over by then.)
SESSION = {"session.timeout.ms": "4000", "heartbeat.interval.ms": "500"}
names = itertools.count()


class Cluster:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.brokers = self.process.stdout.readline().strip().split(",")
        assert self.brokers[0]

    def say(self, *words):
        """Carries out a command; returns the lines of its answer but the last."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        lines = []
        while True:
            line = self.process.stdout.readline().strip()
            if line == "ok":
                return lines
            assert line and not line.startswith("what?"), line
            lines.append(line)
            if words[0] == "committed":
                return lines

    def read(self, topic):
        return [json.loads(line) for line in self.say("read", topic)]

    def committed(self, group, topic):
        return int(self.say("committed", group, topic)[0])

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)


@pytest.fixture(scope="module")
def program(workspace):
    program = workspace / "kafka_mock"
    run("gcc", "-std=c17", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Werror", "-o", program,
        REPOSITORY / "tests/bridge/kafka_mock.c", "-lrdkafka")
    return program


@pytest.fixture(scope="module")
def cluster(program):
    cluster = Cluster(program)
    yield cluster
    cluster.close()


@pytest.fixture
def topic(cluster):
    """A topic of its own, with three partitions."""
    name = f"topic-{next(names)}"
    cluster.say("topic", name, 3)
    return name


def publish_all(broker, first, count, topic="plants/1", **more):
    client = broker.client()
    for n in range(first, first + count):
        client.publish(topic, json.dumps({"n": n, "key": f"k{n % 3}", **more}))
    client.close()


# --- the target ---

def test_an_event_is_in_the_topic_with_its_key_and_headers(bridge, broker, cluster, topic):
    bridge.route("far", "kafka", {"brokers": cluster.brokers, "topic": "{$.to}", "key": "{$.key}", "compression": "gzip",
                                  "properties": {"linger.ms": "0"}})
    broker.client(version=5).publish("plants/1", json.dumps({"n": 1, "to": topic, "key": "a"}), properties=publish_properties(
        user=[("tenant", "acme"), ("tenant", "two")], content_type="application/json"))
    bridge.wait_drained("far")
    (record,) = cluster.read(topic)
    assert record["value"] == {"n": 1, "to": topic, "key": "a"} and record["key"] == "a"
    assert record["headers"] == [["tenant", "acme"], ["tenant", "two"], ["content-type", "application/json"]]


def test_all_arrive_in_order_by_key_when_the_cluster_was_down_for_a_while(bridge, broker, cluster, topic):
    bridge.route("far", "kafka", {"brokers": cluster.brokers, "topic": topic, "key": "{$.key}", "properties": {
        "reconnect.backoff.max.ms": "200", "linger.ms": "0"}}, queue={"group": "$.key"}, delivery={**QUICK, "timeout_ms": 1500})
    publish_all(broker, 0, 6)
    bridge.wait_drained("far")
    cluster.say("down")
    publish_all(broker, 6, 30)
    bridge.wait_log("attempt 1: 127.0.0.1:.*(timed out|down|refused)")
    cluster.say("up")
    assert bridge.wait_drained("far")["dead"] == 0
    for key in ("k0", "k1", "k2"):
        got = [record["value"]["n"] for record in cluster.read(topic) if record["key"] == key]
        assert sorted(set(got)) == [n for n in range(36) if f"k{n % 3}" == key] and got == sorted(got)


def test_what_may_pass_is_tried_again_and_what_never_will_is_a_dead_letter(bridge, broker, cluster, topic):
    bridge.route("far", "kafka", {"brokers": cluster.brokers, "topic": topic, "properties": {"message.max.bytes": "2000"}},
                 delivery=QUICK)
    cluster.say("fail", PRODUCE, NOT_ENOUGH_REPLICAS, 2)
    publish_all(broker, 1, 1)
    bridge.wait_drained("far")
    cluster.say("fail", PRODUCE, TOPIC_AUTHORIZATION_FAILED, 1)
    publish_all(broker, 2, 1)
    publish_all(broker, 3, 1, long="x" * 3000)
    dead = {message.json["n"]: dict(message.user_properties)["sluice-error-reason"]
            for message in bridge.dead_letters("far", 2)}
    assert "authorization failed" in dead[2].lower() and "too large" in dead[3].lower()
    assert [record["value"]["n"] for record in cluster.read(topic)] == [1]


def test_a_producer_that_fails_for_good_is_made_anew(bridge, broker, cluster, topic):
    bridge.route("far", "kafka", {"brokers": cluster.brokers, "topic": topic, "key": "k"}, delivery=QUICK)
    publish_all(broker, 0, 5)
    bridge.wait_drained("far")
    cluster.say("fail", PRODUCE, OUT_OF_ORDER, 1)
    publish_all(broker, 5, 5)
    assert bridge.wait_drained("far")["dead"] == 0
    assert {record["value"]["n"] for record in cluster.read(topic)} == set(range(10))


@pytest.mark.parametrize("name, value, words", [
    ("enable.idempotence", "false", "enable.idempotence is not to be set"),
    ("plugin.library.paths", "/tmp/evil.so", "no code is loaded"),
    ("sasl.password", "hunter2", "a secret is a connection's"),
    ("no.such.thing", "1", "librdkafka knows no property no.such.thing"),
    ("linger.ms", "soon", "librdkafka does not take this value of linger.ms")])
def test_a_property_that_would_break_the_promises_is_refused(bridge, broker, cluster, name, value, words):
    bridge.route("far", "kafka", {"brokers": cluster.brokers, "topic": "t", "properties": {name: value}})
    bridge.wait_log(f"target far: .*{words}")
    assert "hunter2" not in bridge.log()


# --- the source ---

def test_what_is_in_the_topic_arrives_in_order_and_is_committed(bridge, broker, cluster, topic):
    listener = broker.client(version=5)
    listener.subscribe("far/#", qos=1)
    cluster.say("produce", topic, 0, 300)
    bridge.put_source("far", "kafka", {"brokers": cluster.brokers, "topics": [topic], "properties": SESSION},
                      topic="far/{topic}")
    messages = listener.wait_for(300, 30)
    assert messages[0].topic == f"far/{topic}"
    first = dict(messages[0].user_properties)
    assert first["from"] == "test" and first["kafka-key"] in ("k0", "k1", "k2")
    assert first["kafka-position"].startswith(f"{topic}/") and first["bridge-via"] == f"sluice-far@{cluster.brokers[0]}"
    for key in range(3):
        assert [m.json["n"] for m in messages if dict(m.user_properties)["kafka-key"] == f"k{key}"] == list(range(key, 300, 3))
    wait_until(lambda: cluster.committed("sluice-far", topic) == 300, 10, "the offsets to be committed")
    bridge.stop()
    bridge.start()
    cluster.say("produce", topic, 300, 1)
    assert [message.json["n"] for message in listener.wait_for(301, 30)[300:]] == [300]


def test_none_is_lost_when_the_bridge_is_killed(start_broker, start_bridge, cluster, topic):
    broker = start_broker(config="max_queued_messages 0")
    bridge = start_bridge(broker)
    listener = broker.client()
    listener.subscribe("plants/#", qos=1)
    bridge.put_source("far", "kafka", {"brokers": cluster.brokers, "topics": [topic], "properties": SESSION},
                      topic="plants/{topic}")
    count = 10000
    cluster.say("produce", topic, 0, count)
    wait_until(lambda: listener.messages, 30, "events to flow")
    bridge.kill()
    assert len(listener.messages) < count
    bridge.start()
    wait_until(lambda: len({message.json["n"] for message in listener.messages}) == count, 60,
               lambda: f"{len(listener.messages)}\n{bridge.log()[-2000:]}")


def test_events_wait_in_the_topic_while_our_own_broker_is_away(bridge, broker, cluster, topic):
    bridge.put_source("far", "kafka", {"brokers": cluster.brokers, "topics": [topic]}, topic="plants/{topic}")
    listener = broker.client()
    listener.subscribe("plants/#", qos=1)
    cluster.say("produce", topic, 0, 1)
    listener.wait_for(1, 30)
    broker.stop()
    bridge.wait_log("is lost")
    cluster.say("produce", topic, 1, 600)
    broker.start()
    listener = broker.client()
    listener.subscribe("plants/#", qos=1)
    wait_until(lambda: any(message.json["n"] == 600 for message in listener.messages), 30, lambda: bridge.log()[-1000:])
    wait_until(lambda: cluster.committed("sluice-far", topic) == 601, 10, "the offsets to be committed")
