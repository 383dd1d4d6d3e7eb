# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The way of a publish: which rules it matches, and what is delivered where."""
import json

import pytest

from harness import publish_properties

HOT = {"temperature": [{"numeric": [">", 30]}]}


def consumer_of(broker, *filters, version=5, qos=2, **options):
    consumer = broker.client(version=version, **options)
    consumer.subscribe(*(filters or ("consumers/#",)), qos=qos)
    return consumer


def test_an_event_that_matches_comes_to_the_consumer_and_another_does_not(broker, version):
    broker.put_rule("hot", HOT, {"id": "t", "consumer": "maintenance"})
    consumer = consumer_of(broker, version=version)
    producer = broker.client(version=version)
    producer.publish("plants/boiler", {"temperature": 31.5})
    producer.publish("plants/boiler", {"temperature": 29.5})
    (message,) = consumer.take()
    assert message.topic == "consumers/maintenance/plants/boiler"
    assert message.json == {"temperature": 31.5}


def test_the_original_goes_on_to_its_plain_subscribers(broker):
    broker.put_rule("hot", HOT, "consumers/a/{topic}")
    consumer = consumer_of(broker, "#")
    broker.client().publish("plants/boiler", {"temperature": 31.5})
    assert sorted(message.topic for message in consumer.take()) == ["consumers/a/plants/boiler", "plants/boiler"]
