# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""plugin_opt_protect_targets: what the router owns, clients leave alone."""
import pytest

ANY = {"$mqtt": {"topic": [{"exists": True}]}}


@pytest.fixture
def protected(start_broker):
    broker = start_broker(options={"protect_targets": "true"})
    broker.put_rule("r", ANY, ["consumers/a/{topic}", "alarms/{$.site}/x", "fixed/topic"])
    return broker


@pytest.mark.parametrize("topic", ["consumers/a/x", "consumers/other", "consumers/", "queues/q/in", "alarms/berlin/x",
                                   "alarms/", "fixed/topic"])
def test_a_client_may_not_publish_into_what_the_router_owns(protected, topic, version):
    everything = protected.client()
    everything.subscribe("#")
    client = protected.client(version=version)
    client.publish(topic, '{"site":"berlin"}', qos=1)
    client.publish(topic, '{"site":"berlin"}', qos=0)
    client.barrier()
    assert everything.take() == []
    assert not client.disconnected.is_set()
    status = protected.status()
    assert (status["refused"], status["events"]) == (2, 0)
    protected.wait_log("the router owns it")


@pytest.mark.parametrize("topic", ["consumers", "alarms", "fixed/topic/x", "fixed", "a/consumers/x", "queuesx"])
def test_other_topics_are_free(protected, topic):
    everything = protected.client()
    everything.subscribe("#")
    protected.client().publish(topic, "{}")
    assert topic in [message.topic for message in everything.take()]


def test_the_router_itself_delivers_there(protected):
    everything = protected.client()
    everything.subscribe("consumers/#", "alarms/#", "fixed/#")
    protected.client().publish("x", '{"site":"berlin"}')
    assert sorted(message.topic for message in everything.take()) == ["alarms/berlin/x", "consumers/a/x", "fixed/topic"]


def test_a_deleted_rule_protects_nothing_more(protected):
    protected.delete_rule("r")
    everything = protected.client()
    everything.subscribe("#")
    protected.client().publish("alarms/berlin/x", "{}")
    assert len(everything.take()) == 1


def test_a_target_that_begins_with_a_variable_protects_nothing_and_is_told(protected):
    protected.put_rule("open", ANY, "{topic}/routed")
    protected.wait_log("rule open, target target-0: its topic begins with a variable")
    everything = protected.client()
    everything.subscribe("b/routed")
    protected.client().publish("b/routed", "{}")
    assert len(everything.take()) >= 1


def test_nothing_is_protected_unless_asked(broker):
    broker.put_rule("r", ANY, "alarms/x")
    everything = broker.client()
    everything.subscribe("alarms/#", "consumers/#")
    broker.client().publish("consumers/x", "{}")
    assert [message.topic for message in everything.take()] == ["consumers/x"]
