# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""sluice queue status, peek, purge, redrive and delete, on queues that hold messages."""
import json
import os
import pty
import re
import subprocess

import pytest

from harness import SLUICE, wait_until


def put(broker, queue, count=1):
    producer = broker.client(version=5, inflight=1000)
    for number in range(count):
        producer.publish(f"queues/{queue}/in", {"n": number}, wait=number == count - 1, timeout=60)


def numbers(broker, queue):
    return broker.cli("queue", "status", queue, "--json").json


def held(broker, queue):
    """How many messages it holds. Where no worker is, one may be on offer to subscribers that nobody knows of."""
    now = numbers(broker, queue)
    return now["ready"] + now["in_flight"] + now["delayed"]


def worker(broker, queue, credit=1):
    client = broker.client(version=5)
    client.publish(f"queues/{queue}/ready", str(credit))
    return client


def nack(client, message, payload=""):
    _, queue, _, receipt = message.topic.split("/")
    client.publish(f"queues/{queue}/nack/{receipt}", payload)


@pytest.fixture
def jobs(broker):
    broker.put_queue("dead")
    broker.put_queue("jobs", max_receives=1, dead_letter="dead")
    return broker


def test_status_shows_the_numbers_of_one_and_of_all(jobs):
    put(jobs, "jobs", 3)
    worker(jobs, "jobs").take()
    assert numbers(jobs, "jobs").items() >= {"ready": 2, "in_flight": 1, "delayed": 0, "workers": 1, "accepted": 3,
                                             "bytes": 24, "redriving": False}.items()
    text = jobs.cli("queue", "status", "jobs").out
    assert re.search(r"^in_flight +1$", text, re.M) and re.search(r"^oldest_age_s +\d+$", text, re.M)
    head, dead, row = jobs.cli("queue", "status").out.splitlines()
    assert head.split() == "queue ready in flight delayed oldest s workers acked again dead expired bytes".split()
    assert dead.split() == ["dead", *"0000000000"]
    assert row.split()[:4] == ["jobs", "2", "1", "0"] and row.split()[5] == "1"
    assert [queue["name"] for queue in jobs.cli("queue", "status", "--json").json["queues"]] == ["dead", "jobs"]


def test_status_of_all_comes_in_pages(jobs):
    (answer,) = jobs.command({"command": "getQueueStatus", "limit": 1})
    assert [queue["name"] for queue in answer["data"]["queues"]] == ["dead"] and answer["data"]["next"] == "dead"
    (answer,) = jobs.command({"command": "getQueueStatus", "after": "dead", "limit": 1})
    assert [queue["name"] for queue in answer["data"]["queues"]] == ["jobs"] and "next" not in answer["data"]
    (answer,) = jobs.command({"command": "getQueueStatus", "prefix": "j"})
    assert [queue["name"] for queue in answer["data"]["queues"]] == ["jobs"]
    (answer,) = jobs.command({"command": "getQueueStatus", "name": "jobs", "prefix": "j"})
    assert (answer["code"], answer["place"]) == ("invalid", "$.name")


@pytest.mark.parametrize("verb", [("status",), ("peek",), ("purge", "--yes"), ("redrive",), ("delete",)], ids=lambda verb: verb[0])
def test_a_queue_that_is_not_there_is_told(broker, verb):
    result = broker.cli("queue", *verb, "nowhere", check=False)
    assert result.code == 1 and '"nowhere"' in result.err


def test_peek_shows_messages_and_takes_none(jobs):
    put(jobs, "jobs", 4)
    worker(jobs, "jobs").take()

    def rows():
        lines = jobs.cli("queue", "peek", "jobs", "--json").out.splitlines()
        return [json.loads(line) for line in lines]

    wait_until(lambda: [row["state"] for row in rows()] == ["in_flight", "ready", "ready", "ready"], what="all to show")
    assert [row["payload"] for row in rows()] == [f'{{"n": {number}}}' for number in range(4)]
    text = jobs.cli("queue", "peek", "jobs", "--limit", 1).out
    assert re.fullmatch(r'\d+  in_flight  \d{4}-\d\d-\d\dT\S+Z  attempts 1  topic queues/jobs/in  worker \S+\n  {"n": 0}\n', text), text
    behind = jobs.cli("queue", "peek", "jobs", "--after", rows()[1]["number"]).out
    assert behind.count("\n") == 4
    assert numbers(jobs, "jobs")["ready"] == 3


def test_peek_goes_on_over_pages(jobs):
    put(jobs, "jobs", 1100)
    wait_until(lambda: jobs.cli("queue", "peek", "jobs", "--limit", 5000, "--json").out.count("\n") == 1100, 20, "all of them")
    assert jobs.cli("queue", "peek", "jobs", "--limit", 700, "--json").out.count("\n") == 700


def test_purge_deletes_all_once_it_is_told_to(jobs):
    put(jobs, "jobs", 5)
    result = jobs.cli("queue", "purge", "jobs", check=False, input="")
    assert result.code == 2 and "--yes" in result.err
    assert held(jobs, "jobs") == 5
    assert jobs.cli("queue", "purge", "jobs", "--yes").out == "jobs: 5 messages deleted\n"
    assert jobs.cli("queue", "purge", "jobs", "--yes", "--json").json == {"name": "jobs", "purged": 0}
    assert held(jobs, "jobs") == 0


@pytest.mark.parametrize("answer, left", [("\n", 1), ("n\n", 1), ("y\n", 0)], ids=["nothing", "no", "yes"])
def test_purge_asks_a_person(jobs, answer, left):
    put(jobs, "jobs")
    master, slave = pty.openpty()
    process = subprocess.Popen([SLUICE, "queue", "purge", "jobs", "-h", "127.0.0.1", "-p", str(jobs.port)], stdin=slave,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.write(master, answer.encode())
    _, said = process.communicate(timeout=30)
    os.close(master)
    os.close(slave)
    assert "Delete 1 message of the queue jobs? [y/N]" in said
    assert process.returncode == (1 if left else 0)
    assert held(jobs, "jobs") == left


def test_redrive_brings_dead_letters_back_to_where_they_came_from(jobs):
    put(jobs, "jobs", 3)
    client = worker(jobs, "jobs", 10)
    for message in client.wait_for(3):
        nack(client, message, "broken")
    client.close()
    assert held(jobs, "dead") == 3
    assert jobs.cli("queue", "redrive", "dead", "--limit", 1).out == "dead: 1 message moved, 2 left\n"
    assert jobs.cli("queue", "redrive", "dead", "--json").json == {"name": "dead", "moved": 2, "left": 0, "stayed": 0}
    assert held(jobs, "jobs") == 3 and numbers(jobs, "dead")["redriven"] == 3


def test_redrive_moves_more_than_fit_in_memory(jobs):
    put(jobs, "jobs", 3000)
    assert jobs.cli("queue", "redrive", "jobs", "--to", "dead").out == "jobs: 3000 messages moved, 0 left\n"
    assert held(jobs, "dead") == 3000


def test_redrive_passes_over_what_comes_from_nowhere_and_says_so(jobs):
    put(jobs, "dead", 2)
    put(jobs, "jobs", 3)
    client = worker(jobs, "jobs", 10)
    for message in client.wait_for(3):
        nack(client, message, "broken")
    client.close()
    result = jobs.cli("queue", "redrive", "dead", check=False)
    assert result.code == 1 and "2 messages stayed, from no queue that is in force" in result.err
    # One may be on offer.
    assert re.fullmatch("dead: 3 messages moved, [12] left\n", result.out)
    assert held(jobs, "jobs") == 3 and held(jobs, "dead") == 2 and numbers(jobs, "dead")["stayed"] == 2
    jobs.restart()
    assert held(jobs, "jobs") == 3 and held(jobs, "dead") == 2
    assert jobs.cli("queue", "redrive", "dead", "--to", "jobs").out == "dead: 2 messages moved, 0 left\n"
    result = jobs.cli("queue", "redrive", "jobs", "--to", "jobs", check=False)
    assert result.code == 3 and "must be another queue" in result.err


def test_redrive_passes_over_more_than_fit_in_memory(jobs):
    put(jobs, "dead", 2500)
    client = worker(jobs, "jobs", 1)
    put(jobs, "jobs", 1)
    nack(client, client.take()[0], "broken")
    client.close()
    result = jobs.cli("queue", "redrive", "dead", "--json", check=False)
    assert (result.json["moved"], result.json["stayed"]) == (1, 2500)
    assert held(jobs, "dead") == 2500


def test_a_queue_that_holds_messages_is_not_deleted_by_mistake(jobs):
    put(jobs, "jobs", 2)
    result = jobs.cli("queue", "delete", "jobs", check=False)
    assert result.code == 6 and "holds 2 messages" in result.err
    assert jobs.cli("queue", "delete", "dead").code == 0
    assert jobs.cli("queue", "delete", "jobs", "--purge", "--keep-messages", check=False).code == 2
    assert jobs.cli("queue", "delete", "jobs", "--purge", "--if-revision", 1, check=False).code == 2
    assert jobs.offline("queue", "delete", "jobs", "--purge", check=False).code == 2
    assert held(jobs, "jobs") == 2


@pytest.mark.parametrize("option, left", [("--keep-messages", 2), ("--purge", 0)])
def test_messages_of_a_deleted_queue_are_kept_or_purged(jobs, option, left):
    put(jobs, "jobs", 2)
    jobs.cli("queue", "delete", "jobs", option)
    assert jobs.cli("queue", "status", "jobs", check=False).code == 1
    if left:
        wait_until(lambda: jobs.cli("queue", "peek", "jobs").out.count("\n") == 4, what="them to show")
    jobs.put_queue("jobs")
    wait_until(lambda: held(jobs, "jobs") == left, what="what it holds to be known")
    assert [message.json["n"] for message in worker(jobs, "jobs", 5).take()] == list(range(left))


def test_status_shows_the_durable_part(jobs):
    text = jobs.cli("status").out
    assert re.search(r"^durable\.state +ok$", text, re.M) and re.search(r"^durable\.journal_bytes +\d+$", text, re.M)
