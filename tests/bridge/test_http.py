# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The target kind http, from a publish to a server that is slow, fails, cuts, redirects and asks for tokens."""
import base64
import email.utils
import hashlib
import hmac
import json
import threading
import time

import pytest

from lane import Lane, lane, lanes, module_bridge, reason  # noqa: F401 (fixtures)
from servers import CUT, Answer, HttpServer, Nginx

TOKEN = json.dumps({"access_token": "token-1", "token_type": "Bearer", "expires_in": 3600}).encode()


@pytest.fixture(scope="module")
def module_servers():
    servers = [HttpServer(), HttpServer()]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture
def server(module_servers):
    module_servers[0].reset()
    return module_servers[0]


@pytest.fixture
def other(module_servers):
    module_servers[1].reset()
    return module_servers[1]


def test_an_event_arrives_with_what_is_known_of_it(lane, server):
    lane.open("http", {"url": server.url + "/in/{$.site}/{topic[1]}?a=b", "query": {"q": "{$.text}"},
                       "headers": {"X-Site": "{$.site}", "X-None": "{$.none}"}})
    lane.publish({"site": "b/e&r", "text": "ä ?#"})
    (request,) = server.wait(1)
    assert request.method == "POST" and request.json == {"site": "b/e&r", "text": "ä ?#"}
    assert request.path.startswith(f"/in/b%2Fe%26r/{lane.name}?a=b&")
    assert request.query == {"a": "b", "q": "ä ?#"}
    headers = request.headers
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Site"] == "b/e&r" and headers["X-None"] == ""
    assert headers["sluice-topic"] == lane.topic and headers["sluice-attempt"] == "1"
    assert headers["Idempotency-Key"] == headers["sluice-id"] and len(headers["sluice-id"]) == 32
    assert headers["User-Agent"].startswith("sluice-bridge/")
    assert lane.wait_drained()["acknowledged"] == 1


def test_connections_are_kept(lane, server):
    lane.open("http", {"url": server.url, "method": "PUT"}, delivery={"concurrency": 2})
    lane.publish(*({"n": n} for n in range(20)))
    requests = server.wait(20)
    assert {request.method for request in requests} == {"PUT"}
    assert len({request.connection for request in requests}) <= 2
    lane.wait_drained()


def test_a_body_of_a_form_holds_what_an_event_says_as_a_value(lane, server):
    lane.open("http", {"url": server.url, "body": "name={$.name}&sum=1", "content_type": "application/x-www-form-urlencoded"})
    lane.publish({"name": "a&b=c"})
    (request,) = server.wait(1)
    assert request.form == {"name": "a&b=c", "sum": "1"}


def test_a_body_of_json_holds_what_an_event_says_as_text(lane, server):
    lane.open("http", {"url": server.url, "body": '{{"said": "{$.name}"}}'})
    lane.publish({"name": 'He said "no"\n'})
    (request,) = server.wait(1)
    assert request.json == {"said": 'He said "no"\n'} and request.headers["Content-Type"] == "application/json"


def test_a_transformer_makes_the_body(lane, server):
    lane.open("http", {"url": server.url, "body": {"paths": {"n": "$.n"}, "template": '{"number": <n>}'}})
    lane.publish({"n": 17})
    (request,) = server.wait(1)
    assert request.json == {"number": 17} and request.headers["Content-Type"] == "application/json"


def test_an_event_that_makes_no_request_is_a_dead_letter(lane, server):
    lane.open("http", {"url": server.url, "headers": {"X-Name": "{$.name}"}})
    lane.publish({"name": "a\r\nX-Evil: 1"}, {"name": "good"})
    (letter,) = lane.dead_letters()
    assert letter.json == {"name": "a\r\nX-Evil: 1"} and "X-Name" in reason(letter)
    (request,) = server.wait(1)
    assert request.headers["X-Name"] == "good"


def test_what_never_can_go_well_is_a_dead_letter_at_once(lane, server):
    server.script(Answer(404))
    lane.open("http", {"url": server.url + "/secret?key=secret"})
    lane.publish({"n": 1}, user=[("tenant", "a")])
    (letter,) = lane.dead_letters()
    assert letter.json == {"n": 1} and ("tenant", "a") in letter.user_properties
    assert reason(letter) == f"HTTP 404 from 127.0.0.1:{server.port}"
    assert dict(letter.user_properties)["sluice-error-attempts"] == "1"
    server.wait(1)
    assert "secret" not in lane.bridge.log()


def test_what_may_go_well_later_comes_again(lane):
    # A server of its own: on a kept connection that is cut libcurl itself tries once more.
    server = HttpServer()
    server.script(Answer(503), Answer(500, {"Connection": "close"}), CUT, Answer(429), Answer(200))
    lane.open("http", {"url": server.url})
    lane.publish({"n": 1})
    requests = server.wait(5)
    assert [request.headers["sluice-attempt"] for request in requests] == list("12345")
    assert len({request.headers["Idempotency-Key"] for request in requests}) == 1
    assert lane.wait_drained()["acknowledged"] == 1
    server.close()


def test_retry_after_is_respected(lane, server):
    times = []

    def answer(_request):
        times.append(time.time())
        # A date has no fractions: the second after the next is more than one from now.
        date = email.utils.formatdate(int(times[0]) + 2, usegmt=True)
        return [Answer(503, {"Retry-After": date}), Answer(503, {"Retry-After": "1"}), Answer()][len(times) - 1]

    server.answer = answer
    lane.open("http", {"url": server.url}, delivery={"backoff_ms": 1})
    lane.publish({"n": 1})
    server.wait(3)
    assert int(times[1]) >= int(times[0]) + 1 and times[2] - times[1] >= 0.95


def test_one_that_does_not_answer_in_time_is_asked_again(lane, server):
    release = threading.Event()
    server.answer = lambda request: (release.wait(10) if len(server.requests) == 1 else None) and None or Answer()
    lane.open("http", {"url": server.url}, delivery={"timeout_ms": 300})
    lane.publish({"n": 1})
    server.wait(2)
    release.set()
    assert lane.wait_drained()["acknowledged"] == 1
    assert "no answer from 127.0.0.1" in lane.bridge.log()


def test_attempts_end_and_say_what_the_last_one_said(lane, server):
    server.script(Answer(502))
    lane.open("http", {"url": server.url}, delivery={"max_attempts": 3})
    lane.publish({"n": 1})
    (letter,) = lane.dead_letters()
    assert reason(letter) == f"3 attempts: HTTP 502 from 127.0.0.1:{server.port}"
    server.wait(3)


def test_a_breaker_spares_a_server_that_fails(lane, server):
    server.script(*[Answer(500)] * 3, Answer(200))
    lane.open("http", {"url": server.url}, delivery={"concurrency": 1, "breaker_failures": 3, "breaker_pause_ms": 700,
                                                     "backoff_ms": 1})
    lane.publish(*({"n": n} for n in range(10)))
    assert lane.wait_drained()["acknowledged"] == 10
    assert len(server.requests) == 13
    assert "nothing goes for 700 ms" in lane.bridge.log()


def test_events_of_a_group_arrive_in_order_though_one_fails(lane, server):
    failed = set()

    def answer(request):
        key = (request.json["k"], request.json["n"])
        if key[1] == 2 and key not in failed:
            failed.add(key)
            return Answer(503)
        return Answer()

    server.answer = answer
    lane.open("http", {"url": server.url}, queue={"group": "$.k"})
    lane.publish(*({"k": k, "n": n} for n in range(6) for k in "ab"))
    lane.wait_drained()
    for k in "ab":
        assert [request.json["n"] for request in server.requests if request.json["k"] == k] == [0, 1, 2, 2, 3, 4, 5]


def test_batches(lane, server):
    server.script(Answer(503), Answer(200))
    lane.open("http", {"url": server.url}, delivery={"batch_events": 3, "batch_wait_ms": 500, "concurrency": 1})
    lane.publish({"n": 0}, {"n": 1}, b"no \xff JSON")
    lane.wait_drained()
    first = server.requests[0]
    assert first.headers["Content-Type"] == "application/json" and "Idempotency-Key" not in first.headers
    one, _, text = first.json
    assert one["event"] == {"n": 0} and one["topic"] == lane.topic and one["rule"] == lane.name and one["attempt"] == 1
    assert base64.b64decode(text["event_base64"]) == b"no \xff JSON" and "event" not in text
    # All shared the outcome, and all came again.
    again = [event for request in server.requests[1:] for event in request.json]
    assert {event["id"] for event in again} == {event["id"] for event in first.json}
    assert {event["attempt"] for event in again} == {2}


def test_cloudevents(lane, server):
    lane.open("http", {"url": server.url, "cloudevents": "structured"})
    lane.publish({"n": 1})
    (request,) = server.wait(1)
    assert request.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    event = request.json
    assert event.pop("time").endswith("Z") and event.pop("id") == request.headers["sluice-id"]
    assert event == {"specversion": "1.0", "source": f"/lanes/{lane.name}", "type": f"sluice.rule.{lane.name}",
                     "subject": lane.topic, "datacontenttype": "application/json", "data": {"n": 1}}


def test_cloudevents_in_headers_keep_the_attributes_of_one_that_is_one(lane, server):
    lane.open("http", {"url": server.url, "cloudevents": "binary"})
    lane.publish(b"\x00\x01", user=[("specversion", "1.0"), ("type", "com.example.ä b"), ("source", "/s")],
                 content_type="image/x")
    (request,) = server.wait(1)
    assert request.body == b"\x00\x01" and request.headers["Content-Type"] == "image/x"
    assert request.headers["ce-type"] == "com.example.%C3%A4%20b" and request.headers["ce-source"] == "/s"
    assert request.headers["ce-specversion"] == "1.0" and request.headers["ce-id"] == request.headers["sluice-id"]


def test_redirects_are_followed_only_as_far_as_allowed(lane, server, other):
    server.answer = lambda request: Answer(307, {"Location": other.url + "/there"})
    lane.open("http", {"url": server.url})
    lane.publish({"n": 1})
    (letter,) = lane.dead_letters()
    assert reason(letter) == f"HTTP 307 from 127.0.0.1:{server.port}: redirects are not followed"
    assert other.requests == []


def test_a_redirect_to_a_private_address_is_refused(lane, server, other):
    server.answer = lambda request: Answer(307, {"Location": f"http://localhost:{other.port}/there"})
    lane.open("http", {"url": server.url, "redirects": 3})
    lane.publish({"n": 1})
    (letter,) = lane.dead_letters()
    assert reason(letter) == f"localhost:{other.port} has a private address, which this target must not connect to"
    assert other.requests == []


def test_a_redirect_keeps_the_body_and_leaves_the_credentials(lane, server, other):
    server.answer = lambda request: Answer(302, {"Location": "/next"}) if request.path == "/" else \
        Answer(308, {"Location": other.url + "/there"})
    lane.connection("api-key", {"key": "k-secret"}, header="X-Key")
    lane.open("http", {"url": server.url, "redirects": 3, "private_redirects": True,
                       "headers": {"Cookie": "c", "X-Other": "o"}}, connection=lane.name)
    lane.publish({"n": 1})
    (last,) = other.wait(1)
    first, second = server.wait(2)
    assert first.headers["X-Key"] == second.headers["X-Key"] == "k-secret" and second.path == "/next"
    assert last.method == "POST" and last.json == {"n": 1} and last.headers["X-Other"] == "o"
    assert "X-Key" not in last.headers and "Cookie" not in last.headers
    # A server that sends on to itself does so to an end.
    server.answer = lambda request: Answer(307, {"Location": "/again"})
    lane.publish({"n": 2})
    (letter,) = lane.dead_letters()
    assert reason(letter).endswith("too many redirects")
    server.wait(6)


def test_a_private_address_of_its_own_may_be_refused(lane, server):
    lane.open("http", {"url": server.url, "private_addresses": False})
    lane.publish({"n": 1})
    (letter,) = lane.dead_letters()
    assert "has a private address" in reason(letter)
    assert server.requests == []


def test_credentials(module_bridge, server):  # noqa: F811
    cases = [
        ("basic", {"username": "ann"}, {"password": "p:w"},
         {"Authorization": "Basic " + base64.b64encode(b"ann:p:w").decode()}, {}),
        ("bearer", {}, {"token": "t0k"}, {"Authorization": "Bearer t0k"}, {}),
        ("api-key", {"header": "X-Api-Key"}, {"key": "k"}, {"X-Api-Key": "k"}, {}),
        ("api-key", {"query": "key"}, {"key": "k &"}, {}, {"key": "k &"}),
    ]
    lanes = [Lane(module_bridge) for _ in cases]
    for one, (kind, settings, secrets, *_) in zip(lanes, cases):
        one.connection(kind, secrets, **settings)
        one.open("http", {"url": f"{server.url}/{one.name}?a=1"}, connection=one.name)
    for one in lanes:
        one.publish({"n": 1})
    requests = {request.path.split("?")[0][1:]: request for request in server.wait(len(cases))}
    for one, (*_, headers, query) in zip(lanes, cases):
        request = requests[one.name]
        assert {name: request.headers[name] for name in headers} == headers
        assert request.query == {"a": "1", **query}
        one.close()


def test_a_message_is_signed_with_every_secret(lane, server):
    keys = [b"first secret of 24 bytes", b"second secret, 24 bytes."]
    lane.connection("signature", {"secret": " ".join("whsec_" + base64.b64encode(key).decode() for key in keys)})
    lane.open("http", {"url": server.url}, connection=lane.name)
    lane.publish({"n": 1})
    (request,) = server.wait(1)
    headers = request.headers
    assert headers["webhook-id"] == headers["sluice-id"]
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    right = ["v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
    assert headers["webhook-signature"] == " ".join(right)


def oauth(lane, server, place="header", **settings):
    lane.connection("oauth2", {"client_secret": "s&cret"}, token_url=f"{server.url}/token", client_id="cl:ient",
                    credentials_in=place, **settings)


@pytest.mark.parametrize("place", ["header", "body"])
def test_a_token_is_asked_for_once_and_used_by_all(lane, server, other, place):
    def answer(_request):
        time.sleep(0.2)  # all ten wait for it
        return Answer(200, {"Content-Type": "application/json"}, TOKEN)

    other.answer = answer
    oauth(lane, other, place, scope="a b", audience="https://x/")
    lane.open("http", {"url": server.url}, connection=lane.name)
    lane.publish(*({"n": n} for n in range(10)))
    requests = server.wait(10)
    assert {request.headers["Authorization"] for request in requests} == {"Bearer token-1"}
    (asked,) = other.wait(1)
    form = asked.form
    assert (form["grant_type"], form["scope"], form["audience"]) == ("client_credentials", "a b", "https://x/")
    if place == "body":
        assert (form["client_id"], form["client_secret"]) == ("cl:ient", "s&cret")
        assert "Authorization" not in asked.headers
    else:
        assert base64.b64decode(asked.headers["Authorization"].split()[1]) == b"cl%3Aient:s%26cret"


def test_a_token_that_is_refused_is_renewed_once(lane, server, other):
    count = [0]

    def token(_request):
        count[0] += 1
        return Answer(200, {}, json.dumps({"access_token": f"token-{count[0]}", "expires_in": 3600}).encode())

    other.answer = token
    server.answer = lambda request: Answer(200 if request.headers["Authorization"] == "Bearer token-2" else 401)
    oauth(lane, other)
    lane.open("http", {"url": server.url}, connection=lane.name)
    lane.publish({"n": 1})
    assert lane.wait_drained()["acknowledged"] == 1
    assert [request.headers["sluice-attempt"] for request in server.wait(2)] == ["1", "1"]
    server.answer = lambda request: Answer(401)
    lane.publish({"n": 2})
    (letter,) = lane.dead_letters()
    assert reason(letter) == f"HTTP 401 from 127.0.0.1:{server.port}"
    other.wait(3)


def test_an_event_waits_for_a_token_server_that_fails(lane, server, other):
    other.script(Answer(500), Answer(401, {}, b'{"error": "invalid_client"}'), Answer(200, {}, b"[]"), Answer(200, {}, TOKEN))
    oauth(lane, other)
    lane.open("http", {"url": server.url}, connection=lane.name)
    lane.publish({"n": 1})
    (request,) = server.wait(1)
    assert request.headers["sluice-attempt"] == "4"
    assert f"no token: HTTP 401 from 127.0.0.1:{other.port} (invalid_client)" in lane.bridge.log()
    assert "s&cret" not in lane.bridge.log() and "token-1" not in lane.bridge.log()


def test_a_token_is_renewed_before_it_expires(lane, server, other):
    count = [0]

    def token(_request):
        count[0] += 1
        return Answer(200, {}, json.dumps({"access_token": f"token-{count[0]}", "expires_in": 2}).encode())

    other.answer = token
    oauth(lane, other)
    lane.open("http", {"url": server.url}, connection=lane.name)
    deadline = time.monotonic() + 15
    while count[0] < 2:
        assert time.monotonic() < deadline
        lane.publish({"n": 1})
        time.sleep(0.05)
    lane.wait_drained()
    assert not any("HTTP 401" in line for line in lane.bridge.log().splitlines() if lane.name in line)


def test_tls_http2_and_a_client_certificate(lane, server, directory, certificates):
    nginx = Nginx(directory, certificates, server)
    try:
        lane.connection("tls", ca_file=str(certificates["ca_certificate"]), cert_file=str(certificates["client_certificate"]),
                        key_file=str(certificates["client_key"]))
        lane.open("http", {"url": nginx.url + "/x"}, connection=lane.name)
        lane.publish(*({"n": n} for n in range(10)))
        assert lane.wait_drained()["acknowledged"] == 10
        server.wait(10)
        lines = [line.split() for line in nginx.lines()]
        assert {line[0] for line in lines} == {"HTTP/2.0"} and {line[2] for line in lines} == {"CN=ann"}
        assert len({line[1] for line in lines}) == 1  # one connection for ten at a time
    finally:
        nginx.close()


def test_a_certificate_that_nobody_vouches_for_is_waited_out(lane, server, directory, certificates):
    nginx = Nginx(directory, certificates, server)
    try:
        lane.open("http", {"url": nginx.url}, delivery={"max_attempts": 2})
        lane.publish({"n": 1})
        (letter,) = lane.dead_letters()
        assert reason(letter).startswith(f"2 attempts: can't trust the certificate of localhost:{nginx.port}: SSL")
        assert server.requests == []
    finally:
        nginx.close()


def test_a_definition_that_can_not_be_says_so(lane, server):
    lane.open("http", {"url": server.url, "headers": {"Content Length": "1"}})
    lane.bridge.wait_log(f'target {lane.name}: "Content Length" can\'t be the name of a header')
    lane.bridge.put_target(lane.name, "http", {"url": "http://user@localhost/"})
    lane.bridge.wait_log(f"target {lane.name}: url: a user's name and password belong in a connection")


def test_an_enrichment_joins_the_event(lane, server, other):
    other.answer = lambda request: Answer(200, {}, json.dumps({"name": "Ann " + request.query["id"]}).encode())
    lane.open("http", {"url": server.url},
              enrichment={"kind": "http", "into": "$.customer",
                          "settings": {"url": other.url + "/customers", "method": "GET", "query": {"id": "{$.customer_id}"}}})
    lane.publish({"n": 1, "customer_id": 17})
    (request,) = server.wait(1)
    assert request.json == {"n": 1, "customer_id": 17, "customer": {"name": "Ann 17"}}
    (asked,) = other.wait(1)
    assert asked.method == "GET" and asked.body == b"" and "Content-Type" not in asked.headers


def test_an_enrichment_that_fails_holds_the_event_back(lane, server, other):
    other.script(Answer(503), Answer(200, {}, b"other"))
    lane.open("http", {"url": server.url}, enrichment={"kind": "http", "settings": {"url": other.url}})
    lane.publish({"n": 1})
    (request,) = server.wait(1)
    assert request.body == b"other" and request.headers["sluice-attempt"] == "2"
    other.script(Answer(404))
    lane.publish({"n": 2})
    (letter,) = lane.dead_letters()
    assert letter.json == {"n": 2} and reason(letter) == f"enrichment: HTTP 404 from 127.0.0.1:{other.port}"
    server.wait(1)
