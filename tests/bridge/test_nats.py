# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The target and the source nats, with Debian's nats-server and its JetStream."""
import base64
import itertools
import json
import pathlib
import shutil
import tempfile

import pytest

from harness import publish_properties, wait_until
from nats_client import Server

QUICK = {"backoff_ms": 50, "backoff_max_ms": 200, "breaker_failures": 0}
names = itertools.count()


@pytest.fixture(scope="module")
def server_directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix="sluice-nats-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def server(server_directory):
    server = Server(server_directory).start()
    yield server
    server.stop()


@pytest.fixture
def nats(server):
    client = server.client()
    yield client
    client.close()


@pytest.fixture
def stream(nats):
    """A stream of its own, NAME, with the subjects NAME.>"""
    name = f"S{next(names)}"
    nats.add_stream(name, f"{name}.>")
    return name


def headers_of(message):
    text = base64.b64decode(message["hdrs"]).decode()
    return [tuple(part.strip() for part in line.split(":", 1)) for line in text.split("\r\n") if ":" in line]


def stored(nats, stream):
    return [json.loads(base64.b64decode(nats.stream_message(stream, n)["data"]))["n"]
            for n in range(1, nats.stream_count(stream) + 1)]


def publish_all(broker, first, count, topic, **more):
    client = broker.client()
    for n in range(first, first + count):
        client.publish(topic, json.dumps({"n": n, **more}))
    client.close()


# --- the target ---

def test_an_event_is_in_the_stream_with_its_headers(bridge, broker, server, nats, stream):
    bridge.route("far", "nats", {"urls": [server.url], "stream": stream})
    broker.client(version=5).publish(f"{stream}/hall.1/a b", b'{"n": 1}', properties=publish_properties(
        user=[("tenant", "acme"), ("tenant", "two"), ("Nats-Rollup", "all"), ("a:b", "x")],
        content_type="application/json"))
    bridge.wait_drained("far")
    message = nats.stream_message(stream, 1)
    assert message["subject"] == f"{stream}.hall_1.a_b"
    assert base64.b64decode(message["data"]) == b'{"n": 1}'
    headers = headers_of(message)
    assert sorted(header for header in headers if not header[0].startswith("Nats-")) == [
        ("Content-Type", "application/json"), ("tenant", "acme"), ("tenant", "two")]
    assert {name for name, _ in headers if name.startswith("Nats-")} == {"Nats-Msg-Id", "Nats-Expected-Stream"}


def test_what_is_published_twice_is_in_the_stream_once(bridge, broker, server, nats, stream):
    # The first attempt arrives, and its acknowledgement does not: the time is over before.
    bridge.route("far", "nats", {"urls": [server.url], "subject": stream + ".{$.n}"}, delivery={**QUICK, "timeout_ms": 30000})
    publish_all(broker, 0, 20, "plants/1")
    bridge.wait_drained("far")
    identifier = dict(headers_of(nats.stream_message(stream, 1)))["Nats-Msg-Id"]
    answer = nats.request(f"{stream}.again", payload=b"1", headers=[("Nats-Msg-Id", identifier)])
    assert answer["duplicate"] and nats.stream_count(stream) == 20


def test_all_arrive_in_order_when_the_server_was_down_for_a_while(bridge, broker, server, stream):
    bridge.route("far", "nats", {"urls": [server.url], "subject": stream + ".x"}, queue={"group": "$.key"}, delivery=QUICK)
    publish_all(broker, 0, 10, "plants/1", key="a")
    bridge.wait_drained("far")
    server.stop()
    publish_all(broker, 10, 20, "plants/1", key="a")
    bridge.wait_log("attempt 2: 127.0.0.1:|attempt 2: nats:")
    server.start()
    assert bridge.wait_drained("far")["dead"] == 0
    client = server.client()
    assert stored(client, stream) == list(range(30))
    client.close()


def test_without_jetstream_it_is_published_all_the_same(bridge, broker, server, nats):
    nats.subscribe("plain.>")
    bridge.route("far", "nats", {"urls": [server.url], "jetstream": False, "sluice_properties": True})
    client = broker.client()
    for n in range(50):
        client.publish(f"plain/{n}", json.dumps({"n": n}))
    messages = nats.wait_for(50)
    assert sorted(message.json["n"] for message in messages) == list(range(50))
    assert dict(messages[0].headers)["sluice-rule"] == "far"
    bridge.wait_drained("far")


def test_what_no_stream_takes_is_tried_again_and_what_jetstream_refuses_is_not(bridge, broker, server, nats, stream):
    bridge.route("far", "nats", {"urls": [server.url], "subject": "nobody.{$.n}"}, pattern={"n": [1]}, delivery=QUICK)
    bridge.route("wrong", "nats", {"urls": [server.url], "subject": stream + ".x", "stream": "ANOTHER"}, pattern={"n": [2]})
    publish_all(broker, 1, 2, "plants/1")
    bridge.wait_log("attempt 2: .*no stream takes this subject")
    reason = dict(bridge.dead_letters("wrong")[0].user_properties)["sluice-error-reason"]
    assert reason == "JetStream 400: expected stream does not match"
    nats.add_stream("NOBODY" + stream, "nobody.>")
    bridge.wait_drained("far")


def test_credentials_are_used_and_a_wrong_one_is_told(bridge, broker, server_directory, certificates):
    directory = server_directory / "secured"
    directory.mkdir()
    secured = Server(directory, 'authorization { user: "bridge", password: "secret" }\ntls { '
                     f'cert_file: "{certificates["server_certificate"]}", key_file: "{certificates["server_key"]}" }}\n').start()
    try:
        bridge.put_connection("there", "basic", {"password": "wrong"}, username="bridge",
                              ca_file=str(certificates["ca_certificate"]))
        bridge.route("far", "nats", {"urls": [f"tls://localhost:{secured.port}"], "jetstream": False}, connection="there",
                     delivery=QUICK)
        publish_all(broker, 0, 1, "plants/1")
        bridge.wait_log(f"localhost:{secured.port}: .*[Aa]uth")
        bridge.put_connection("there", "basic", {"password": "secret"}, username="bridge",
                              ca_file=str(certificates["ca_certificate"]))
        bridge.wait_drained("far")
        assert "secret" not in bridge.log()
    finally:
        secured.stop()


# --- the source ---

def test_what_is_in_the_stream_arrives_and_is_acknowledged(bridge, broker, server, nats, stream):
    listener = broker.client(version=5)
    listener.subscribe("far/#", qos=1)
    nats.publish(f"{stream}.a.b", b'{"n": 1}', [("tenant", "acme"), ("Content-Type", "application/json"), ("x", "\x01")])
    bridge.put_source("far", "nats", {"urls": [server.url], "subject": f"{stream}.>"}, topic="far/{topic}")
    (message,) = listener.wait_for(1)
    assert (message.topic, message.payload, message.content_type) == (f"far/{stream}/a/b", b'{"n": 1}', "application/json")
    assert message.user_properties == [("tenant", "acme"), ("bridge-via", f"sluice-far@{server.url}")]
    for n in range(2, 700):
        nats.publish(f"{stream}.c", json.dumps({"n": n}).encode())
    assert [message.json["n"] for message in listener.wait_for(699, 20)] == list(range(1, 700))

    def settled():
        consumer = nats.consumer(stream, "sluice-far")
        return consumer["num_ack_pending"] == consumer["num_pending"] == consumer["num_redelivered"] == 0

    wait_until(settled, 10, lambda: f"{nats.consumer(stream, 'sluice-far')}")


def test_none_is_lost_when_the_bridge_is_killed(start_broker, start_bridge, server, nats, stream):
    broker = start_broker(config="max_queued_messages 0")
    bridge = start_bridge(broker)
    # What was given out to a bridge that is dead is given out again soon.
    nats.request(f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.quick", {"stream_name": stream, "config": {
        "durable_name": "quick", "ack_policy": "explicit", "ack_wait": 1000000000, "filter_subject": f"{stream}.>",
        "max_ack_pending": 1000}})
    listener = broker.client()
    listener.subscribe(f"{stream}/#", qos=1)
    bridge.put_source("far", "nats", {"urls": [server.url], "subject": f"{stream}.>", "durable": "quick"}, topic="{topic}")
    count = 4000
    for n in range(count):
        nats.publish(f"{stream}.c", json.dumps({"n": n}).encode())
    for _ in range(3):
        before = len(listener.messages)
        wait_until(lambda: len(listener.messages) > before, 20, "events to flow")
        bridge.kill()
        bridge.start()
    wait_until(lambda: len({message.json["n"] for message in listener.messages}) == count, 30,
               lambda: f"{len(listener.messages)}\n{bridge.log()[-2000:]}")


def test_a_source_waits_for_its_stream_and_its_server(bridge, broker, server, nats):
    listener = broker.client(version=5)
    listener.subscribe("late/#", qos=1)
    bridge.put_source("far", "nats", {"urls": [server.url], "subject": "late.>"}, topic="{topic}")
    bridge.wait_log("no stream has the subject late.>")
    nats.add_stream("LATE", "late.>")
    nats.publish("late.1", b"1")
    listener.wait_for(1)
    server.stop()
    bridge.wait_log("the connection was lost")
    server.start()
    client = server.client()
    client.publish("late.2", b"2")
    assert [message.topic for message in listener.wait_for(2, 20)] == ["late/1", "late/2"]
    client.close()


def test_events_wait_in_the_stream_while_our_own_broker_is_away(bridge, broker, server, nats, stream):
    bridge.put_source("far", "nats", {"urls": [server.url], "subject": f"{stream}.>"}, topic="{topic}")
    wait_until(lambda: "error" not in nats.consumer(stream, "sluice-far"), 10, "the consumer")
    broker.stop()
    bridge.wait_log("is lost")
    for n in range(600):
        nats.publish(f"{stream}.c", json.dumps({"n": n}).encode())
    broker.start()
    listener = broker.client()
    listener.subscribe(f"{stream}/#", qos=1)
    wait_until(lambda: any(message.json["n"] == 599 for message in listener.messages), 20, lambda: bridge.log()[-1000:])
