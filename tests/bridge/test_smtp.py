# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The target kind smtp, against aiosmtpd."""
import email.utils
import time

import pytest

from harness import wait_until
from lane import lane, lanes, module_bridge, reason  # noqa: F401 (fixtures)
from mail_server import MailServer, SilentServer

pytest.importorskip("aiosmtpd")

PLAIN = {"from": "Sluice <sluice@example.com>", "to": ["crew@example.com"], "starttls": "none"}


@pytest.fixture
def start_server():
    servers = []

    def start(**options):
        servers.append(MailServer(**options).start())
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def test_an_event_is_a_mail(lane, start_server):
    server = start_server()
    lane.open("smtp", {**PLAIN, "url": server.url, "to": ["crew@example.com", "Änne <aenne@example.com>"],
                       "cc": ["boss@example.com"], "bcc": ["audit@example.com"],
                       "subject": "Boiler {$.name}: {$.t} °C", "body": "It is {$.t} °C.\n.\n..\nFrom {topic}, {$.long}"})
    lane.publish({"name": "Nord", "t": 31.5, "long": "x" * 3000})
    (mail,) = server.wait()
    assert mail.sender == "sluice@example.com"
    assert mail.recipients == ["crew@example.com", "aenne@example.com", "boss@example.com", "audit@example.com"]
    assert mail["from"] == "Sluice <sluice@example.com>" and mail["cc"] == "boss@example.com"
    assert mail["to"] == "crew@example.com, Änne <aenne@example.com>"
    assert "audit" not in mail.raw.decode()
    assert mail["subject"] == "Boiler Nord: 31.5 °C"
    assert mail.text == f"It is 31.5 °C.\n.\n..\nFrom {lane.topic}, {'x' * 3000}\n"
    assert mail.message.get_content_type() == "text/plain" and not mail.message.is_multipart()
    assert abs(email.utils.parsedate_to_datetime(mail["date"]).timestamp() - time.time()) < 60
    assert mail["message-id"].endswith("@example.com>") and mail["auto-submitted"] == "auto-generated"
    assert max(map(len, mail.raw.splitlines())) <= 78 and mail.raw.isascii()
    assert lane.wait_drained()["acknowledged"] == 1


def test_an_event_can_not_say_more_than_its_value(lane, start_server):
    server = start_server()
    lane.open("smtp", {**PLAIN, "url": server.url, "subject": "{$.s}", "body": "{$.b}", "html": True})
    lane.publish({"s": "a\r\nBcc: thief@example.com", "b": "x"},
                 {"s": "=?UTF-8?Q?x?=", "b": "\r\n.\r\nMAIL FROM:<thief@example.com>\r\n<script>\u0000"})
    (letter,) = lane.dead_letters()
    assert reason(letter) == "subject: {$.s} holds a control character"
    (mail,) = server.wait()
    assert mail["subject"] == "=?UTF-8?Q?x?=" and mail.recipients == ["crew@example.com"]
    assert mail.message.get_content_type() == "text/html" and "&lt;script&gt;" in mail.text
    assert len(server.tried) == 1


def test_a_mail_is_sent_by_tls_to_a_server_whom_the_connection_trusts(lane, start_server, certificates):
    server = start_server(tls=certificates, user=("ann", "geheim §"))
    settings = {key: value for key, value in PLAIN.items() if key != "starttls"}
    lane.open("smtp", {**settings, "url": server.url},
              connection=("basic", {"password": "geheim §"}, {"username": "ann", "ca_file": str(certificates["ca_certificate"])}))
    lane.publish({"n": 1})
    server.wait()
    assert server.tls_seen == [True]


def test_smtps_is_tls_from_the_beginning(lane, start_server, certificates):
    server = start_server(tls=certificates, smtps=True)
    lane.open("smtp", {"from": "a@example.com", "to": ["b@example.com"], "url": server.url},
              connection=("tls", {}, {"ca_file": str(certificates["ca_certificate"])}))
    lane.publish({"n": 1})
    assert server.wait()[0].text == '{"n": 1}\n'


@pytest.mark.parametrize("why", ["no TLS", "a stranger's certificate"])
def test_without_trust_nothing_is_sent(lane, start_server, certificates, why):
    server = start_server(tls=certificates if why != "no TLS" else None)
    settings = {key: value for key, value in PLAIN.items() if key != "starttls"}
    lane.open("smtp", {**settings, "url": server.url}, delivery={"max_attempts": 2})
    lane.publish({"n": 1})
    (letter,) = lane.dead_letters()
    assert ("no TLS with" if why == "no TLS" else "can't trust the certificate of") in reason(letter)
    assert server.tried == []


def test_a_wrong_password_is_told_and_not_shown(lane, start_server):
    server = start_server(user=("ann", "right"))
    lane.open("smtp", {**PLAIN, "url": server.url}, connection=("basic", {"password": "wr0ng-one"}, {"username": "ann"}))
    lane.publish({"n": 1})
    (letter,) = lane.dead_letters()
    assert reason(letter).startswith("535 ") and server.tried == []
    assert "wr0ng-one" not in lane.bridge.log()


def test_of_a_mail_with_a_recipient_who_is_refused_nobody_gets_anything(lane, start_server):
    server = start_server()
    server.refuse["gone@example.com"] = "550 5.1.1 no such mailbox"
    lane.open("smtp", {**PLAIN, "url": server.url, "to": ["crew@example.com", "gone@example.com"]})
    lane.publish({"n": 1})
    (letter,) = lane.dead_letters()
    assert reason(letter) == "550 5.1.1 no such mailbox, said to RCPT TO:<gone@example.com>"
    assert server.tried == []


def test_what_is_refused_for_now_comes_again_as_the_same_mail(lane, start_server):
    server = start_server()
    server.replies = ["451 4.3.0 try later", "452 4.3.1 disk is full"]
    lane.open("smtp", {**PLAIN, "url": server.url})
    lane.publish({"n": 1})
    server.wait()
    assert len(server.tried) == 3 and len({mail.raw for mail in server.tried}) == 1
    assert lane.wait_drained()["acknowledged"] == 1


def test_what_is_refused_for_good_is_a_dead_letter(lane, start_server):
    server = start_server()
    server.replies = ["554 5.7.1 looks like spam"]
    lane.open("smtp", {**PLAIN, "url": server.url})
    lane.publish({"n": 1})
    (letter,) = lane.dead_letters()
    assert reason(letter).startswith("554 5.7.1 looks like spam") and len(server.tried) == 1


def test_a_server_that_was_down_gets_everything(lane, start_server):
    server = start_server()
    server.stop()
    lane.open("smtp", {**PLAIN, "url": server.url, "subject": "{$.n}"}, delivery={"backoff_max_ms": 300})
    lane.publish(*({"n": n} for n in range(5)))
    wait_until(lambda: lane.bridge.numbers(lane.name)["returned"] >= 5, what="the first attempts to fail")
    server.start()
    assert sorted(mail["subject"] for mail in server.wait(5)) == list("01234")


def test_a_digest_is_one_mail_of_many_events(lane, start_server):
    server = start_server()
    lane.open("smtp", {**PLAIN, "url": server.url, "digest": True, "subject": "{$.n} is hot", "body": "{$.n}: {$.t}"},
              delivery={"batch_events": 10, "batch_wait_ms": 400})
    lane.publish({"n": "a", "t": 1}, {"n": "b\n", "t": 2}, {"n": "c", "t": 3})
    (mail,) = server.wait()
    assert mail["subject"] == "a is hot (and 2 more)"
    assert mail.text == "a: 1\n\nb\n: 2\n\nc: 3\n"
    assert lane.wait_drained()["acknowledged"] == 3


def test_a_digest_leaves_out_an_event_of_which_it_can_make_nothing(lane, start_server):
    server = start_server()
    lane.open("smtp", {**PLAIN, "url": server.url, "digest": True, "body": "{$.n}"},
              delivery={"batch_events": 3, "batch_wait_ms": 1000})
    lane.publish({"n": 1}, "no JSON", {"n": 2})
    (letter,) = lane.dead_letters()
    assert letter.payload == b"no JSON" and reason(letter) == "body: the payload is not well-formed JSON"
    assert [mail.text for mail in server.wait()] == ["1\n\n2\n"]


@pytest.mark.parametrize("to", ["crew", "nobody"])
def test_a_server_that_never_says_good_bye_holds_up_nobody(lane, start_server, to):
    """libcurl waits for the answer to QUIT without returning, for two minutes."""
    silent = SilentServer()
    try:
        lane.open("smtp", {**PLAIN, "url": silent.url, "to": [f"{to}@example.com"]})
        began = time.monotonic()
        lane.publish({"n": 1}, {"n": 2}, {"n": 3})
        lane.wait_drained()
        wait_until(lambda: silent.quits == 3, what="three QUITs")
        assert time.monotonic() - began < 10
    finally:
        silent.close()


@pytest.mark.parametrize("member, value, told", [
    ("url", "http://localhost", "must be smtp://host:port"),
    ("url", "smtp://ann@localhost", "must be smtp://host:port"),
    ("to", ["crew@example.com\r\nRCPT TO:<thief@example.com>"], "this is no mail address"),
    ("from", "nobody", "this is no mail address"),
])
def test_settings_that_can_not_be_are_told(lane, member, value, told):
    since = len(lane.bridge.log())
    lane.open("smtp", {**PLAIN, "url": "smtp://localhost:25", member: value})
    lane.bridge.wait_log(told, since=since)
