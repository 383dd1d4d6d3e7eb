# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Order from one producer to one consumer topic, and nothing lost or doubled on the way there."""
import os
import subprocess
import threading

import pytest

import harness

# The broker drops what is queued for a slow consumer past 1,000 by default.
CONFIG = "max_queued_messages 0"
SLOW = harness.PATIENCE > 1
SOAK = os.environ.get("SLUICE_SOAK") == "1"  # scripts/test-soak sets it


def order(tool, broker, count, qos=1, copies=1, topic="in", filter="consumers/c/#", listener="default", cafile=None):
    arguments = [tool, broker.ports[listener], count, qos, copies, topic, filter]
    result = harness.run(*arguments, *([cafile] if cafile else []), timeout=180, check=False)
    assert result.code == 0, result
    return result.json


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_order_holds_over_many_messages(start_broker, order_tool, qos):
    broker = start_broker(config=CONFIG)
    broker.put_rule("all", {"n": [{"exists": True}]}, {"id": "t", "topic": "consumers/c/{topic}", "qos": "inherit"})
    order(order_tool, broker, 100000 if SOAK else 5000 if SLOW else 20000, qos)


TRANSFORMED = {"input_transformer": {"paths": {"n": "$.n"}, "template": "{\"number\": <n>}"}}


@pytest.mark.parametrize("targets", [
    pytest.param([{}], id="one target"),
    pytest.param([{}, {}], id="two targets"),
    pytest.param([TRANSFORMED], id="a transformer"),
    pytest.param([{}, TRANSFORMED, {"input_path": "$.n"}], id="whole, transformed and a part"),
])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_order_holds_whatever_the_targets_make_of_an_event(start_broker, order_tool, targets, qos):
    broker = start_broker(config=CONFIG)
    broker.put_rule("all", {"n": [{"numeric": [">=", 0]}]},
                    [{"id": f"t{number}", "topic": "consumers/c/x", "qos": qos, **target}
                     for number, target in enumerate(targets)])
    order(order_tool, broker, 1000 if SLOW else 5000, qos, len(targets))


def test_order_holds_over_two_rules_on_one_topic(start_broker, order_tool):
    broker = start_broker(config=CONFIG)
    for name in ("one", "two"):
        broker.put_rule(name, {"n": [{"exists": True}]}, "consumers/c/x")
    order(order_tool, broker, 1000 if SLOW else 10000, copies=2)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_order_holds_over_tls(start_broker, order_tool, certificates, qos):
    broker = start_broker(config=CONFIG, listeners={"tls": "\n".join((
        f"cafile {certificates['ca_certificate']}", f"certfile {certificates['server_certificate']}",
        f"keyfile {certificates['server_key']}"))})
    broker.put_rule("all", {"n": [{"exists": True}]}, {"id": "t", "topic": "consumers/c/x", "qos": "inherit"})
    order(order_tool, broker, 1000 if SLOW else 20000, qos, listener="tls", cafile=certificates["ca_certificate"])


def test_order_holds_over_a_chain_of_buses(start_broker, order_tool):
    broker = start_broker(config=CONFIG)
    broker.put_bus("second", [])
    broker.put_rule("first", {"n": [{"exists": True}]}, [{"id": "b", "bus": "second"}, {"id": "t", "topic": "consumers/c/x"}])
    broker.put_rule("second", {"n": [{"exists": True}]}, "consumers/c/x", bus="second")
    order(order_tool, broker, 1000 if SLOW else 10000, copies=2)


def churn(broker, rounds, stop):
    """Puts and deletes a rule that matches the same events, again and again; returns how often."""
    done = 0
    with harness.Client(broker).connect() as client:
        while done < rounds and not stop.is_set():
            commands = []
            for number in range(25):
                name = f"comes-and-goes-{number % 5}"
                commands += [{"command": "putRule", "rule": {
                    "name": name, "pattern": {"n": [{"numeric": [">=", done + number]}]},
                    "targets": [{"id": "t", "topic": f"elsewhere/{name}"}]}},
                    {"command": "deleteRule", "name": name}]
            for answer in client.command(*commands, timeout=30):
                assert "error" not in answer, answer
            done += 25
    return done


def test_rules_that_come_and_go_disturb_no_other_rule(start_broker, order_tool):
    broker = start_broker(config=CONFIG)
    broker.put_rule("stays", {"n": [{"exists": True}]}, "consumers/c/x")
    rounds, batch = (3000, 20000) if SOAK else (200, 2000) if SLOW else (600, 5000)
    finished, churned, failures = threading.Event(), [], []

    def run_churn():
        try:
            churned.append(churn(broker, rounds, threading.Event()))
        except BaseException as failure:  # the thread's failure is the test's
            failures.append(failure)
        finally:
            finished.set()

    thread = threading.Thread(target=run_churn)
    thread.start()
    loads = 0
    try:
        while not finished.is_set():
            order(order_tool, broker, batch)
            loads += 1
    finally:
        thread.join()
    assert not failures, failures
    assert churned == [rounds]
    assert loads >= 1
    assert [rule["name"] for rule in broker.command({"command": "listRules"})[0]["data"]["rules"]] == ["stays"]


def test_rules_that_sqlite3_changes_under_load_disturb_no_other_rule(start_broker, order_tool):
    broker = start_broker(config=CONFIG)
    broker.put_rule("stays", {"n": [{"exists": True}]}, "consumers/c/x")
    statements = []
    for number in range(200):
        statements.append(f"""INSERT OR REPLACE INTO rules(name, bus, state, pattern) VALUES
            ('outside', 'default', 'ENABLED', '{{"n":[{number}]}}');""")
        statements.append("""INSERT OR REPLACE INTO targets(rule, id, position, definition) VALUES
            ('outside', 't', 0, '{"id":"t","topic":"elsewhere/x"}');""")
        if number % 3 == 0:
            statements.append("DELETE FROM rules WHERE name = 'outside';")
    shell = subprocess.Popen(["sqlite3", "-cmd", ".timeout 10000", str(broker.db)], stdin=subprocess.PIPE, text=True)
    shell.stdin.write("\n".join(statements))
    shell.stdin.close()
    order(order_tool, broker, 2000 if SLOW else 20000)
    assert shell.wait(30) == 0


def test_a_reload_under_load_loses_nothing(start_broker, order_tool):
    broker = start_broker(config=CONFIG)
    broker.put_rule("stays", {"n": [{"exists": True}]}, "consumers/c/x")
    stop = threading.Event()

    def reload():
        while not stop.wait(0.1):
            broker.reload()

    thread = threading.Thread(target=reload)
    thread.start()
    try:
        order(order_tool, broker, 1000 if SLOW else 20000)
    finally:
        stop.set()
        thread.join()
