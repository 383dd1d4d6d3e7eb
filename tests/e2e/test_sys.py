# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The numbers as retained topics, $SYS/broker/sluice/…"""
import time

from harness import wait_until

PREFIX = "$SYS/broker/sluice/"
ANY = {"$mqtt": {"topic": [{"exists": True}]}}


def numbers(broker):
    """All numbers as they are retained."""
    client = broker.client()
    client.subscribe(PREFIX + "#")
    time.sleep(0.2)
    client.close()
    return {message.topic[len(PREFIX):]: message.text for message in client.messages if message.topic.startswith(PREFIX)}


def test_totals_are_retained_and_kept_up(start_broker):
    broker = start_broker(options={"sys_interval": 1})
    broker.put_rule("r", {"a": [1]}, ["consumers/{$.b}", "consumers/x"])
    producer = broker.client()
    producer.publish("t", '{"a":1}')
    producer.publish("t", '{"a":2}')
    producer.publish("t", "{")
    wanted = {"events": "3", "matched": "1", "delivered": "1", "failed": "1", "over_limit": "0", "refused": "0",
              "malformed": "1", "rules": "1", "rule_errors": "0", "store/state": "ok"}
    # They come one by one: a look may fall in between.
    found = wait_until(lambda: wanted.items() <= (found := numbers(broker)).items() and found, 10, lambda: str(numbers(broker)))
    assert set(found) == {"events", "matched", "delivered", "failed", "over_limit", "refused", "malformed", "undecided",
                          "rules", "rule_errors", "callback/max_us", "callback/p50_us", "callback/p99_us", "store/state",
                          "data/state", "data/bytes", "journal/bytes", "journal/lag_bytes", "no_room"}
    assert int(found["callback/max_us"]) >= int(found["callback/p99_us"]) >= int(found["callback/p50_us"]) >= 0


def test_a_rule_that_asks_has_topics_of_its_own_until_it_is_gone(start_broker):
    broker = start_broker(options={"sys_interval": 1})
    broker.put_rule("asks", ANY, "consumers/x", metrics=True)
    broker.put_rule("asks-not", ANY, "consumers/y")
    broker.client().publish("t", "{}")
    found = wait_until(lambda: (found := numbers(broker)).get("rules/asks/delivered") == "1" and found)
    assert found["rules/asks/matched"] == "1" and found["rules/asks/failed"] == "0"
    assert not any(name.startswith("rules/asks-not") for name in found)
    broker.put_rule("asks", ANY, "consumers/x", metrics=False)
    assert not any(name.startswith("rules/") for name in numbers(broker))


def test_the_interval_of_zero_means_no_topics(start_broker):
    broker = start_broker(options={"sys_interval": 0})
    broker.put_rule("r", ANY, "consumers/x", metrics=True)
    time.sleep(1)
    assert numbers(broker) == {}


def test_numbers_can_be_asked_for_at_any_time(broker):
    broker.put_rule("r", ANY, "consumers/x")
    broker.client().publish("t", "{}")
    assert broker.status()["delivered"] == 1
