# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What all targets of the bridge share, shown by one that runs a command for each event."""
import collections
import json
import os
import random
import time

import pytest

from harness import PATIENCE, wait_until
from mqtt import publish_properties

SOAK = os.environ.get("SLUICE_SOAK") == "1"
USER = {"user": "nobody"} if os.getuid() == 0 else {}  # root's bridge wants to be told
HARD = {"backoff_ms": 50, "backoff_max_ms": 200}


@pytest.fixture
def files(directory):
    """Where the commands of this test write."""
    path = directory / "files"
    path.mkdir(mode=0o777)
    path.chmod(0o777)
    return path


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def append_to(path):
    """A command that appends its event to a file, whole: several may run at a time."""
    return ["/bin/sh", "-c", f'line=$(cat); [ -n "$line" ] && printf "%s\\n" "$line" >>{path}']


def produce(broker, events, topic="in/x"):
    with broker.client(version=5) as client:
        for number, event in enumerate(events):
            client.publish(topic, event, wait=number == len(events) - 1, timeout=60)


def waiting(bridge):
    """Not acknowledged: ready, or on offer to whoever may have subscribed, as on Mosquitto 2.0."""
    numbers = bridge.numbers("jobs")
    return numbers["ready"] + numbers["in_flight"]


def test_an_event_arrives_and_its_queue_is_empty(bridge, files):
    bridge.route("jobs", "exec", {**USER, "command": append_to(files / "out")})
    produce(bridge.broker, [{"n": 1}, {"other": 2}, {"n": 3}])
    numbers = bridge.wait_drained("jobs")
    assert numbers["acknowledged"] == 2
    assert sorted(json.loads(line)["n"] for line in lines(files / "out")) == [1, 3]


def test_properties_that_are_empty_harm_nothing(bridge, files):
    bridge.route("jobs", "exec", {**USER, "command": append_to(files / "out")})
    with bridge.broker.client(version=5) as client:
        client.publish("in/x", {"n": 1}, properties=publish_properties(
            user=[("empty", ""), ("", "empty"), ("", "")], content_type="", correlation_data=b""))
    assert bridge.wait_drained("jobs")["acknowledged"] == 1
    assert len(lines(files / "out")) == 1


def test_what_comes_before_the_bridge_waits_for_it(broker, start_bridge, files):
    first = start_bridge(broker)
    first.route("jobs", "exec", {**USER, "command": append_to(files / "out")})
    first.stop()
    produce(broker, [{"n": n} for n in range(50)])
    assert lines(files / "out") == []
    second = start_bridge(broker)
    second.wait_drained("jobs")
    assert sorted(json.loads(line)["n"] for line in lines(files / "out")) == list(range(50))


def test_definitions_are_put_in_force_while_it_runs(bridge, files):
    bridge.route("jobs", "exec", {**USER, "command": append_to(files / "first")})
    produce(bridge.broker, [{"n": 1}])
    bridge.wait_drained("jobs")
    bridge.put_target("jobs", "exec", {**USER, "command": append_to(files / "second")})
    time.sleep(1.2)
    produce(bridge.broker, [{"n": 2}])
    bridge.wait_drained("jobs")
    assert [json.loads(line)["n"] for line in lines(files / "second")] == [2]
    bridge.put_target("jobs", "exec", {**USER, "command": append_to(files / "second")}, state="DISABLED")
    time.sleep(1.2)
    produce(bridge.broker, [{"n": 3}])
    time.sleep(0.5)
    assert waiting(bridge) == 1
    bridge.put_target("jobs", "exec", {**USER, "command": append_to(files / "third")})
    bridge.wait_drained("jobs")
    bridge.delete("target", "jobs")
    time.sleep(1.2)
    produce(bridge.broker, [{"n": 4}])
    time.sleep(0.3)
    assert waiting(bridge) == 1
    assert [json.loads(line)["n"] for line in lines(files / "third")] == [3]


def test_a_target_waits_for_its_queue(bridge, files):
    bridge.broker.put_queue("another")  # without any, queues/… are topics like others
    bridge.put_target("late", "exec", {**USER, "command": append_to(files / "out")})
    bridge.wait_log("target late: there is no queue late")
    bridge.broker.put_queue("late")
    bridge.broker.put_rule("late", {"n": [{"exists": True}]}, {"id": "q", "queue": "late"})
    produce(bridge.broker, [{"n": 1}])
    bridge.wait_drained("late")
    assert len(lines(files / "out")) == 1


def test_what_fails_is_tried_again_until_it_goes_well(bridge, files):
    flag = files / "flag"
    bridge.route("jobs", "exec", {**USER, "command": ["/bin/sh", "-c", f"cat >>{files / 'tries'}; echo >>{files / 'tries'}; "
                                              f"echo not yet >&2; test -e {flag}"]}, delivery=HARD)
    produce(bridge.broker, [{"n": 1}])
    wait_until(lambda: len([line for line in lines(files / "tries") if line]) >= 3, 15, "three attempts")
    flag.touch()
    numbers = bridge.wait_drained("jobs")
    assert numbers["acknowledged"] == 1 and numbers["dead"] == 0


def test_what_always_fails_is_a_dead_letter_with_its_cause(bridge):
    bridge.route("jobs", "exec", {**USER, "command": ["/bin/sh", "-c", "echo the printer is on fire >&2; exit 75"]},
                 delivery={**HARD, "max_attempts": 3})
    produce(bridge.broker, [{"n": 1}])
    (letter,) = bridge.dead_letters("jobs")
    assert letter.json == {"n": 1}
    properties = dict(letter.user_properties)
    assert properties["sluice-error-code"] == "rejected"
    assert properties["sluice-error-attempts"] == "3"
    assert "3 attempts: " in properties["sluice-error-reason"]
    assert "the printer is on fire" in properties["sluice-error-reason"]


def test_the_order_of_a_group_is_kept_though_one_fails(bridge, files):
    # The first attempt of every third event fails.
    script = (f'read -r line; n=$(printf %s "$line" | tr -dc 0-9); '
              f'[ $((n % 3)) != 0 ] || [ "$SLUICE_ATTEMPT" != 1 ] || exit 75; printf "%s\\n" "$line" >>{files / "out"}')
    bridge.route("jobs", "exec", {**USER, "command": ["/bin/sh", "-c", script]}, queue={"group": "$mqtt.topic"},
                 delivery={**HARD, "breaker_failures": 0})
    produce(bridge.broker, [{"n": n} for n in range(12)])
    bridge.wait_drained("jobs")
    assert [json.loads(line)["n"] for line in lines(files / "out")] == list(range(12))


def test_no_more_than_its_rate(bridge, files):
    bridge.route("jobs", "exec", {**USER, "command": ["/bin/sh", "-c", f"date +%s.%N >>{files / 'times'}"]},
                 delivery={"rate": 10, "burst": 1, "concurrency": 1})
    produce(bridge.broker, [{"n": n} for n in range(15)])
    bridge.wait_drained("jobs")
    times = [float(line) for line in lines(files / "times")]
    assert len(times) == 15
    assert times[-1] - times[0] > 14 * 0.1 - 0.15


def test_the_breaker_takes_nothing_while_the_target_is_down(bridge, files):
    flag = files / "flag"
    bridge.route("jobs", "exec", {**USER, "command": ["/bin/sh", "-c", f"echo >>{files / 'tries'}; test -e {flag}"]},
                 delivery={"backoff_ms": 1, "backoff_max_ms": 1, "breaker_failures": 5, "breaker_pause_ms": 1500,
                           "concurrency": 2})
    produce(bridge.broker, [{"n": n} for n in range(20)])
    bridge.wait_log("target jobs: nothing goes for 1500 ms")
    tries = len(lines(files / "tries"))
    assert tries <= 7
    time.sleep(1)
    assert len(lines(files / "tries")) <= tries + 1
    flag.touch()
    bridge.wait_log("target jobs: goes again", 15)
    assert bridge.wait_drained("jobs")["acknowledged"] == 20


def test_what_takes_longer_than_its_lease_is_not_given_to_another(bridge, files):
    bridge.route("jobs", "exec", {**USER, "command": ["/bin/sh", "-c", f"echo >>{files / 'runs'}; sleep 3"]},
                 queue={"visibility_timeout_s": 1})
    produce(bridge.broker, [{"n": 1}])
    numbers = bridge.wait_drained("jobs")
    assert len(lines(files / "runs")) == 1
    assert numbers["redelivered"] == 0


def test_two_bridges_share_the_work_and_one_takes_over(broker, start_bridge, files):
    one = start_bridge(broker, name="one", environment={"WHO": "one"})
    two = start_bridge(broker, name="two", environment={"WHO": "two"})
    script = f'read -r line; sleep 0.02; printf "%s\\n" "$PPID" >>{files / "out"}'
    one.route("jobs", "exec", {**USER, "command": ["/bin/sh", "-c", script]}, delivery={"concurrency": 2},
              queue={"visibility_timeout_s": 2})
    time.sleep(1.2)
    produce(broker, [{"n": n} for n in range(60)])
    wait_until(lambda: len(lines(files / "out")) >= 30, 20, "half of it")
    two.kill()
    one.wait_drained("jobs")
    done = lines(files / "out")
    assert 60 <= len(done) <= 64, "each once, but for what the killed one had in hand"
    two.start()


def test_the_broker_restarts_and_the_bridge_goes_on(bridge, files):
    bridge.route("jobs", "exec", {**USER, "command": append_to(files / "out")})
    produce(bridge.broker, [{"n": 1}])
    bridge.wait_drained("jobs")
    since = len(bridge.log())
    bridge.broker.kill()
    bridge.wait_log("is lost", since=since)
    bridge.broker.start()
    bridge.wait_log("connected to", 20, since=since)
    produce(bridge.broker, [{"n": 2}])
    bridge.wait_drained("jobs")
    assert [json.loads(line)["n"] for line in lines(files / "out")] == [1, 2]


def test_nothing_is_lost_when_the_bridge_is_killed_again_and_again(broker, start_bridge, files):
    """The commands write before they end: what was written and not acknowledged comes again."""
    kills, seed = 100 if SOAK else 8, int(os.environ.get("SLUICE_SEED", random.randrange(1 << 30)))
    print(f"SLUICE_SEED={seed}")
    instants = random.Random(seed)
    bridge = start_bridge(broker)
    bridge.route("jobs", "exec", {**USER, "command": append_to(files / "out")}, queue={"visibility_timeout_s": 1},
                 delivery={"concurrency": 4})
    producer, sent = broker.client(version=5), 0
    for _ in range(kills):
        deadline = time.monotonic() + instants.uniform(0.05, 0.8)
        while time.monotonic() < deadline:
            producer.publish("in/x", {"n": sent}, wait=sent % 20 == 0)
            sent += 1
            time.sleep(0.01)
        bridge.kill()
        bridge.start(wait=instants.random() < 0.5)
    producer.publish("in/x", {"n": sent})
    numbers = bridge.wait_drained("jobs", 60)
    counted = collections.Counter(json.loads(line)["n"] for line in lines(files / "out"))
    assert set(counted) == set(range(sent + 1))
    print(f"{sent + 1} events, {sum(counted.values()) - sent - 1} twice, {numbers['redelivered']} given out again")
    assert numbers["dead"] == 0


def test_its_numbers_are_the_brokers_to_show(bridge, files):
    bridge.route("jobs", "exec", {**USER, "command": ["/bin/sh", "-c", "echo broken >&2; exit 75"]},
                 delivery={**HARD, "max_attempts": 2})
    produce(bridge.broker, [{"n": 1}])
    bridge.dead_letters("jobs")

    def reported():
        (answer,) = bridge.broker.command({"command": "getBridgeStatus"})
        for one in answer["data"]["bridges"]:
            for target in one["targets"]:
                if target.get("dead") == 1:
                    return one, target
        return None

    one, target = wait_until(reported, 15, "the report")
    assert one["bridge"] == bridge.name
    assert target["name"] == "jobs" and target["retried"] == 1 and target["delivered"] == 0
    assert "broken" in target["last_error"]


def test_a_bridge_runs_no_sources_and_no_commands_where_it_is_told_not_to(broker, start_bridge, files):
    bridge = start_bridge(broker, "--no-sources", "--no-exec")
    bridge.route("jobs", "exec", {**USER, "command": append_to(files / "out")})
    bridge.put_source("hook", "webhook", {"listen": "127.0.0.1:1", "path": "/"}, topic="{topic}")
    bridge.wait_log("target jobs: this bridge runs no commands")
    produce(broker, [{"n": 1}])

    def reported():
        (answer,) = broker.command({"command": "getBridgeStatus"})
        return [one for one in answer["data"]["bridges"] if one["targets"]]

    (one,) = wait_until(reported, 15, "the report")
    assert one["sources"] == []
    assert lines(files / "out") == []


def test_wrong_options_are_told(directory, broker, start_bridge):
    for arguments, told in ((["--nam", "x"], "unknown option --nam"), (["--name", "a b"], "--name: a name is"),
                            (["operand"], "it takes options alone"), (["--port", "0"], "is no whole number")):
        bridge = start_bridge(broker, *arguments, wait=False)
        assert bridge.process.wait(10 * PATIENCE) == 2
        bridge.process = None
        assert told in bridge.log()
