# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The way of a publish: which rules it matches, and what is delivered where."""
import json

import pytest

from harness import publish_properties

HOT = {"temperature": [{"numeric": [">", 30]}]}
ANY = {"$mqtt": {"topic": [{"exists": True}]}}


def listener(broker, *filters, version=5, qos=2, **options):
    """A client that has subscribed."""
    client = broker.client(version=version, **options)
    client.subscribe(*(filters or ("consumers/#",)), qos=qos)
    return client


def delivered(broker, topic, payload="{}", filters=("consumers/#",), version=5, **options):
    """What comes to the consumers when this is published."""
    consumer = listener(broker, *filters)
    broker.client(version=version).publish(topic, payload, **options)
    return consumer.take()


def test_an_event_that_matches_is_delivered_and_another_is_not(broker, version):
    broker.put_rule("hot", HOT, {"id": "t", "consumer": "maintenance"})
    consumer = listener(broker, version=version)
    producer = broker.client(version=version)
    producer.publish("plants/boiler", {"temperature": 31.5})
    producer.publish("plants/boiler", {"temperature": 29.5})
    (message,) = consumer.take()
    assert message.topic == "consumers/maintenance/plants/boiler"
    assert message.json == {"temperature": 31.5}


def test_the_original_goes_on_to_its_plain_subscribers(broker):
    broker.put_rule("hot", HOT, "consumers/a/{topic}")
    messages = delivered(broker, "plants/boiler", {"temperature": 31.5}, filters=["#"])
    assert sorted(message.topic for message in messages) == ["consumers/a/plants/boiler", "plants/boiler"]


def test_a_consumer_topic_is_not_taken_in_again(broker):
    broker.put_rule("all", ANY, "consumers/a/{topic}")
    assert delivered(broker, "consumers/a/x") != []
    broker.client().publish("queues/a/in", "{}")
    assert broker.status()["events"] == 0


@pytest.mark.parametrize("template, topic", [
    ("consumers/{consumer}/{topic}", "consumers/c/a/b"),
    ("r/{rule}/{bus}/{target}", "r/rule-1/default/t"),
    ("r/{client_id}/{username}", "r/producer/ann"),
    ("r/{topic[1]}/{topic[0]}", "r/b/a"),
    ("r/{$.site}/{$.n}/{$.flag}", "r/berlin/21.50/true"),
    ("r/{$.deep.er}", "r/x y"),
    ("r/{{}}", "r/{}"),
    ("r/{$mqtt.qos}", "r/1"),
    ("r/{$mqtt.user_properties.tenant}", "r/acme"),
])
def test_a_topic_is_made_from_the_event(start_broker, template, topic):
    broker = start_broker(users={"ann": "secret"})
    broker.put_rule("rule-1", ANY, {"id": "t", "consumer": "c", "topic": template})
    consumer = listener(broker, "r/#", "consumers/#", username="ann", password="secret")
    producer = broker.client("producer", version=5, username="ann", password="secret")
    producer.publish("a/b", '{"site":"berlin","n":21.50,"flag":true,"deep":{"er":"x y"}}',
                     properties=publish_properties(user=[("tenant", "acme")]))
    assert [message.topic for message in consumer.take()] == [topic]


@pytest.mark.parametrize("value", ['"a/b"', '"+"', '"#"', '""', '"\\u0000"', '"\\n"', "null", "[]", '"\\ud800"'])
def test_a_value_that_no_level_may_hold_is_not_published(broker, value):
    broker.put_rule("r", ANY, "consumers/{$.site}/x")
    assert delivered(broker, "a", f'{{"site":{value}}}', filters=["#"]) != []
    status = broker.status()
    assert (status["delivered"], status["failed"]) == (0, 1)
    broker.wait_log("rule r, target target-0: an event on a is not delivered")


def test_a_failing_target_does_not_keep_the_others(broker):
    broker.put_rule("r", ANY, ["consumers/{$.site}", "consumers/other"])
    assert [message.topic for message in delivered(broker, "a", "{}")] == ["consumers/other"]


def test_a_topic_may_not_become_too_long_or_begin_with_a_dollar(broker):
    broker.put_rule("r", ANY, "{topic}/{$.long}/x")
    broker.put_bus("dollar", ["$a/#"])
    broker.put_rule("dollar", ANY, "{topic}/x", bus="dollar")
    assert delivered(broker, "$a/b", filters=["$a/b/x"]) == []
    assert delivered(broker, "a", json.dumps({"long": "b" * 65535}), filters=["a/+/#"]) == []
    assert broker.status()["failed"] == 2


@pytest.mark.parametrize("wanted", [0, 1, 2, "inherit"])
@pytest.mark.parametrize("sent", [0, 1, 2])
def test_the_target_says_the_quality_of_service(broker, wanted, sent):
    broker.put_rule("r", ANY, {"id": "t", "topic": "consumers/a", "qos": wanted})
    (message,) = delivered(broker, "a", qos=sent)
    assert message.qos == (sent if wanted == "inherit" else wanted)


@pytest.mark.parametrize("wanted, sent, kept", [(False, True, 0), (True, False, 1), ("inherit", True, 1),
                                                ("inherit", False, 0)])
def test_the_target_says_what_is_retained(broker, wanted, sent, kept):
    broker.put_rule("r", ANY, {"id": "t", "topic": "consumers/a", "retain": wanted})
    broker.client().publish("a", "{}", retain=sent)
    assert [message.retain for message in listener(broker).take()] == [True] * kept


def test_an_empty_retained_delivery_clears_the_topic(broker):
    broker.put_rule("r", ANY, {"id": "t", "topic": "consumers/a", "retain": True})
    producer = broker.client()
    producer.publish("a", "{}")
    producer.publish("a", "")
    assert listener(broker).take() == []


def test_properties_are_carried_over(broker):
    broker.put_rule("r", ANY, "consumers/a")
    properties = publish_properties(user=[("k", "v"), ("k", "w")], content_type="text/x", response_topic="answer/here",
                                    correlation_data=b"\x00\xff", payload_format=1)
    (message,) = delivered(broker, "a", "{}", properties=properties)
    assert message.user_properties == [("k", "v"), ("k", "w")]
    assert (message.content_type, message.response_topic) == ("text/x", "answer/here")
    assert (message.correlation_data, message.payload_format) == (b"\x00\xff", 1)


def test_empty_properties_do_no_harm(broker):
    empty = [("", ""), ("k", ""), ("", "v")]
    looks = {"$mqtt": {"user_properties": {"k": [""]}, "content_type": [{"exists": True}],
                       "correlation_data": [{"exists": True}], "response_topic": [{"exists": False}]}}
    broker.put_rule("plain", ANY, ["consumers/a", {"id": "t", "topic": "consumers/b", "input": {}},
                                   {"id": "p", "topic": "consumers/c", "properties": ["sluice-rule"]}])
    broker.put_rule("looks", looks, "consumers/d")
    messages = delivered(broker, "a", "{}", properties=publish_properties(user=empty, content_type="",
                                                                          correlation_data=b""))
    got = {message.topic: message.user_properties for message in messages}
    assert got["consumers/a"] == got["consumers/b"] == empty
    assert got["consumers/c"] == [*empty, ("sluice-rule", "plain")]
    broker.status()


def test_a_target_asks_for_properties_that_no_producer_can_forge(broker):
    broker.put_rule("r", ANY, {"id": "t", "topic": "consumers/a",
                               "properties": ["sluice-rule", "sluice-topic", "sluice-id", "sluice-time"]})
    consumer = listener(broker)
    producer = broker.client(version=5)
    for _ in range(2):
        producer.publish("a/b", "{}", properties=publish_properties(user=[("sluice-rule", "forged"), ("k", "v")]))
    first, second = (message.user_properties for message in consumer.take())
    assert [name for name, _ in first] == ["k", "sluice-rule", "sluice-topic", "sluice-id", "sluice-time"]
    values = dict(first)
    assert (values["sluice-rule"], values["sluice-topic"]) == ("r", "a/b")
    assert len(values["sluice-id"]) == 32 and values["sluice-id"] != dict(second)["sluice-id"]
    assert values["sluice-time"].endswith("Z") and "T" in values["sluice-time"]


def test_a_delivery_has_the_expiry_of_its_target(broker):
    broker.put_rule("r", ANY, {"id": "t", "topic": "consumers/a", "expiry_s": 100})
    (message,) = delivered(broker, "a")
    assert 90 <= message.expiry <= 100


@pytest.mark.parametrize("member, payload", [
    ({"input_path": "$.a"}, '{"b":[1]}'),
    ({"input": {"fixed": 1.50}}, '{"fixed":1.5}'),
    ({"input_transformer": {"paths": {"x": "$.a.b"}, "template": '{"got": <x>, "text": "is <x>"}'}},
     '{"got":[1],"text":"is [1]"}'),
])
def test_a_payload_is_made_from_the_event(broker, member, payload):
    broker.put_rule("r", ANY, {"id": "t", "topic": "consumers/a", "content_type": "application/json", **member})
    (message,) = delivered(broker, "a", '{"a":{"b":[1]}}', properties=publish_properties(content_type="text/x"))
    assert message.json == json.loads(payload)
    assert message.content_type == "application/json"


def test_a_transformed_payload_loses_the_producers_content_type(broker):
    broker.put_rule("r", ANY, {"id": "t", "topic": "consumers/a", "input": "x"})
    (message,) = delivered(broker, "a", "{}", properties=publish_properties(content_type="text/x", user=[("k", "v")]))
    assert message.content_type is None and message.user_properties == [("k", "v")]


def test_two_rules_on_one_topic_deliver_twice_unless_a_target_says_once(broker):
    for name in "ab":
        broker.put_rule(name, ANY, {"id": "t", "topic": "consumers/twice"})
    broker.put_rule("c", ANY, [{"id": "1", "topic": "consumers/once"}, {"id": "2", "topic": "consumers/once", "once": True}])
    broker.put_rule("d", ANY, {"id": "t", "topic": "consumers/once", "once": True})
    topics = [message.topic for message in delivered(broker, "a")]
    assert (topics.count("consumers/twice"), topics.count("consumers/once")) == (2, 1)


def test_a_disabled_rule_delivers_nothing_and_a_shadow_only_counts(broker):
    broker.put_rule("off", ANY, "consumers/off", state="DISABLED")
    broker.put_rule("shadow", ANY, "consumers/shadow", state="SHADOW")
    assert delivered(broker, "a/b") == []
    off, shadow = (answer["data"] for answer in broker.command({"command": "getRule", "name": "off"},
                                                               {"command": "getRule", "name": "shadow"}))
    assert off["counters"]["matched"] == 0 and "samples" not in off
    assert (shadow["counters"]["matched"], shadow["counters"]["delivered"]) == (1, 0)
    assert [sample["topic"] for sample in shadow["samples"]] == ["a/b"]


# --- buses ---

def test_a_bus_takes_what_its_filters_say(broker):
    broker.put_bus("plants", ["plants/+/boiler", "other/#"], exclude=["other/not/#"])
    broker.put_rule("r", ANY, "consumers/{topic}", bus="plants")
    producer = broker.client()
    consumer = listener(broker)
    for topic in ("plants/a/boiler", "plants/a/pump", "other", "other/not", "other/not/x", "other/yes"):
        producer.publish(topic, "{}")
    assert [message.topic for message in consumer.take()] == [
        "consumers/plants/a/boiler", "consumers/other", "consumers/other/yes"]


def test_an_original_can_be_kept_from_its_subscribers(broker, version):
    broker.put_bus("secret", ["secret/#"], deliver_original=False)
    broker.put_rule("r", ANY, "consumers/{topic}", bus="secret")
    everything = listener(broker, "#", "$SYS/nothing", "secret/#")
    producer = broker.client(version=version)
    for qos in (0, 1, 2):
        producer.publish("secret/a", f"{{\"qos\":{qos}}}", qos=qos, retain=True)
    producer.publish("plain", "{}")
    assert [message.topic for message in everything.take()] == ["consumers/secret/a"] * 3 + ["plain"]
    assert listener(broker, "secret/#").take() == []


@pytest.mark.parametrize("topic", ["a", "ab", "a/b/c"])
def test_nobody_can_subscribe_to_an_original_that_is_kept(broker, version, topic):
    broker.put_bus("secret", [topic], deliver_original=False)
    ears = listener(broker, "#", "+", "+/#", "$", "$/#", "$/+", topic)
    broker.client(version=version).publish(topic, "{}", qos=2)
    assert ears.take() == []
    curious = broker.client()
    curious.paho.subscribe("$\x01")
    assert curious.disconnected.wait(10)
    assert broker.status()["events"] == 1


def test_a_rule_hands_events_to_another_bus(broker):
    broker.put_bus("second", [])
    broker.put_rule("first", HOT, {"id": "t", "bus": "second", "input_path": "$.detail"})
    broker.put_rule("second", {"kind": ["x"]}, "consumers/{bus}/{topic}", bus="second")
    (message,) = delivered(broker, "a", {"temperature": 31, "detail": {"kind": "x"}})
    assert (message.topic, message.json) == ("consumers/second/a", {"kind": "x"})
    assert delivered(broker, "a", {"temperature": 29, "detail": {"kind": "x"}}) == []


def test_buses_that_feed_each_other_see_an_event_once_each(broker):
    names = [f"bus-{number}" for number in range(20)]
    for name in names:
        broker.put_bus(name, ["start"] if name == "bus-0" else [])
    for name in names:
        broker.put_rule(f"on-{name}", ANY, [{"id": other, "bus": other} for other in names if other != name]
                        + [{"id": "out", "topic": f"consumers/{name}"}], bus=name)
    topics = [message.topic for message in delivered(broker, "start")]
    assert sorted(topics) == sorted(f"consumers/{name}" for name in names)


def test_an_event_past_the_limit_of_bus_visits_is_delivered_nowhere(start_broker):
    broker = start_broker(options={"max_bus_visits": 3})
    for number in range(4):
        broker.put_bus(f"bus-{number}", ["start"] if number == 0 else [])
    for number in range(4):
        broker.put_rule(f"r{number}", ANY, [{"id": "next", "bus": f"bus-{(number + 1) % 4}"},
                                            {"id": "out", "topic": "consumers/a"}], bus=f"bus-{number}")
    assert delivered(broker, "start") == []
    assert broker.status()["over_limit"] == 1
    broker.wait_log("an event on start is not delivered to anybody")


def test_a_target_bus_that_is_gone_fails_and_is_counted(broker):
    broker.put_bus("second", [])
    broker.put_rule("r", ANY, [{"id": "t", "bus": "second"}, {"id": "u", "topic": "consumers/a"}])
    (answer,) = broker.command({"command": "deleteBus", "name": "second"})
    if "error" in answer:
        pytest.skip("the store keeps a bus that is a target")
    assert len(delivered(broker, "a")) == 1
    assert broker.status()["failed"] == 1


# --- limits ---

def many_rules(broker, count, **members):
    rules = [{"name": f"r{number}", "pattern": ANY, "targets": [{"id": "t", "topic": f"consumers/{number}", **members}]}
             for number in range(count)]
    with broker.client() as client:
        (begun,) = client.command({"command": "importBegin"})
        identifier = begun["data"]["import"]
        for start in range(0, count, 1000):
            (part,) = client.command({"command": "importPart", "import": identifier, "rules": rules[start:start + 1000]})
            assert "error" not in part, part
        (done,) = client.command({"command": "importCommit", "import": identifier}, timeout=60)
        assert done["data"]["rules"] == count, done


def test_a_large_event_that_ten_thousand_rules_look_into_does_not_hold_the_broker(broker):
    many_rules(broker, 10000, input_path="$.last")
    payload = json.dumps({"padding": "x" * 1048576, "last": 1})
    assert delivered(broker, "a", payload) == []
    status = broker.status()
    assert status["over_limit"] == 1
    assert status["callback_us"]["max"] < 2_000_000
    consumer = listener(broker, "consumers/5")
    broker.client().publish("a", '{"last": 1}', timeout=30)
    assert [message.text for message in consumer.take()] == ["1"]


def test_a_large_event_that_ten_thousand_rules_match_is_delivered_nowhere(broker):
    many_rules(broker, 10000)
    assert delivered(broker, "a", b"x" * 1048576) == []
    assert broker.status()["over_limit"] == 1
    consumer = listener(broker, "consumers/5", "consumers/9999")
    broker.client().publish("a", "{}", timeout=30)
    assert len(consumer.take()) == 2
    assert broker.status()["delivered"] == 10000


def test_an_event_past_the_limit_of_deliveries_is_delivered_nowhere(start_broker):
    broker = start_broker(options={"max_deliveries": 2})
    broker.put_rule("two", {"n": [2, 3]}, ["consumers/a", "consumers/b"])
    broker.put_rule("three", {"n": [3]}, "consumers/c")
    assert len(delivered(broker, "a", '{"n":2}')) == 2
    assert delivered(broker, "a", '{"n":3}') == []


# --- payloads ---

@pytest.mark.parametrize("payload", [b"", b"\x00\xff\xfe", b"{", b'{"a":"\xff"}', b"[1,2]", b"21.5", b'"on"',
                                     b"[" * 10000 + b"]" * 10000, b"\xef\xbb\xbf{}"],
                         ids=["empty", "binary", "cut", "no-utf8", "array", "number", "string", "deep", "bom"])
def test_any_payload_is_carried_unchanged(broker, version, payload):
    broker.put_rule("r", ANY, "consumers/a")
    broker.put_rule("no-field", {"a": [{"exists": False}]}, "consumers/never")
    (message,) = delivered(broker, "a", payload, version=version)
    assert message.payload == payload
    assert broker.client(version=version).publish("a", "{}").rc == 0


def test_a_megabyte_is_matched_and_carried(broker):
    broker.put_rule("r", {"last": [1]}, "consumers/a")
    payload = json.dumps({"data": "x" * 1048576, "last": 1}).encode()
    (message,) = delivered(broker, "a", payload)
    assert message.payload == payload


def test_events_that_are_no_json_are_counted(broker):
    broker.put_rule("r", HOT, "consumers/a")
    delivered(broker, "a", "{")
    delivered(broker, "a", "{}")
    status = broker.status()
    assert (status["events"], status["matched"], status["malformed"]) == (2, 0, 1)


def test_properties_are_matched(broker):
    broker.put_rule("r", {"$mqtt": {"user_properties": {"tenant": ["acme"]}, "content_type": ["text/x"],
                                    "response_topic": ["r"], "correlation_data": ["AP8="], "payload_format": [1]}},
                    "consumers/a")
    wanted = dict(user=[("tenant", "other"), ("tenant", "acme")], content_type="text/x", response_topic="r",
                  correlation_data=b"\x00\xff", payload_format=1)
    assert len(delivered(broker, "a", properties=publish_properties(**wanted))) == 1
    wanted["user"] = [("tenant", "other")]
    assert delivered(broker, "a", properties=publish_properties(**wanted)) == []
    assert delivered(broker, "a") == []
