# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Queues under a broker that is killed, again and again. SLUICE_SOAK=1, which scripts/test-soak sets, makes the tests long."""
import json
import os
import pathlib
import random
import subprocess
import threading
import time

import pytest

import harness
from harness import PATIENCE, wait_until

SOAK = os.environ.get("SLUICE_SOAK") == "1"
SLOW = PATIENCE > 1
QUIET = "log_type none\nlog_type error\nlog_type warning\nlog_type notice"
ALL = {"event": [{"exists": True}]}


def numbers(broker, queue):
    (answer,) = broker.command({"command": "getQueueStatus", "name": queue})
    assert "error" not in answer, answer
    return answer["data"]


class Load:
    """tools/queue_load.c, running."""

    def __init__(self, tool, broker, *arguments):
        self.process = subprocess.Popen([str(argument) for argument in (tool, *arguments)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.broker = broker

    def wait_moving(self):
        assert self.process.stdout.readline() == "moving\n", f"no event was taken:\n{self.broker.log()[-3000:]}"

    def finish(self, timeout=120):
        """Lets it end, which takes until all that it sent is consumed; returns what it counted."""
        out, _ = self.process.communicate(timeout=timeout * PATIENCE)
        assert out, f"queue_load ended with {self.process.returncode}"
        counted = json.loads(out.splitlines()[-1])
        print(counted)
        assert self.process.returncode == 0, counted
        return counted

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture
def load(queue_load_tool):
    """load(broker, ARGUMENT…) → a Load."""
    loads = []

    def start(broker, *arguments):
        loads.append(Load(queue_load_tool, broker, *arguments))
        return loads[-1]

    yield start
    for one in loads:
        one.close()


def is_empty(broker, queue):
    status = numbers(broker, queue)
    return status["ready"] == status["in_flight"] == status["delayed"] == 0


def test_nothing_acknowledged_is_lost_when_the_broker_is_killed_at_any_instant(start_broker, load):
    kills = 200 if SOAK else 3 if SLOW else 12
    visibility_s = 2 if SLOW else 1
    seed = int(os.environ.get("SLUICE_SEED", random.randrange(1 << 30)))
    print(f"SLUICE_SEED={seed}")
    instants = random.Random(seed)
    broker = start_broker(config=QUIET)
    broker.put_queue("plain", visibility_timeout_s=visibility_s)
    broker.put_queue("fifo", visibility_timeout_s=visibility_s, group="$.group")
    broker.put_rule("all", ALL, [{"id": "p", "queue": "plain"}, {"id": "f", "queue": "fifo"}])
    under_way = load(broker, "-p", 3, "-g", 12, "-v", visibility_s * 1000, "-h", 10, "-n", 5, "-s", seed, broker.port,
                     "plain:20", "plain:3", "fifo:10:g", "fifo:4:g")
    under_way.wait_moving()
    for number in range(kills):
        # Some while they start, which takes as long as the disk likes, and some under load.
        if number % 2:
            wait_until(broker.answers, 30, "the broker to listen")
        time.sleep(instants.uniform(0, 0.5) * (5 if SLOW else 1))
        assert broker.process.poll() is None, f"it ended by itself:\n{broker.log()[-3000:]}"
        broker.kill()
        broker.spawn()
    wait_until(broker.answers, 30, "the broker to listen")
    counted = under_way.finish()
    assert counted["reconnects"] >= kills / 3
    assert counted["nacks"] > 0
    for queue in ("plain", "fifo"):
        wait_until(lambda queue=queue: is_empty(broker, queue), 30, lambda queue=queue: str(numbers(broker, queue)))


def resident_kb(broker):
    """All that is resident, and what of it is no file: the journal's segments, which are mapped, are bounded by journal_max."""
    text = pathlib.Path(f"/proc/{broker.process.pid}/status").read_text()
    return [int(text.split(name)[1].split()[0]) for name in ("VmRSS:", "RssAnon:")]


def test_a_queue_whose_consumer_is_away_takes_constant_memory_and_comes_in_order(start_broker, load):
    events = 1000000 if SOAK else 2000 if SLOW else 20000
    away = events * 9 // 10
    journal_max = 32 << 20
    broker = start_broker(config=f"{QUIET}\nmax_inflight_messages 1000", options={"journal_max": journal_max})
    broker.put_queue("jobs", visibility_timeout_s=43200)
    broker.put_rule("all", ALL, {"id": "q", "queue": "jobs"})
    began = time.monotonic()
    under_way = load(broker, "-e", events, "-a", away, "-w", 200, "-v", 1000, broker.port, "jobs:500:o")
    under_way.wait_moving()
    samples, ended = [], threading.Event()

    def sample():
        while not ended.wait(0.2 if not SOAK else 1):
            samples.append((numbers(broker, "jobs")["accepted"], *resident_kb(broker)))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        counted = under_way.finish(timeout=3600 if SOAK else 100)
    finally:
        ended.set()
        sampler.join()
    took = time.monotonic() - began
    # At a quarter its window has long been full.
    early = max(own for accepted, _, own in samples if accepted <= max(events // 4, samples[0][0]))
    latest, most = max(own for *_, own in samples), max(all_of_it for _, all_of_it, _ in samples)
    print(f"{events / took:.0f} events/s; at a quarter {early} kB of its own, at most {latest} kB, with what is mapped {most} kB")
    assert counted["acknowledged"] == events
    assert counted["again"] == counted["copies"] == 0
    if not SLOW and not harness.preloads():  # valgrind and AddressSanitizer keep what is freed
        assert latest < early + 16 * 1024
        assert most < early + (journal_max >> 10) + 64 * 1024
    assert is_empty(broker, "jobs")


def test_a_topic_target_can_lose_what_its_producer_was_told_is_safe_and_a_queue_does_not(start_broker):
    """What it loses was handed to the broker and not yet sent when that was killed: in memory, until the next turn of its loop,
    though the producer had its PUBACK. One of some kills falls into such a turn."""
    count = 200
    lost = 0
    kept = set()
    broker = start_broker(config=f"{QUIET}\nset_tcp_nodelay true", persistence=True)
    broker.put_queue("jobs")
    broker.put_rule("all", ALL, [{"id": "t", "topic": "consumers/c/{topic}", "qos": 1}, {"id": "q", "queue": "jobs"}])
    consumer = broker.client("consumer", clean=False)
    consumer.subscribe("consumers/#", qos=1)
    for round_number in range(20):
        producer = broker.client()
        acknowledged = []
        first_safe = threading.Event()

        def on_publish(_client, _data, number, acknowledged=acknowledged, first_safe=first_safe):
            acknowledged.append(number)
            first_safe.set()

        producer.paho.on_publish = on_publish
        for number in range(count):
            producer.paho.publish("in/x", json.dumps({"event": round_number * count + number}), 1)
        first_safe.wait(10 * PATIENCE)
        broker.kill()
        time.sleep(0.1)
        kept |= {round_number * count + number - 1 for number in list(acknowledged)}
        producer.kill()
        got = {message.json["event"] for message in consumer.messages}
        consumer.kill()
        broker.start()
        consumer = broker.client("consumer", clean=False)
        consumer.subscribe("consumers/#", qos=1)
        consumer.barrier()
        got |= {message.json["event"] for message in consumer.messages}
        consumer.messages.clear()
        lost = len({number for number in kept if number >= round_number * count} - got)
        if lost:
            break
    assert lost > 0, "no event was lost on its way to a topic"
    worker = broker.client(version=5)
    worker.publish("queues/jobs/ready", "10000")
    from_queue = set()
    deadline = time.monotonic() + 20 * PATIENCE
    while not kept <= from_queue and time.monotonic() < deadline:
        with worker.arrived:
            worker.arrived.wait(0.1)
            messages, worker.messages = worker.messages, []
        for message in messages:
            from_queue.add(message.json["event"])
            worker.publish(f"queues/jobs/ack/{message.topic.rsplit('/', 1)[1]}", wait=False)
    assert kept <= from_queue
