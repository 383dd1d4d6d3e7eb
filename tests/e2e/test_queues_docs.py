# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""docs/queues.md: its shell sessions do what stands below them, and its tables are whole."""
import json
import re
import sqlite3
import subprocess
import time

import pytest

from harness import REPOSITORY, SLUICE, broker_version, wait_until

TEXT = (REPOSITORY / "docs" / "queues.md").read_text()
BLOCK = re.compile(r"^```sh\n(.*?)^```$(?:\n```text\n(.*?)^```$)?", re.M | re.S)
PRELUDE = """set -e
mosquitto_pub() { command mosquitto_pub -p %(port)s "$@"; }
mosquitto_sub() { command mosquitto_sub -p %(port)s "$@"; }
mosquitto_rr() { command mosquitto_rr -p %(port)s -W 120 "$@"; }
sluice() { %(sluice)s "$@" -p %(port)s; }
"""
MARK = "---- what the next block says"


def pattern_of(shown):
    """A regular expression: "…" stands for what varies."""
    return ".*".join(re.escape(part) for part in shown.split("…"))


def test_the_shell_sessions_do_what_they_say(broker, tmp_path):
    blocks = BLOCK.findall(TEXT)
    assert len(blocks) == TEXT.count("```sh\n") >= 7
    script = PRELUDE % {"port": broker.port, "sluice": SLUICE} + f"echo '{MARK}'\n".join(code for code, _ in blocks)
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done
    said = done.stdout.split(MARK + "\n")
    assert len(said) == len(blocks), done
    for (code, shown), out in zip(blocks, said):
        assert re.fullmatch(pattern_of(shown), out, re.S), f"{code}\nshown: {shown}\nsaid: {out}"


def test_the_numbers_are_those_of_the_command(broker):
    broker.put_queue("jobs")
    rows = re.findall(r"^\| (`[^|]*) \| (.*) \|$", TEXT.split("## Numbers")[1], re.M)
    listed = {name for first, text in rows for name in re.findall(r"`([a-z_]+)`", first)} | {"redelivered"}
    (answer,) = broker.command({"command": "getQueueStatus", "name": "jobs"})
    assert set(answer["data"]) == listed


def test_a_batch_looks_as_shown(broker):
    shown = json.loads(re.search(r"^```json\n(.*?)^```$", TEXT, re.M | re.S).group(1))
    broker.put_queue("jobs", batch={"max_events": 2})
    broker.put_rule("orders", {"order": [{"exists": True}]}, {"id": "work", "queue": "jobs"})
    producer, worker = broker.client(), broker.client(version=5)
    producer.publish("shop/berlin", '{ "order": 17 }')
    producer.publish("queues/jobs/in", "order 18, by telephone")
    worker.publish("queues/jobs/ready", "10")
    (message,) = worker.take()
    assert [set(event) for event in message.json] == [set(event) for event in shown]
    for event, expected in zip(message.json, shown):
        for varies in ("receipt", "id"):
            assert len(event.pop(varies)) == len(expected.pop(varies))
        assert event == expected
    assert message.content_type == "application/json"


LARGE = "x" * 300_000


@pytest.fixture
def full(start_broker):
    """A broker whose journal is full, since somebody holds the file that it is carried over into; and how to end that."""
    broker = start_broker(options={"journal_max": 4 * 1024 * 1024})
    broker.put_queue("jobs")
    broker.put_rule("work", {"order": [{"exists": True}]}, [{"id": "t", "queue": "jobs"}, {"id": "o", "topic": "copies/{topic}"}])
    broker.put_rule("other", {"other": [{"exists": True}]}, "copies/other")
    producer = broker.client()
    producer.publish("queues/jobs/in", "0")
    lock = sqlite3.connect(broker.db.with_name("sluice-data.db"), isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")

    def taken():
        (answer,) = broker.command({"command": "getQueueStatus", "name": "jobs"})
        return answer["data"]["accepted"]

    refused = 0
    while refused < 3:  # more segments may be made ready meanwhile
        before = taken()
        for _ in range(20):
            producer.publish("queues/jobs/in", LARGE, qos=0)
        producer.barrier()
        refused = refused + 1 if taken() == before else 0
        time.sleep(0.3)
    yield broker, lock
    lock.close()


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_where_there_is_no_room_a_producer_is_not_told_that_all_is_well(full, version, qos):
    broker, _ = full
    consumer = broker.client()
    consumer.subscribe("copies/#", qos=1)
    no_room = broker.status()["durable"]["no_room"]
    producer = broker.client(version=version)
    since = len(broker.log())
    information = producer.publish("x", '{"order": 1, "text": "%s"}' % LARGE, qos=qos, wait=False)
    if qos == 0:
        producer.barrier()
    elif broker_version() >= (2, 1) and version == 5:
        broker.wait_log(rf"Sending PUB(ACK|REC) to {producer.client_id} \(m1, rc151\)", since=since)
    else:
        broker.wait_log(rf"[Cc]lient {producer.client_id}\b.*[Ee]rror", since=since)
        assert not information.is_published()
    broker.client(version=version).publish("x", '{"other": 1}', qos=qos)
    consumer.wait_for(1)
    assert consumer.topics() == ["copies/other"]
    assert broker.status()["durable"]["no_room"] > no_room


def test_where_there_is_room_again_messages_are_taken(full):
    broker, lock = full
    (answer,) = broker.command({"command": "getQueueStatus", "name": "jobs"})
    lock.execute("ROLLBACK")
    wait_until(lambda: broker.status()["durable"]["journal_lag_bytes"] == 0, 20, "the journal to be carried over")
    broker.client().publish("queues/jobs/in", LARGE)
    broker.restart()
    (after,) = broker.command({"command": "getQueueStatus", "name": "jobs"})
    assert after["data"]["ready"] + after["data"]["in_flight"] == answer["data"]["accepted"] + 1
