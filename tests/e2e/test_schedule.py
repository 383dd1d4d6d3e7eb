# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Rules that run by the clock."""
import datetime
import time

from harness import PATIENCE, wait_until


def in_seconds(seconds):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.strftime("at(%Y-%m-%dT%H:%M:%S)")


def put(broker, name, schedule, targets=None, **members):
    targets = targets or [{"id": "t", "topic": f"clock/{name}", "qos": 1}]
    (answer,) = broker.command({"command": "putRule",
                                "rule": {"name": name, "schedule": schedule, "targets": targets, **members}})
    assert "error" not in answer, answer


def listener(broker):
    client = broker.client(version=5)
    client.subscribe("clock/#", qos=1)
    return client


def test_a_rate_runs_at_each_multiple(broker):
    client = listener(broker)
    put(broker, "tick", "rate(1 second)", input={"kind": "tick"})
    messages = client.wait_for(3, timeout=6)
    assert messages[0].topic == "clock/tick" and messages[0].json == {"kind": "tick"}
    assert 0.7 < messages[2].time - messages[1].time < 1.3 * PATIENCE
    (answer,) = broker.command({"command": "getRule", "name": "tick"})
    assert answer["data"]["counters"]["delivered"] >= 3
    broker.delete_rule("tick")
    client.take()
    time.sleep(1.2)
    assert client.take() == []


def test_an_event_says_which_rule_it_is_of_and_when(broker):
    client = listener(broker)
    put(broker, "plain", "rate(1 second)")
    put(broker, "made", "rate(1 second)", input_transformer={"template": "\"<sluice.rule> at <sluice.time>\""})
    client.wait_for(lambda message: message.topic == "clock/plain")
    client.wait_for(lambda message: message.topic == "clock/made")
    plain = next(message for message in client.messages if message.topic == "clock/plain")
    made = next(message for message in client.messages if message.topic == "clock/made")
    assert plain.json["rule"] == "plain"
    when = datetime.datetime.fromisoformat(plain.json["time"].replace("Z", "+00:00"))
    assert abs(when.timestamp() - time.time()) < 5 * PATIENCE and when.microsecond == 0
    assert made.text.startswith('"made at 20')


def test_a_schedule_may_fill_a_queue(broker):
    broker.put_queue("jobs")
    put(broker, "job", "rate(1 second)", [{"id": "t", "queue": "jobs"}])
    client = broker.client(version=5)
    client.publish("queues/jobs/ready", "1")
    (message,) = client.wait_for(1)
    assert dict(message.user_properties)["sluice-rule"] == "job"
    assert dict(message.user_properties)["sluice-topic"] == "schedules/job"


def test_what_was_missed_is_made_up_for_once_where_the_rule_says_so(broker):
    put(broker, "made-up", in_seconds(3), missed="run-once")
    put(broker, "left-out", in_seconds(3))
    time.sleep(0.3)
    broker.stop()
    time.sleep(3.5)
    broker.start()
    client = listener(broker)

    def counts():
        return {name: broker.command({"command": "getRule", "name": name})[0]["data"]["counters"]["matched"]
                for name in ("made-up", "left-out")}

    wait_until(lambda: counts() == {"made-up": 1, "left-out": 0}, 10, "the one that was missed to run")
    broker.restart()
    time.sleep(1)
    assert counts() == {"made-up": 0, "left-out": 0}
    assert client.messages == [] or client.messages[0].topic == "clock/made-up"


def test_a_disabled_schedule_does_not_run(broker):
    put(broker, "off", "rate(1 second)", state="DISABLED")
    put(broker, "shadow", "rate(1 second)", state="SHADOW")
    client = listener(broker)
    time.sleep(2.2)
    assert client.take() == []
    (answer,) = broker.command({"command": "getRule", "name": "shadow"})
    assert answer["data"]["counters"]["matched"] >= 1
