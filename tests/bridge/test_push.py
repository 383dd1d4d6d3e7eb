# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The target kind push: what each service is told, by a server in its place."""
import base64
import json
import time

import pytest

from lane import Lane, lane, lanes, module_bridge, reason  # noqa: F401 (fixtures)
from servers import Answer, HttpServer

FCM = ({"message": {"token": "d", "notification": {"body": "23 °C", "title": "<b>"}, "android": {"priority": "high"}}})

# service: settings, kind of connection, its settings, secrets, path, headers, body
SERVICES = {
    "ntfy": ({"name": "alarms", "priority": 10}, "bearer", {}, {"token": "tk"}, "/", {"Authorization": "Bearer tk"},
             {"topic": "alarms", "title": "<b>", "message": "23 °C", "priority": 5}),
    "gotify": ({"priority": 7}, "api-key", {"header": "X-Gotify-Key"}, {"key": "A"}, "/message", {"X-Gotify-Key": "A"},
               {"title": "<b>", "message": "23 °C", "priority": 7}),
    "slack": ({}, "bearer", {}, {"token": "T0/B0/x"}, "/T0/B0/x", {}, {"text": "&lt;b&gt;\n23 °C"}),
    "discord": ({}, "bearer", {}, {"token": "17/x"}, "/17/x", {},
                {"content": "<b>\n23 °C", "allowed_mentions": {"parse": []}}),
    "telegram": ({"chat": "-100", "priority": 1}, "bearer", {}, {"token": "1:A"}, "/bot1:A/sendMessage", {},
                 {"chat_id": "-100", "text": "<b>\n23 °C", "disable_notification": True}),
    "twilio": ({"account": "AC1", "from": "+1", "to": "+49 2"}, "basic", {"username": "AC1"}, {"password": "p"},
               "/2010-04-01/Accounts/AC1/Messages.json",
               {"Authorization": "Basic " + base64.b64encode(b"AC1:p").decode(),
                "Content-Type": "application/x-www-form-urlencoded"},
               {"To": "+49 2", "From": "+1", "Body": "<b>\n23 °C"}),
    "fcm": ({"project": "p", "device": "d", "priority": 9}, "bearer", {}, {"token": "f"}, "/v1/projects/p/messages:send",
            {"Authorization": "Bearer f"}, FCM),
}


@pytest.fixture(scope="module")
def module_server():
    server = HttpServer()
    yield server
    server.close()


@pytest.fixture
def server(module_server):
    module_server.reset()
    return module_server


def test_each_service_is_told_as_it_wants_to_be(module_bridge, server):  # noqa: F811
    lanes = {}
    for service, (settings, kind, connection, secrets, *_) in SERVICES.items():
        lanes[service] = Lane(module_bridge)
        lanes[service].connection(kind, secrets, **connection)
        lanes[service].open("push", {"service": service, "url": server.url, "title": "<{$.s}>", "message": "{$.t} °C",
                                     **settings}, connection=lanes[service].name)
    for one in lanes.values():
        one.publish({"s": "b", "t": 23})
    requests = {request.path: request for request in server.wait(len(SERVICES))}
    for service, (*_, path, headers, body) in SERVICES.items():
        request = requests[path]
        assert (request.method, request.form if service == "twilio" else request.json) == ("POST", body), service
        assert {name: request.headers[name] for name in headers} == headers, service
        if service in ("slack", "discord", "telegram"):
            assert "Authorization" not in request.headers
        lanes[service].close()
    for secret in ("T0/B0/x", "17/x", "1:A"):
        assert secret not in module_bridge.log()


def test_telegram_says_in_its_body_when_to_come_again(lane, server):  # noqa: F811
    times = []

    def answer(_request):
        times.append(time.monotonic())
        return refused if len(times) == 1 else Answer()

    refused = Answer(429, {}, json.dumps({"ok": False, "parameters": {"retry_after": 1}}).encode())
    server.answer = answer
    lane.connection("bearer", {"token": "1:A"})
    lane.open("push", {"service": "telegram", "url": server.url, "chat": "1"}, delivery={"backoff_ms": 1},
              connection=lane.name)
    lane.publish({"n": 1})
    first, again = server.wait(2)
    assert json.loads(first.json["text"]) == {"n": 1} and again.json == first.json
    assert times[1] - times[0] >= 0.95
    lane.publish("ü" * 3000)
    assert server.wait(3)[2].json["text"] == "ü" * 1922  # cut between two characters


def test_a_service_without_its_token_says_so(lane):  # noqa: F811
    lane.open("push", {"service": "telegram", "chat": "1"})
    lane.bridge.wait_log(f'target {lane.name}: telegram needs a connection of the kind "bearer"')
