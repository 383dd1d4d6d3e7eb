# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What a broker with the plugin lives through: odd payloads, absent consumers, signals, restarts, strangers."""
import contextlib
import json
import os
import signal
import socket
import struct
import threading
import time

import pytest

import harness

EVERYTHING = {"$mqtt": {"topic": [{"mqtt-topic": "in/#"}]}}
INHERIT = {"id": "t", "topic": "consumers/c/{topic}", "qos": "inherit"}


def consumer_of(broker, *filters, qos=2, **options):
    consumer = broker.client(**options)
    consumer.subscribe(*(filters or ("consumers/#",)), qos=qos)
    return consumer


# --- absent consumers ---

@pytest.mark.parametrize("qos", [1, 2])
def test_an_offline_consumer_gets_all_later_in_order(broker, version, qos):
    broker.put_rule("all", EVERYTHING, INHERIT)
    session = {"version": version, "clean": False, "session_expiry": 3600 if version == 5 else None}
    consumer = broker.client("absent", **session)
    consumer.subscribe("consumers/c/#", qos=2)
    consumer.close()
    producer = broker.client(version=version)
    for number in range(200):
        producer.publish("in/x", {"n": number}, qos=qos, wait=number == 199)
    producer.barrier()
    consumer = broker.client("absent", **session)
    messages = consumer.wait_for(200)
    assert [message.json["n"] for message in messages] == list(range(200))
    assert {message.qos for message in messages} == {qos}
    assert consumer.take() == messages


def test_an_offline_consumer_gets_all_after_a_restart_of_a_broker_that_persists(start_broker):
    broker = start_broker(persistence=True)
    broker.put_rule("all", EVERYTHING, INHERIT)
    consumer = broker.client("absent", clean=False)
    consumer.subscribe("consumers/c/#", qos=1)
    consumer.close()
    producer = broker.client()
    for number in range(20):
        producer.publish("in/x", {"n": number})
    producer.barrier()
    broker.restart()
    messages = broker.client("absent", clean=False).wait_for(20)
    assert [message.json["n"] for message in messages] == list(range(20))


# --- retained ---

def test_what_is_retained_stays_the_originals_unless_the_target_inherits_it(broker, version):
    broker.put_rule("plain", EVERYTHING, {"id": "t", "topic": "consumers/plain/x", "qos": 1})
    broker.put_rule("heir", EVERYTHING, {"id": "t", "topic": "consumers/heir/x", "qos": 1, "retain": "inherit"})
    broker.put_rule("always", EVERYTHING, {"id": "t", "topic": "consumers/always/x", "qos": 1, "retain": True})
    producer = broker.client(version=version)
    producer.publish("in/x", "kept", retain=True)
    producer.barrier()
    late = consumer_of(broker, "#", version=version)
    kept = {message.topic: message for message in late.take()}
    assert set(kept) == {"in/x", "consumers/heir/x", "consumers/always/x"}
    assert all(message.retain and message.payload == b"kept" for message in kept.values())


def test_an_empty_retained_payload_clears_what_was_retained_on_the_consumers_topic(broker):
    broker.put_rule("heir", EVERYTHING, {"id": "t", "topic": "consumers/c/x", "qos": 1, "retain": "inherit"})
    producer = broker.client()
    producer.publish("in/x", "kept", retain=True)
    producer.publish("in/x", "", retain=True)
    producer.barrier()
    assert consumer_of(broker, "#").take() == []


# --- payloads ---

DEEP = 10000
PAYLOADS = {
    "empty": b"",
    "a megabyte of JSON": json.dumps({"pad": "x" * 1048576, "last": 1}).encode(),
    "a megabyte of bytes": os.urandom(1048576),
    "invalid UTF-8": b"{\"last\": 1, \"text\": \"\xff\xfe\"}",
    "half a character at the end": b"\xe2\x82",
    "invalid JSON": b"{\"last\": 1,,}",
    "cut JSON": b"{\"last\": 1, \"a\": [1, 2",
    "a byte order mark": b"\xef\xbb\xbf{\"last\": 1}",
    "junk behind": b"{\"last\": 1} x",
    "nested arrays": b"{\"last\": 1, \"a\": " + b"[" * DEEP + b"]" * DEEP + b"}",
    "nested objects": b"{\"last\": 1, \"a\": " + b"{\"a\":" * DEEP + b"1" + b"}" * DEEP + b"}",
    "open brackets": b"[" * DEEP,
    "binary": bytes(range(256)) * 4,
    "NULs": b"\x00" * 1000,
    "a NUL behind": b"{\"last\": 1}\x00",
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_any_payload_is_routed_by_its_topic_and_comes_as_it_was(broker, version, payload):
    broker.put_rule("all", EVERYTHING, INHERIT)
    broker.put_rule("last", {"last": [1]}, "consumers/fields/x")
    broker.put_rule("absent", {"nothing": [{"exists": False}]}, "consumers/fields/y")
    consumer = consumer_of(broker, version=version)
    producer = broker.client(version=version)
    producer.publish("in/x", payload)
    producer.publish("in/end", {"last": 2})
    messages = {message.topic: message.payload for message in consumer.take()}
    assert messages["consumers/c/in/x"] == payload
    assert messages["consumers/c/in/end"] == b"{\"last\": 2}"
    # {"last": 2} has no "nothing"; of the odd ones only the megabyte of JSON is an object with fields.
    odd_matches = payload is PAYLOADS["a megabyte of JSON"]
    assert ("consumers/fields/x" in messages) == odd_matches
    assert messages["consumers/fields/y"] == b"{\"last\": 2}"


def test_a_payload_of_another_kind_is_routed_by_its_value_or_text(broker):
    broker.put_rule("value", {"$mqtt": {"value": [{"numeric": [">", 21]}]}}, "consumers/value/x")
    broker.put_rule("text", {"$mqtt": {"payload": [{"prefix": "ERROR"}]}}, "consumers/text/x")
    consumer = consumer_of(broker)
    producer = broker.client()
    for payload in ("21.5", "20", "ERROR: no oil", "fine"):
        producer.publish("in/x", payload)
    assert [(message.topic, message.text) for message in consumer.take()] == [
        ("consumers/value/x", "21.5"), ("consumers/text/x", "ERROR: no oil")]


def test_mqtt3_and_mqtt5_clients_share_what_is_routed(broker):
    broker.put_rule("all", EVERYTHING, INHERIT)
    consumers = [consumer_of(broker, version=version) for version in (4, 5)]
    for version in (4, 5):
        for qos in (0, 1, 2):
            broker.client(version=version).publish(f"in/{version}", f"{qos}", qos=qos)
    for consumer in consumers:
        consumer.wait_for(6)
        assert sorted((message.topic, message.text, message.qos) for message in consumer.take()) == [
            (f"consumers/c/in/{version}", f"{qos}", qos) for version in (4, 5) for qos in (0, 1, 2)]


# --- signals, restarts ---

def test_rules_stay_in_force_over_sighup(broker):
    broker.put_rule("all", EVERYTHING, INHERIT)
    consumer = consumer_of(broker)
    producer = broker.client()
    for number in range(3):
        broker.reload()
        broker.wait_log("Reloading config")
        producer.publish("in/x", str(number))
    broker.put_rule("more", EVERYTHING, "consumers/more/x")
    producer.publish("in/x", "3")
    assert sorted(message.text for message in consumer.take()) == ["0", "1", "2", "3", "3"]


def put_many(broker):
    broker.put_bus("second", ["second/#"], description="another")
    for number in range(50):
        broker.put_rule(f"rule-{number:02}", {"n": [number]}, f"consumers/{number}/{{topic}}")
    broker.put_rule("on-second", {"n": [7]}, "consumers/second/x", bus="second")
    broker.put_rule("off", {"n": [7]}, "consumers/off/x", state="DISABLED")


def exported(broker):
    (rules,) = broker.command({"command": "listRules", "full": True, "limit": 1000})
    (buses,) = broker.command({"command": "listBuses"})
    return rules["data"], buses["data"]


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_all_rules_are_there_after_a_restart(broker, ending):
    put_many(broker)
    before = exported(broker)
    assert len(before[0]["rules"]) == 52
    getattr(broker, ending)()
    broker.start()
    assert exported(broker) == before
    consumer = consumer_of(broker)
    producer = broker.client()
    producer.publish("in/x", {"n": 7})
    producer.publish("second/x", {"n": 7})
    assert sorted(message.topic for message in consumer.take()) == [
        "consumers/7/in/x", "consumers/7/second/x", "consumers/second/x"]


def test_a_broker_killed_again_and_again_starts_again(broker):
    for number in range(5):
        broker.put_rule(f"rule-{number}", EVERYTHING, "consumers/x/x")
        broker.kill()
        broker.start()
    assert broker.status()["store"]["rules"] == 5


# --- strangers ---

def test_peers_that_never_say_connect_do_no_harm(broker):
    broker.put_rule("all", EVERYTHING, INHERIT)
    for data in (b"", b"\x10", b"GET / HTTP/1.1\r\n\r\n", os.urandom(64), b"\xe0\x00", b"\x30\x05\x00\x01aXX",
                 b"\x10\xff\xff\xff\x7f"):
        for abort in (False, True):
            with socket.create_connection(("127.0.0.1", broker.port)) as peer:
                peer.sendall(data)
                if abort:  # a reset in place of an orderly end
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    consumer = consumer_of(broker)
    broker.client().publish("in/x", "still here")
    assert [message.text for message in consumer.take()] == ["still here"]


def test_a_client_that_is_cut_off_does_no_harm(broker):
    broker.put_rule("all", EVERYTHING, INHERIT)
    consumer = consumer_of(broker)
    for _ in range(10):
        producer = broker.client()
        producer.publish("in/x", "x", qos=2, wait=False)
        producer.kill()
    broker.client().publish("in/x", "last")
    # Who was cut off last may be read after it.
    assert "last" in [message.text for message in consumer.take()]


# --- time ---

def test_a_command_is_answered_within_250_ms_on_an_idle_broker(broker):
    client = broker.client()
    client.command({"command": "listRules"})
    took = []
    for _ in range(10):
        time.sleep(0.3)
        began = time.monotonic()
        client.command({"command": "listRules"})
        took.append(time.monotonic() - began)
    # The median: this machine may be busy with other tests.
    assert sorted(took)[len(took) // 2] < 0.25 * harness.PATIENCE, took


def test_a_change_by_sqlite3_is_in_force_within_a_second_on_an_idle_broker(broker):
    consumer = consumer_of(broker)
    producer = broker.client()
    broker.sqlite("""BEGIN;
        INSERT INTO rules(name, bus, state, pattern) VALUES ('outside', 'default', 'ENABLED', '{"n":[1]}');
        INSERT INTO targets(rule, id, position, definition) VALUES
            ('outside', 't', 0, '{"id":"t","topic":"consumers/c/x"}');
        COMMIT;""")
    time.sleep(1.0 * harness.PATIENCE)
    producer.publish("in/x", {"n": 1})
    assert len(consumer.take()) == 1


# --- listeners of their own ---

@contextlib.contextmanager
def events_now_and_then(broker):
    """Mosquitto 2.0.11 never ticks under per_listener_settings: there, events move answers and changes on."""
    stop = threading.Event()
    client = broker.client()

    def publish():
        while not stop.wait(0.1):
            client.publish("now/and/then", "", qos=0)

    thread = threading.Thread(target=publish)
    thread.start()
    yield
    stop.set()
    thread.join()


def test_with_per_listener_settings_the_listeners_share_one_set_of_rules(start_broker):
    broker = start_broker(per_listener=True, listeners={"second": ""})
    with events_now_and_then(broker):
        broker.put_rule("all", EVERYTHING, INHERIT)
        consumer = consumer_of(broker)
        for listener in ("default", "second"):
            broker.client(listener=listener).publish("in/" + listener, "x")
        assert sorted(message.topic for message in consumer.take()) == ["consumers/c/in/default", "consumers/c/in/second"]
        with harness.Client(broker, listener="second").connect() as client:
            (answer,) = client.command({"command": "listRules"})
            assert [rule["name"] for rule in answer["data"]["rules"]] == ["all"]
    broker.restart()
    with events_now_and_then(broker):
        assert broker.status()["store"]["rules"] == 1


# --- valgrind ---

def exercise(broker):
    """Something of everything."""
    put_many(broker)
    broker.put_rule("all", EVERYTHING, [
        INHERIT, {"id": "b", "bus": "second"},
        {"id": "p", "topic": "consumers/p/{topic[1]}/{client_id}", "properties": ["sluice-rule", "sluice-topic", "sluice-id", "sluice-time"],
         "expiry_s": 60, "content_type": "application/json",
         "input_transformer": {"paths": {"n": "$.n"}, "template": "{\"n\": <n>}"}}])
    broker.put_bus("quiet", ["quiet/#"], deliver_original=False)
    broker.put_rule("quiet", {"n": [{"exists": True}]}, "consumers/quiet/x", bus="quiet")
    consumer = consumer_of(broker, "#", version=5)
    for version in (4, 5):
        producer = broker.client(version=version)
        properties = harness.publish_properties(user=[("tenant", "acme")], content_type="application/json",
                                                response_topic="r", correlation_data=b"c") if version == 5 else None
        for number in range(30):
            producer.publish("in/x", {"n": number}, qos=number % 3, properties=properties)
        producer.publish("second/x", {"n": 7})
        producer.publish("quiet/x", {"n": 7}, properties=properties)
        for payload in PAYLOADS.values():
            producer.publish("in/x", payload)
        producer.publish("consumers/c/forged", "x", qos=0)
    consumer.barrier()
    broker.command({"command": "listRules"}, {"command": "getRule", "name": "all"}, {"command": "getRule", "name": "none"},
                   {"command": "nonsense"}, {"command": "putRule", "rule": {"name": "bad", "pattern": {"a": []}}},
                   {"command": "listBuses"}, {"command": "getStatus"})
    broker.client().publish("$CONTROL/sluice/v1", "no JSON")
    broker.sqlite("UPDATE rules SET state = 'SHADOW' WHERE name = 'rule-01';"
                  "UPDATE rules SET pattern = '{\"a\":[]}' WHERE name = 'rule-02';"
                  "DELETE FROM rules WHERE name = 'rule-03';")
    time.sleep(1.5)
    broker.reload()
    broker.put_rule("all", EVERYTHING, INHERIT)
    broker.delete_rule("all")
    with socket.create_connection(("127.0.0.1", broker.port)) as peer:
        peer.sendall(b"nonsense")
    return consumer.take()


@pytest.mark.skipif(bool(harness.ROOT), reason="valgrind knows only this machine's broker")
def test_valgrind_finds_nothing_over_start_load_and_stop(start_broker, monkeypatch):
    for module in ("environment", "mqtt", "harness"):
        monkeypatch.setattr(f"{module}.PATIENCE", max(harness.PATIENCE, 10))
    broker = start_broker(valgrind=True, options={"sys_interval": 1})
    assert exercise(broker)
    broker.close()
    report = broker.valgrind_log.read_text()
    assert "ERROR SUMMARY: 0 errors" in report, report[-6000:]


def test_a_broker_stops_well_in_the_middle_of_work(broker):
    put_many(broker)
    producer = broker.client()
    for number in range(500):
        producer.publish("in/x", {"n": number % 50}, wait=False)
    broker.signal(signal.SIGTERM)
    assert broker.process.wait(10 * harness.PATIENCE) == 0
    broker.process = None
