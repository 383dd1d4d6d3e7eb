# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The harness itself: without the plugin, what it promises to the other tests."""
import pytest

import harness


@pytest.fixture
def plain(make_broker):
    return make_broker(plugin=None)


def test_a_broker_starts_stops_and_starts_again(plain):
    plain.start()
    plain.restart()
    plain.kill()
    plain.start()
    plain.reload()
    plain.wait_log("Reloading config")


def test_a_client_gets_what_another_published(plain, version):
    plain.start()
    consumer = plain.client(version=version)
    assert consumer.subscribe("a/#", qos=2) == [2]
    plain.client(version=version).publish("a/b", b"\x00\xff", qos=2)
    (message,) = consumer.wait_for(1)
    assert (message.topic, message.payload, message.qos) == ("a/b", b"\x00\xff", 2)
    assert consumer.take() == [message]
    assert consumer.take() == []


def test_properties_travel(plain):
    plain.start()
    consumer = plain.client(version=5)
    consumer.subscribe("a", qos=1)
    consumer.publish("a", "x", properties=harness.publish_properties(user=[("k", "v"), ("k", "w")], content_type="text/plain"))
    (message,) = consumer.wait_for(1)
    assert message.user_properties == [("k", "v"), ("k", "w")]
    assert message.content_type == "text/plain"


def test_users_need_their_password(make_broker):
    broker = make_broker(plugin=None, users={"ann": "secret"}).start()
    broker.client(username="ann", password="secret")
    with pytest.raises(harness.Refused):
        broker.client(username="ann", password="wrong")


def test_a_broker_that_refuses_to_start_is_seen(make_broker):
    assert "nonsense" in make_broker(plugin=None, config="nonsense true").start_refused()


def test_a_client_comes_by_tls(make_broker, certificates):
    broker = make_broker(plugin=None, listeners={"tls": "\n".join((
        f"cafile {certificates['ca_certificate']}", f"certfile {certificates['server_certificate']}",
        f"keyfile {certificates['server_key']}"))}).start()
    broker.client(listener="tls", tls={"ca_certs": str(certificates["ca_certificate"])}).barrier()
