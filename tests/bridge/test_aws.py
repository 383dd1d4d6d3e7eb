# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The target kind aws, against a server that makes each signature anew with AWS's own signer."""
import base64
import json

import pytest

from aws_server import ACCESS_KEY, SECRET_KEY, AwsServer
from harness import wait_until
from lane import lane, lanes, module_bridge, reason  # noqa: F401 (fixtures)

TOPIC_ARN = "arn:aws:sns:eu-central-1:123456789012:orders"
SETTINGS = {
    "lambda": {"function": "orders"},
    "sqs": {"queue_url": "https://sqs.eu-west-1.amazonaws.com/queues/orders"},
    "sns": {"topic_arn": TOPIC_ARN},
    "kinesis": {"stream": "orders"},
    "events": {},
}
BATCHED = ["sqs", "sns", "kinesis", "events"]


@pytest.fixture(scope="module")
def server():
    server = AwsServer().start()
    yield server
    server.stop()


@pytest.fixture
def aws(server, lanes):
    """aws("sqs", queue_url=…) → a lane to that service."""
    server.forget()

    def make(service, connection=None, delivery=None, **settings):
        secrets = {"secret_access_key": SECRET_KEY, **(connection or {})}
        return lanes().open("aws", {"service": service, "endpoint": server.endpoint, **SETTINGS[service], **settings},
                            delivery, connection=("aws", secrets, {"access_key_id": ACCESS_KEY, "region": "eu-west-1"}))

    return make


def test_an_event_arrives_signed(aws, server):
    event = {"n": 1, "text": "Größe ≥ 5 & <so> \"on\" +%20"}
    lanes = [aws(service) for service in SETTINGS]
    for lane in lanes:
        lane.publish(event)
    assert [json.loads(entry["body"]) for entry in server.wait_taken(5)] == [event] * 5
    calls = {call["service"]: call for call in server.calls()}
    assert set(calls) == set(SETTINGS) and not any("refused" in call for call in calls.values())
    assert {service: call["region"] for service, call in calls.items()} == {
        service: "eu-central-1" if service == "sns" else "eu-west-1" for service in SETTINGS}
    assert [lane.wait_drained()["acknowledged"] for lane in lanes] == [1] * 5


def test_a_session_token_goes_along_and_is_signed(aws, server):
    lane = aws("sqs", connection={"session_token": "FwoGZXIvYXdzEJr//token=="})
    lane.publish({"n": 1})
    server.wait_taken(1)
    assert [call["token"] for call in server.calls()] == ["FwoGZXIvYXdzEJr//token=="]


@pytest.mark.parametrize("service", BATCHED)
def test_a_batch_is_one_call_and_each_of_its_events_has_an_end_of_its_own(aws, server, service):
    lane = aws(service, delivery={"batch_events": 6, "batch_wait_ms": 300, "concurrency": 1, "max_attempts": 3})
    slow, fault = ("ProvisionedThroughputExceededException", "ValidationException") if service == "kinesis" else ("ThrottlingException", "InvalidArgument")
    server.rules({"match": "slow", "code": slow, "times": 1},
                 {"match": "poison", "code": fault, "sender": True},
                 {"match": "broken", "code": "InternalFailure"})
    lane.publish(*({"n": n, "what": what} for n, what in enumerate(["a", "slow", "poison", "b", "broken", "c"])))
    poison, broken = sorted(lane.dead_letters(2), key=lambda letter: letter.json["n"])
    assert reason(poison) == f"{fault}: as the test wants it"
    assert broken.json["what"] == "broken" and reason(broken) == "3 attempts: InternalFailure: as the test wants it"
    first, *_ = calls = server.calls()
    assert len(first["entries"]) == 6 and not any("refused" in call for call in calls)
    wait_until(lambda: len(server.taken()) == 4, what="what failed once to be taken")
    assert sorted(json.loads(entry["body"])["what"] for entry in server.taken()) == ["a", "b", "c", "slow"]


def test_a_call_that_is_throttled_comes_again_whole(aws, server):
    server.rules({"status": 400, "code": "ThrottlingException", "times": 8})
    lanes = [aws(service, delivery={"batch_events": 3, "batch_wait_ms": 300}) for service in BATCHED]
    for lane in lanes:
        lane.publish({"n": 1}, {"n": 2}, {"n": 3})
    server.wait_taken(12)
    assert [lane.wait_drained()["acknowledged"] for lane in lanes] == [3] * 4
    assert [call["refused"] for call in server.calls() if "refused" in call] == ["ThrottlingException"] * 8


def test_a_call_that_is_forbidden_is_a_dead_letter_and_says_why(aws, server):
    server.rules({"status": 403, "code": "AccessDeniedException", "message": "User: u is not authorized"})
    lanes = [aws(service) for service in SETTINGS]
    for lane in lanes:
        lane.publish({"n": 1})
        (letter,) = lane.dead_letters()
        assert reason(letter) == "AccessDeniedException: User: u is not authorized"
    assert len(server.calls()) == 5


def test_a_wrong_secret_is_told_without_the_request_that_aws_repeats(aws, server):
    lane = aws("sqs", connection={"secret_access_key": "wrong", "session_token": "SESSIONTOKEN"})
    lane.publish({"n": 1})
    (letter,) = lane.dead_letters()
    assert reason(letter).startswith("InvalidSignatureException: The request signature")
    assert "SESSIONTOKEN" not in reason(letter) and "SESSIONTOKEN" not in lane.bridge.log()


def test_a_service_that_is_down_gets_everything_later(aws, server):
    lane = aws("kinesis", delivery={"batch_events": 10, "backoff_ms": 50, "backoff_max_ms": 200})
    server.rules({"status": 503, "body": "<html>", "times": 3})
    lane.publish(*({"n": n} for n in range(20)))
    server.wait_taken(20)
    assert sorted(json.loads(entry["body"])["n"] for entry in server.taken()) == list(range(20))
    assert lane.wait_drained()["acknowledged"] == 20


def test_one_event_that_the_service_chokes_on_does_not_take_the_others_along(aws, server):
    lane = aws("kinesis", delivery={"batch_events": 8, "batch_wait_ms": 400, "concurrency": 1})
    server.rules({"status": 400, "code": "ValidationException", "match": base64.b64encode(b'{"n": 6}').decode()})
    lane.publish(*(f'{{"n": {n}}}' for n in range(8)))
    server.wait_taken(7)
    (letter,) = lane.dead_letters()
    assert letter.json == {"n": 6} and "ValidationException" in reason(letter)
    # 8, then 4 + 4, 2 + 2, 1 + 1: by halves.
    assert len(server.calls()) == 7


def test_a_batch_is_cut_where_the_service_allows_no_more(aws, server):
    lane = aws("sqs", delivery={"batch_events": 40, "batch_bytes": 4 << 20, "batch_wait_ms": 400, "concurrency": 1})
    lane.publish(*({"n": n, "fill": "x" * 90000} for n in range(5)), *({"n": n} for n in range(5, 30)))
    server.wait_taken(30)
    calls = server.calls()
    assert sorted(json.loads(entry["body"])["n"] for entry in server.taken()) == list(range(30))
    assert all(len(call["entries"]) <= 10 for call in calls) and not any("refused" in call for call in calls)


def test_an_event_that_is_too_large_is_a_dead_letter_at_once(aws, server):
    lane = aws("sns")
    lane.publish({"n": 1, "fill": "x" * 262144})
    (letter,) = lane.dead_letters()
    assert reason(letter).startswith("too large: ") and server.calls() == []


def test_messages_have_attributes(aws, server):
    lane = aws("sqs")
    lane.publish({"n": 1}, user=[("trace", "a-1"), ("aws.reserved", "no"), ("with space", "no")] +
            [(f"p{n}", str(n)) for n in range(10)], content_type="application/json")
    (entry,) = server.wait_taken(1)
    attributes = entry["attributes"]
    assert attributes["sluice-topic"] == lane.topic and attributes["sluice-rule"] == lane.name
    assert attributes["content-type"] == "application/json" and attributes["trace"] == "a-1"
    assert len(attributes["sluice-id"]) == 32 and attributes["sluice-time"].endswith("Z")
    assert len(attributes) == 10 and attributes["p0"] == "0" and "aws.reserved" not in attributes


def test_what_is_no_text_goes_as_base64(aws, server):
    lane = aws("sns")
    lane.publish(b"\x00\xff\x01")
    (entry,) = server.wait_taken(1)
    assert base64.b64decode(entry["body"]) == b"\x00\xff\x01" and entry["attributes"]["sluice-encoding"] == "base64"


def test_fifo_has_a_group_and_the_same_name_when_it_is_tried_again(aws, server):
    server.rules({"match": "ann", "code": "InternalError", "times": 2})
    for service, where in (("sqs", {"queue_url": SETTINGS["sqs"]["queue_url"] + ".fifo"}), ("sns", {"topic_arn": TOPIC_ARN + ".fifo"})):
        lane = aws(service, group_id="{$.customer}", **where)
        lane.publish({"n": 1, "customer": "ann"}, {"n": 2, "customer": "kunde zwölf"})
        lane.wait_drained()
        entries = [entry for call in server.calls() if call["service"] == service for entry in call["entries"]]
        ann = [entry for entry in entries if "ann" in entry["body"]]
        (other,) = [entry for entry in entries if "ann" not in entry["body"]]
        assert {entry["group"] for entry in ann} == {"ann"} and {entry["key"] for entry in ann}.isdisjoint({other["key"]})
        assert len({entry["key"] for entry in ann}) == 1 and len(ann) == (3 if service == "sqs" else 1)
        assert len(other["group"]) == 64  # what SQS takes for no group is its hash


def test_a_subject_of_sns(aws, server):
    lane = aws("sns", subject="Order {$.n}")
    lane.publish({"n": 7})
    assert [entry["subject"] for entry in server.wait_taken(1)] == ["Order 7"]


def test_kinesis_has_a_partition_key(aws, server):
    lane = aws("kinesis", partition_key="{$.customer}")
    lane.publish({"n": 1, "customer": "ann"}, {"n": 2}, {"n": 3, "customer": "x" * 300})
    keys = {json.loads(entry["body"])["n"]: entry["key"] for entry in server.wait_taken(3)}
    assert keys[1] == "ann" and len(keys[2]) == 32 and len(keys[3]) == 64


def test_eventbridge_has_source_type_bus_and_time(aws, server):
    lane = aws("events", source="shop.orders", detail_type="Order", event_bus="orders")
    lane.publish({"n": 1})
    (entry,) = server.wait_taken(1)
    assert (entry["source"], entry["type"], entry["bus"]) == ("shop.orders", "Order", "orders") and entry["time"] > 1.7e9


def test_what_is_no_object_is_no_detail(aws, server):
    lane = aws("events")
    lane.publish("[1]")
    (letter,) = lane.dead_letters()
    assert reason(letter) == "the payload is no JSON object, and so no Detail" and server.calls() == []


def test_a_function_is_called_by_name_version_or_arn(aws, server):
    functions = ["orders", "orders:live", "orders:$LATEST", "arn:aws:lambda:us-east-2:123456789012:function:orders:live"]
    for lane in [aws("lambda", function=function, invocation="RequestResponse") for function in functions]:
        lane.publish({"n": 1})
    entries = server.wait_taken(4)
    assert sorted(entry["name"] for entry in entries) == sorted(functions)
    assert {entry["kind"] for entry in entries} == {"RequestResponse"}
    assert sorted(call["region"] for call in server.calls()) == ["eu-west-1"] * 3 + ["us-east-2"]


def test_a_function_that_fails_is_called_again(aws, server):
    lane = aws("lambda", invocation="RequestResponse", delivery={"max_attempts": 2})
    server.rules({"match": '"n": 1', "code": "ValueError", "message": "no such order", "times": 1},
                 {"match": '"n": 2', "code": "KeyError", "message": "always"})
    lane.publish({"n": 1}, {"n": 2})
    assert reason(*lane.dead_letters()) == "2 attempts: KeyError: always"
    assert [json.loads(entry["body"])["n"] for entry in server.wait_taken(1)] == [1]


def test_a_target_without_credentials_says_so(server, lane):
    lane.open("aws", {"service": "kinesis", "stream": "s", "region": "eu-west-1", "endpoint": server.endpoint})
    lane.bridge.wait_log("an aws target needs a connection of the kind aws")
