# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The source `webhook`: a request becomes an event, and its answer comes with the PUBACK."""
import base64
import hashlib
import hmac
import http.client
import json
import pathlib
import re
import socket
import ssl
import tempfile
import threading
import time

import pytest

import harness
from bridge_harness import Bridge
from harness import REPOSITORY, free_port, preloads, run, wait_until


class Hooks:
    """A bridge, the address that its sources share, and who hears what they publish."""

    def __init__(self, broker, bridge):
        self.broker, self.bridge, self.port = broker, bridge, free_port()
        self.reader = broker.client(version=5)
        self.reader.subscribe("hooks/#", qos=1)
        self.numbers = 0

    def source(self, path, connection=None, topic=None, wait=True, **settings):
        self.numbers += 1
        members = {"connection": connection} if connection else {}
        name = f"source-{self.numbers}"
        # A method of its own tells that it is this one that answers.
        settings.setdefault("methods", ["POST", "PUT", f"X{self.numbers}"])
        self.bridge.put_source(name, "webhook", {"listen": f"127.0.0.1:{self.port}", "path": path, **settings},
                               topic=topic or f"hooks{path}", **members)
        if wait:
            wait_until(lambda: self.allowed(path) == ", ".join(settings["methods"]), 10,
                       lambda: f"{path}:\n{self.bridge.log()[-2000:]}")
        return name

    def allowed(self, path):
        """The methods that are taken there; None when nobody answers."""
        try:
            return self.send(path, method="TRACE").headers["Allow"]
        except OSError:
            return None

    def send(self, path, body=b"", method="POST", headers=None, context=None):
        """One request; the answer, read."""
        connection = (http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context) if context else
                      http.client.HTTPConnection("127.0.0.1", self.port, timeout=20))
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.body = answer.read()
        connection.close()
        return answer

    def raw(self, text, timeout=5):
        """All that is answered to these bytes until the connection ends."""
        got = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout) as sock:
            try:
                sock.sendall(text)
                while piece := sock.recv(65536):
                    got += piece
            except ConnectionResetError:
                pass
        return got

    def heard(self, count):
        self.reader.wait_for(count)
        return self.reader.take()

    def heard_nothing(self):
        return self.reader.take() == []


@pytest.fixture(scope="module")
def hooks(workspace, plugin):
    """One broker and bridge for all tests of this file: each has a path of its own."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="hooks-", dir=workspace))
    directory.chmod(0o755)
    broker = harness.Broker(directory / "broker", plugin).start()
    bridge = Bridge(broker, directory).start()
    yield Hooks(broker, bridge)
    bridge.stop()
    broker.close()


def sha256(secret, text):
    return hmac.new(secret.encode() if isinstance(secret, str) else secret, text, hashlib.sha256)


# --- what a request becomes ---

def test_a_request_becomes_an_event(hooks):
    hooks.source("/plain", topic="hooks/plain", headers=["X-Kind", "X-Absent"])
    answer = hooks.send("/plain", b'{"a": 1}', headers={"Content-Type": "application/json; charset=utf-8", "X-Kind": "k"})
    assert (answer.status, answer.headers["Content-Type"]) == (202, "application/json")
    (message,) = hooks.heard(1)
    assert (message.topic, message.payload, message.qos, message.retain) == ("hooks/plain", b'{"a": 1}', 1, False)
    assert message.content_type == "application/json; charset=utf-8"
    identifier = json.loads(answer.body)["id"]
    assert re.fullmatch("[0-9a-f]{32}", identifier)
    assert message.user_properties == [("X-Kind", "k"), ("webhook-id", identifier)]


def test_the_page_s_example_is_what_happens(hooks):
    page = (REPOSITORY / "docs/bridge/webhook.md").read_text()
    source, connection = (json.loads(text) for text in re.findall(r"^```json\n(.*?)^```$", page, re.M | re.S))
    source["settings"]["listen"] = f"127.0.0.1:{hooks.port}"
    hooks.bridge._put("putConnection", "connection", connection)
    hooks.bridge._put("putSource", "source", source)
    wait_until(lambda: hooks.allowed("/github/acme") == "POST, PUT", 10, lambda: hooks.bridge.log()[-2000:])
    code = sha256(connection["secrets"]["secret"], b"{}").hexdigest()
    assert hooks.send("/github/acme/shop", b"{}", headers={"X-Hub-Signature-256": f"sha256={code}"}).status == 202
    assert hooks.heard(1)[0].topic == "hooks/github/acme/shop"
    hooks.bridge.delete("source", source["name"])


def test_curl_gets_its_answer(hooks):
    hooks.source("/curl")
    body = "x" * 200000
    result = run("curl", "-sS", "-w", "%{http_code}", "--data-binary", "@-", f"http://127.0.0.1:{hooks.port}/curl", input=body)
    assert result.out.endswith("202")
    assert hooks.heard(1)[0].payload == body.encode()


def test_the_path_below_is_the_topic(hooks):
    hooks.source("/below", topic="hooks/below/{topic}")
    hooks.source("/below/nearer/", topic="hooks/nearer/{topic}")
    for path, topic in (("/below/a/b", "hooks/below/a/b"), ("/below/a%20b", "hooks/below/a b"),
                        ("/below/nearer/x?q=1", "hooks/nearer/x"), ("/below/nearerx", "hooks/below/nearerx"),
                        ("/below/%C3%A9", "hooks/below/é"), ("/below/a%00b", "hooks/below/a%00b")):
        assert hooks.send(path, b"x").status == 202, path
        assert hooks.heard(1)[0].topic == topic
    for path, status in (("/below", 404), ("/below/", 404), ("/belowx/a", 404), ("/", 404), ("/below/nearer", 404),
                         ("/below/+", 400), ("/below/a%23", 400), ("/below/%ff", 400), ("/below/a%0ab", 400)):
        assert hooks.send(path, b"x").status == status, path
    assert hooks.heard_nothing()


def test_only_its_methods_are_taken(hooks):
    hooks.source("/methods", methods=["PUT", "PATCH"])
    answer = hooks.send("/methods", b"x", method="POST")
    assert (answer.status, answer.headers["Allow"]) == (405, "PUT, PATCH")
    assert hooks.send("/methods", method="GET").status == 405
    assert hooks.send("/methods", b"x", method="PATCH").status == 202
    hooks.heard(1)


def test_many_requests_on_one_connection(hooks):
    hooks.source("/kept")
    connection = http.client.HTTPConnection("127.0.0.1", hooks.port, timeout=20)
    for number in range(50):
        connection.request("POST", "/kept", str(number))
        assert connection.getresponse().read().startswith(b'{"id"')
    connection.close()
    assert [message.text for message in hooks.heard(50)] == [str(number) for number in range(50)]


def test_requests_at_the_same_time(hooks):
    hooks.source("/together")
    statuses = []
    threads = [threading.Thread(target=lambda n=n: statuses.append(hooks.send("/together", str(n)).status))
               for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [202] * 40
    assert sorted(int(message.text) for message in hooks.heard(40)) == list(range(40))


# --- who may ---

def test_signatures_of_github(hooks):
    secret = "It's a Secret to Everybody"
    hooks.bridge.put_connection("github", "signature", {"secret": secret}, scheme="github")
    hooks.source("/from-github", "github")
    good = {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            "X-GitHub-Event": "push", "X-GitHub-Delivery": "72d3162e"}
    assert hooks.send("/from-github", b"Hello, World!", headers=good).status == 202
    (message,) = hooks.heard(1)
    assert message.user_properties[:2] == [("X-GitHub-Event", "push"), ("X-GitHub-Delivery", "72d3162e")]
    refusals = [hooks.send("/from-github", body, headers=headers) for body, headers in (
        (b"Hello, World?", good), (b"Hello, World!", {}), (b"Hello, World!", {"X-Hub-Signature-256": "sha256=00"}),
        (b"Hello, World!", {"X-Hub-Signature-256": "sha256=" + "0" * 64}))]
    # Nothing tells what of it was wrong.
    assert {(answer.status, answer.body) for answer in refusals} == {(403, b'{"error":"forbidden"}\n')}
    assert hooks.heard_nothing()


def test_standard_webhooks_and_their_replays(hooks):
    keys = [b"k" * 24, b"old key, still good for now"]
    secret = " ".join("whsec_" + base64.b64encode(key).decode() for key in keys)
    hooks.bridge.put_connection("standard", "signature", {"secret": secret}, scheme="standard")
    hooks.source("/standard", "standard", tolerance_s=60)

    def headers(identifier, at, body, key=keys[0], other=""):
        code = base64.b64encode(sha256(key, f"{identifier}.{at}.".encode() + body).digest()).decode()
        return {"webhook-id": identifier, "webhook-timestamp": str(at), "webhook-signature": f"{other}v1,{code}"}

    now = int(time.time())
    answer = hooks.send("/standard", b"one", headers=headers("msg_1", now, b"one"))
    assert (answer.status, json.loads(answer.body)) == (202, {"id": "msg_1"})
    assert hooks.heard(1)[0].user_properties == [("webhook-id", "msg_1")]
    # Sent again, with the same or another time: taken in already.
    for at in (now, now + 1):
        answer = hooks.send("/standard", b"one", headers=headers("msg_1", at, b"one"))
        assert (answer.status, json.loads(answer.body)) == (200, {"id": "msg_1"})
    assert hooks.heard_nothing()
    assert hooks.send("/standard", b"2", headers=headers("msg_2", now, b"2", keys[1], "v1a,xyz v1,AAAA ")).status == 202
    hooks.heard(1)
    for bad in (headers("msg_3", now - 100, b"x"), headers("msg_3", now + 100, b"x"), headers("msg_3", now, b"y"),
                headers("msg_3", now, b"x", b"another key")):
        assert hooks.send("/standard", b"x", headers=bad).status == 403
    assert hooks.heard_nothing()


def test_signatures_of_stripe(hooks):
    hooks.bridge.put_connection("stripe", "signature", {"secret": "whsec_test"}, scheme="stripe")
    hooks.source("/stripe", "stripe")
    now = int(time.time())
    code = sha256("whsec_test", f"{now}.".encode() + b"{}").hexdigest()
    good = {"Stripe-Signature": f"t={now},v1={'0' * 64},v1={code},v0=abc"}
    assert hooks.send("/stripe", b"{}", headers=good).status == 202
    assert hooks.send("/stripe", b"{}", headers=good).status == 200
    assert len(hooks.heard(1)) == 1
    for bad in (f"t={now + 1},v1={code}", f"t={now},t={now},v1={code}", f"v1={code}", f"t={now}", f"t={now},v0={code}"):
        assert hooks.send("/stripe", b"{}", headers={"Stripe-Signature": bad}).status == 403


def test_slack_is_answered_its_challenge(hooks):
    hooks.bridge.put_connection("slack", "signature", {"secret": "8f742231b10e8888abcd99yyyzzz85a5"}, scheme="slack")
    hooks.source("/slack", "slack")

    def send(body):
        now = int(time.time())
        code = sha256("8f742231b10e8888abcd99yyyzzz85a5", f"v0:{now}:".encode() + body).hexdigest()
        return hooks.send("/slack", body, headers={"X-Slack-Signature": f"v0={code}",
                                                   "X-Slack-Request-Timestamp": str(now)})

    challenge = b'{"token":"t","challenge":"3eZbrw1aB10FEMAGAZd4FyFQ","type":"url_verification"}'
    answer = send(challenge)
    assert (answer.status, answer.body) == (200, b"3eZbrw1aB10FEMAGAZd4FyFQ")
    assert hooks.send("/slack", challenge).status == 403
    assert hooks.heard_nothing()
    assert send(b'{"type":"event_callback"}').status == 202
    hooks.heard(1)


def test_other_ways_to_show_who_calls(hooks):
    hooks.bridge.put_connection("basic", "basic", {"password": "p:w"}, username="ann")
    hooks.bridge.put_connection("bearer", "bearer", {"token": "tok"})
    hooks.bridge.put_connection("key", "api-key", {"key": "k1"}, header="X-Key")
    hooks.bridge.put_connection("query", "api-key", {"key": "k2"}, query="key")
    hooks.bridge.put_connection("hmac", "signature", {"secret": "s"}, scheme="hmac", header="X-Sig", prefix="mac ")
    for name in ("basic", "bearer", "key", "query", "hmac"):
        hooks.source(f"/{name}", name)
    basic = base64.b64encode(b"ann:p:w").decode()
    code = sha256("s", b"x")
    for path, headers, status in (
            ("/basic", {"Authorization": f"basic {basic}"}, 202), ("/basic", {"Authorization": f"Basic {basic}x"}, 401),
            ("/basic", {}, 401), ("/bearer", {"Authorization": "Bearer tok"}, 202),
            ("/bearer", {"Authorization": "Bearer to"}, 401), ("/bearer", {"Authorization": f"Basic {basic}"}, 401),
            ("/key", {"x-key": "k1"}, 202), ("/key", {"x-key": "k2"}, 403), ("/key?X-Key=k1", {}, 403),
            ("/query?key=k2", {}, 202), ("/query?key=k1", {}, 403), ("/query", {"key": "k2"}, 403),
            ("/hmac", {"X-Sig": "mac " + code.hexdigest()}, 202),
            ("/hmac", {"X-Sig": "mac " + base64.b64encode(code.digest()).decode()}, 202),
            ("/hmac", {"X-Sig": code.hexdigest()}, 403)):
        answer = hooks.send(path, b"x", headers=headers)
        assert answer.status == status, (path, headers)
        if status == 401:
            assert answer.headers["WWW-Authenticate"].startswith("Basic realm" if path == "/basic" else "Bearer realm")
    assert len(hooks.heard(6)) == 6
    assert "p:w" not in hooks.bridge.log() and "tok" not in hooks.bridge.log().replace("token", "")


def test_tls(hooks, certificates, workspace):
    hooks.bridge.put_connection("tls", "tls", cert_file=str(certificates["server_certificate"]),
                                key_file=str(certificates["server_key"]))
    other = Hooks(hooks.broker, hooks.bridge)
    other.numbers = 100
    other.source("/tls", "tls", wait=False)
    context = ssl.create_default_context(cafile=certificates["ca_certificate"])

    def answers():
        try:
            return other.send("/tls", b"secret", context=context).status == 202
        except OSError:
            return False

    wait_until(answers, 10, lambda: hooks.bridge.log()[-2000:])
    assert other.heard(1)[0].payload == b"secret"
    large = b"x" * 300000
    assert other.send("/tls", large, context=context).status == 202
    assert other.heard(1)[0].payload == large
    other.source("/plain-there", wait=False)
    hooks.bridge.wait_log("another source listens on .*, with another certificate or none")


# --- what is not taken ---

def test_what_is_too_large_is_refused_before_it_is_read(hooks):
    hooks.source("/small", max_bytes=1000)
    assert hooks.send("/small", b"x" * 1000).status == 202
    hooks.heard(1)
    # Of these bodies nothing was sent yet.
    for length in (b"1001", b"99999999999999999999"):
        got = hooks.raw(b"POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 413 "), got
    chunked = b"POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"258\r\n" + b"x" * 600 + b"\r\n"
    assert hooks.raw(chunked + b"258\r\n" + b"x" * 600 + b"\r\n").startswith(b"HTTP/1.1 413 ")
    assert hooks.raw(chunked + b"0\r\n\r\n" + b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 202 ")
    hooks.heard(1)
    assert hooks.heard_nothing()


def test_what_is_malformed_is_refused(hooks):
    hooks.source("/malformed")
    for text in (b"\r\n\r\n\r\n", b"POST\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"POST /malformed HTTP/1.1\r\n\r\n",
                 b"POST /malformed HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                 b"POST /malformed HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n",
                 b"POST /malformed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 b"POST /malformed HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
                 b"POST /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"POST /malformed HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5000 + b"\r\n"):
        got = hooks.raw(text + b"GET / HTTP/1.0\r\n\r\n")
        assert not got.startswith(b"HTTP/1.1 2"), (text[:60], got)
    assert hooks.heard_nothing()
    assert hooks.send("/malformed", b"good").status == 202
    hooks.heard(1)


def test_who_is_slow_is_cut_off(hooks):
    other = Hooks(hooks.broker, hooks.bridge)
    other.numbers = 200
    other.source("/slow", timeout_s=1)
    for beginning in (b"", b"POST /slow HTTP/1.1\r\nHost: x\r\n", b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n"):
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", other.port), 10) as sock:
            sock.sendall(beginning)
            sock.settimeout(0.1)
            # A byte now and then does not help.
            while time.monotonic() - started < 8:
                try:
                    if beginning:
                        sock.sendall(b"a")
                    if sock.recv(1000) == b"":
                        break
                except socket.timeout:
                    continue
                except OSError:
                    break
        assert time.monotonic() - started < 6
    assert other.heard_nothing()


def resident(bridge):
    """Bytes that the bridge has in memory."""
    with open(f"/proc/{bridge.process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def test_a_flood_of_bad_requests_leaves_nothing_behind(hooks):
    hooks.bridge.put_connection("flood", "signature", {"secret": "s"}, scheme="github")
    hooks.source("/flood", "flood")
    bad = (b"POST /flood HTTP/1.1\r\nHost: x\r\nX-Hub-Signature-256: sha256=" + b"0" * 64 +
           b"\r\nConnection: close\r\nContent-Length: 2\r\n\r\nxx")
    nowhere = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    logged = len(hooks.bridge.log())

    def flood(rounds):
        for _ in range(rounds):
            assert hooks.raw(bad).startswith(b"HTTP/1.1 403 ")
            assert hooks.raw(nowhere).startswith(b"HTTP/1.1 404 ")

    flood(200)
    before = resident(hooks.bridge)
    flood(1000)
    if not preloads():  # a sanitizer keeps what was freed for a while
        assert resident(hooks.bridge) - before < 1 << 20
    assert hooks.heard_nothing()
    assert len(hooks.bridge.log()) == logged
    assert hooks.send("/flood", b"x", headers={"X-Hub-Signature-256": "sha256=" + sha256("s", b"x").hexdigest()}).status == 202
    hooks.heard(1)


# --- definitions, and the broker ---

def test_what_can_not_be_is_said(hooks):
    hooks.source("/taken")
    for settings, message in (
            ({"path": "/taken/"}, "another source, source-[0-9]+, has that path there"), ({"path": "x"}, '"path" must begin with "/"'),
            ({"path": "/x", "methods": ["A B"]}, 'among the methods is none: "A B"'),
            ({"path": "/x", "listen": "localhost"}, '"listen" must be an address and a port'),
            ({"path": "/x", "listen": "192.0.2.1:8080"}, "can't listen on 192.0.2.1:8080: Cannot assign")):
        since = len(hooks.bridge.log())
        hooks.source(settings.pop("path"), wait=False, **settings) if "listen" not in settings else \
            hooks.bridge.put_source("elsewhere", "webhook", settings, topic="hooks/x")
        hooks.bridge.wait_log(message, since=since)
    hooks.bridge.put_connection("none", "signature", scheme="standard")
    hooks.source("/none", "none", wait=False)
    hooks.bridge.wait_log("the connection has no secret")


def test_a_source_that_goes_takes_its_path_along(hooks):
    name = hooks.source("/gone")
    assert hooks.send("/gone").status == 202
    hooks.heard(1)
    hooks.bridge.delete("source", name)
    wait_until(lambda: hooks.send("/gone").status == 404, 10, "the path to go")


def test_what_no_topic_can_be_made_of_is_not_to_be_sent_again(hooks):
    hooks.source("/made", topic="hooks/{$.kind}")
    assert hooks.send("/made", b'{"kind": "a"}').status == 202
    answer = hooks.send("/made", b'{"other": 1}')
    assert answer.status == 422 and "Retry-After" not in answer.headers


def test_a_broker_that_says_no_is_a_503(start_broker, start_bridge):
    broker = start_broker(users={"admin": "a"}, acl="user admin\ntopic readwrite $CONTROL/#\ntopic readwrite #\n"
                                                    "topic deny hooks/denied\n")
    bridge = start_bridge(broker)
    hooks = Hooks.__new__(Hooks)
    hooks.broker, hooks.bridge, hooks.port, hooks.numbers = broker, bridge, free_port(), 0
    hooks.source("/away")
    assert hooks.send("/away", b"x").status == 202
    hooks.source("/denied")
    assert hooks.send("/denied", b"x").status == 503
    bridge.wait_log("the broker refuses it: Not authorized")
    broker.stop()
    bridge.wait_log("is lost")
    answer = hooks.send("/away", b"x")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
    broker.start()
    wait_until(lambda: hooks.send("/away", b"x").status == 202, 20, lambda: bridge.log()[-2000:])
