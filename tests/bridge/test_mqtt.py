# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The target and the source mqtt, with a second mosquitto outside."""
import json
import threading

import pytest

from harness import publish_properties, wait_until

QUICK = {"backoff_ms": 50, "backoff_max_ms": 200, "breaker_failures": 0}


@pytest.fixture
def outside(start_broker):
    """Another broker, without the plugin, which keeps sessions over a restart."""
    return start_broker(plugin=None, persistence=True, config="max_queued_messages 0")


def settings(broker, **more):
    return {"host": "127.0.0.1", "port": broker.port, **more}


def numbers(client):
    return [message.json["n"] for message in client.messages]


def publish_all(broker, count, topic="plants/1", first=0, **more):
    client = broker.client()
    for n in range(first, first + count):
        client.publish(topic, json.dumps({"n": n, **more}))
    client.close()


# --- the target ---

def test_an_event_arrives_with_its_properties(bridge, broker, outside):
    bridge.route("far", "mqtt", settings(outside, topic="from/{rule}/{topic}", retain=True))
    listener = outside.client(version=5)
    listener.subscribe("#", qos=2)
    properties = publish_properties(user=[("tenant", "acme"), ("tenant", "two")], content_type="application/json",
                                    response_topic="answers/1", correlation_data=b"\0\1", payload_format=1)
    broker.client(version=5).publish("plants/1", b'{"n": 1}', properties=properties)
    (message,) = listener.wait_for(1)
    assert (message.topic, message.payload, message.qos) == ("from/far/plants/1", b'{"n": 1}', 1)
    assert message.user_properties == [("tenant", "acme"), ("tenant", "two")]
    assert (message.content_type, message.response_topic) == ("application/json", "answers/1")
    assert (message.correlation_data, message.payload_format) == (b"\0\1", 1)
    bridge.wait_drained("far")
    later = outside.client(version=5)
    later.subscribe("from/#")
    assert later.wait_for(1)[0].retain


def test_a_target_says_what_the_queue_added_when_it_is_asked_to(bridge, broker, outside):
    bridge.route("far", "mqtt", settings(outside, qos=2, sluice_properties=True))
    listener = outside.client(version=5)
    listener.subscribe("plants/#", qos=2)
    broker.client().publish("plants/1", b'{"n": 1}')
    (message,) = listener.wait_for(1)
    told = dict(message.user_properties)
    assert (message.qos, told["sluice-rule"], told["sluice-topic"]) == (2, "far", "plants/1")
    bridge.wait_drained("far")


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mqtt_3_is_spoken_where_it_is_asked_for(bridge, broker, outside, qos):
    bridge.route("far", "mqtt", settings(outside, protocol="311", qos=qos))
    listener = outside.client()
    listener.subscribe("plants/#", qos=2)
    broker.client().publish("plants/1", b'{"n": 1}')
    (message,) = listener.wait_for(1)
    assert (message.payload, message.qos) == (b'{"n": 1}', qos)
    assert bridge.wait_drained("far")["acknowledged"] == 1


def test_all_arrive_in_order_when_the_broker_was_down_for_a_while(bridge, broker, outside):
    listener = outside.client("listener", clean=False)
    listener.subscribe("plants/#", qos=1)
    listener.close()
    bridge.route("far", "mqtt", settings(outside), delivery={**QUICK, "concurrency": 50},
                 queue={"group": "$.key"})
    publish_all(broker, 20, key="a")
    bridge.wait_drained("far")
    outside.stop()
    publish_all(broker, 30, first=20, key="a")
    bridge.wait_log(f"attempt \\d+: .*127.0.0.1:{outside.port}: Connection refused")
    outside.start()
    assert bridge.wait_drained("far")["dead"] == 0
    listener = outside.client("listener", clean=False)
    listener.wait_for(50)
    # Of those that were under way when the broker went, one may have come twice; never out of turn.
    got = numbers(listener)
    assert sorted(set(got)) == list(range(50)) and got == sorted(got)


def test_what_may_not_be_published_is_a_dead_letter_at_once(bridge, broker, start_broker):
    outside = start_broker(plugin=None, users={"bridge": "secret"}, acl="user bridge\ntopic write open/#\n")
    bridge.put_connection("there", "basic", {"password": "secret"}, username="bridge")
    bridge.route("far", "mqtt", settings(outside, topic="{$.to}/{topic}"), connection="there")
    client = broker.client()
    client.publish("plants/1", b'{"n": 1, "to": "open"}')
    client.publish("plants/1", b'{"n": 2, "to": "closed"}')
    client.publish("plants/1", b'{"n": 3, "to": "a/b"}')
    reasons = {message.json["n"]: dict(message.user_properties)["sluice-error-reason"]
               for message in bridge.dead_letters("far", 2)}
    assert reasons[2] == f"127.0.0.1:{outside.port}: Not authorized"
    assert "to" in reasons[3]
    assert bridge.numbers("far")["acknowledged"] == 1
    assert "secret" not in bridge.log()


def test_a_wrong_password_is_told_and_one_that_is_put_right_is_used(bridge, broker, start_broker):
    outside = start_broker(plugin=None, users={"bridge": "secret"})
    bridge.put_connection("there", "basic", {"password": "wrong"}, username="bridge")
    bridge.route("far", "mqtt", settings(outside), connection="there", delivery=QUICK)
    broker.client().publish("plants/1", b'{"n": 1}')
    bridge.wait_log(f"127.0.0.1:{outside.port}: Not authorized")
    bridge.put_connection("there", "basic", {"password": "secret"}, username="bridge")
    assert bridge.wait_drained("far")["dead"] == 0


def test_tls_is_verified(bridge, broker, start_broker, certificates):
    outside = start_broker(plugin=None, listener=f"cafile {certificates['ca_certificate']}\n"
                           f"certfile {certificates['server_certificate']}\nkeyfile {certificates['server_key']}\n"
                           "require_certificate true\n")
    bridge.put_connection("there", "tls", ca_file=str(certificates["ca_certificate"]),
                          cert_file=str(certificates["client_certificate"]), key_file=str(certificates["client_key"]))
    bridge.route("near", "mqtt", settings(outside, host="localhost", tls=True), connection="there", delivery=QUICK)
    broker.client().publish("plants/1", b'{"n": 1}')
    bridge.wait_drained("near")
    # The authority is not one of the system's.
    bridge.route("far", "mqtt", settings(outside, tls=True), delivery=QUICK)
    broker.client().publish("plants/1", b'{"n": 2}')
    bridge.wait_log(f"attempt 1: 127.0.0.1:{outside.port}: TLS failed")


# --- the source ---

def test_a_message_from_outside_arrives_with_its_properties(bridge, broker, outside):
    listener = broker.client(version=5)
    listener.subscribe("far/#", qos=1)
    bridge.put_source("far", "mqtt", settings(outside, filters=["plants/+", "halls/#"]), topic="far/{topic}")
    wait_until(lambda: "sluice-far" in outside.log() and "SUBSCRIBE" in outside.log(), 10, "the source to subscribe")
    client = outside.client(version=5)
    client.publish("plants/1", b'{"n": 1}', properties=publish_properties(
        user=[("tenant", "acme")], content_type="text/x", response_topic="answers", correlation_data=b"7"))
    client.publish("elsewhere/1", b'{"n": 2}')
    client.publish("halls/a/b", b"", qos=0)
    first, second = listener.wait_for(2)
    assert (first.topic, first.payload, first.content_type) == ("far/plants/1", b'{"n": 1}', "text/x")
    assert (first.response_topic, first.correlation_data) == ("answers", b"7")
    assert first.user_properties == [("tenant", "acme"), ("bridge-via", f"sluice-far@127.0.0.1:{outside.port}")]
    assert (second.topic, second.payload) == ("far/halls/a/b", b"")


def test_what_comes_round_is_let_go(bridge, broker, outside):
    bridge.route("out", "mqtt", settings(outside), pattern={"$mqtt": {"topic": [{"mqtt-topic": "plants/#"}]}})
    bridge.put_source("in", "mqtt", settings(outside, filters=["plants/#"]), topic="{topic}")
    listener = broker.client(version=5)
    listener.subscribe("plants/#", qos=1)
    wait_until(lambda: "sluice-in" in outside.log() and "SUBSCRIBE" in outside.log(), 10, "the source to subscribe")
    # Once on its way from here, and once when it has gone round.
    broker.client().publish("plants/1", b'{"n": 1}')
    bridge.wait_log("comes round")
    bridge.wait_drained("out")
    listener.barrier()
    assert len(listener.messages) == 2


def test_none_is_lost_when_the_bridge_is_killed(start_broker, start_bridge, outside):
    broker = start_broker(config="max_queued_messages 0")
    bridge = start_bridge(broker)
    listener = broker.client()
    listener.subscribe("plants/#", qos=1)
    bridge.put_source("far", "mqtt", settings(outside, filters=["plants/#"]), topic="{topic}")
    wait_until(lambda: "sluice-far" in outside.log() and "SUBSCRIBE" in outside.log(), 10, "the source to subscribe")
    count = 3000

    def produce():
        client = outside.client(inflight=1000)
        for n in range(count):
            client.publish("plants/1", json.dumps({"n": n}), wait=n == count - 1)

    producer = threading.Thread(target=produce)
    producer.start()
    for _ in range(4):
        before = len(listener.messages)
        wait_until(lambda: len(listener.messages) > before, 20, "events to flow")
        bridge.kill()
        bridge.start()
    producer.join()
    wait_until(lambda: len(set(numbers(listener))) == count, 30,
               lambda: f"{len(set(numbers(listener)))} of {count}\n{bridge.log()[-2000:]}")


def test_what_our_own_broker_refuses_comes_again(start_broker, start_bridge, outside):
    rules = "user admin\ntopic readwrite #\ntopic readwrite $CONTROL/#\n"
    broker = start_broker(users={"admin": "a", "bridge": "b"}, acl=rules)
    bridge = start_bridge(broker)
    bridge.put_source("far", "mqtt", settings(outside, filters=["plants/#"]), topic="here/{topic}")
    bridge.stop()
    bridge.arguments = ("-u", "bridge", "-P", "b")
    bridge.start()
    wait_until(lambda: "sluice-far" in outside.log() and "SUBSCRIBE" in outside.log(), 10, "the source to subscribe")
    outside.client().publish("plants/1", b"1")
    bridge.wait_log("source far: .*the broker refuses it: Not authorized")
    broker.write("acl", rules + "user bridge\ntopic readwrite #\n")
    broker.reload()
    listener = broker.client(version=5, username="admin", password="a")
    listener.subscribe("here/#", qos=1)
    assert listener.wait_for(1, 20)[0].topic == "here/plants/1"


def test_events_wait_outside_while_our_own_broker_is_away(start_bridge, broker, outside):
    bridge = start_bridge(broker)
    bridge.put_source("far", "mqtt", settings(outside, filters=["plants/#"]), topic="{topic}")
    wait_until(lambda: "sluice-far" in outside.log() and "SUBSCRIBE" in outside.log(), 10, "the source to subscribe")
    broker.stop()
    bridge.wait_log("is lost")
    publish_all(outside, 300)
    broker.start()
    listener = broker.client("listener")
    listener.subscribe("plants/#", qos=1)
    wait_until(lambda: 299 in numbers(listener), 20, lambda: f"{numbers(listener)[-3:]}\n{bridge.log()[-1000:]}")
