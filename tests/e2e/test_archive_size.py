# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""An archive of 10 GB (20 MB, where scripts/test-soak does not say SLUICE_SOAK=1): whether the router minds."""
import json
import os
import pathlib
import random
import statistics
import threading
import time

import pytest

import harness
from harness import PATIENCE, wait_until

SOAK = os.environ.get("SLUICE_SOAK") == "1"
# How much slower it may get. scripts/test shares its machine, and so measures little in its short turns.
SLOWEST, DEAREST, CALLBACK_US = (0.5, 2, 1000) if SOAK else (0.1, 5, 20000)
QUIET = "log_type none\nlog_type error\nlog_type warning\nset_tcp_nodelay true"
BYTES = 10_000_000_000 if SOAK else 20_000_000
SMALL_ROWS = 1_000_000 if SOAK else 5_000
ROUNDS, TURN_S = (9, 2) if SOAK else (2, 0.2)
WARM_UP = 300  # broker_load's, which its count leaves out
DAY_S = 86400


@pytest.fixture(scope="session")
def broker_load(workspace):
    program = workspace / "broker_load"
    harness.run("gcc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-o", program, harness.REPOSITORY / "tests/bench/broker_load.c")
    return program


def payload(size):
    event = {"device": "boiler-000017", "site": "berlin", "temperature": 41.25, "status": "hot", "pad": ""}
    return json.dumps({**event, "pad": "x" * (size - len(json.dumps(event)))})


class Archived:
    """A broker that archives everything, and what it is loaded with."""

    def __init__(self, broker, tool, directory):
        self.broker, self.tool, self.directory = broker, tool, directory
        for size in (200, 60000):
            (directory / f"event-{size}").write_text(payload(size))
        self.keep(0)

    def keep(self, max_bytes):
        self.broker.put_bus("default", ["#"], archive={"retention_s": DAY_S, "max_bytes": max_bytes})

    def archive(self):
        (answer,) = self.broker.command({"command": "listArchives"}, timeout=60)
        return next((one for one in answer["data"]["archives"] if one["bus"] == "default"), {"events": 0, "bytes": 0})

    def durable(self):
        return self.broker.status()["durable"]

    def settle(self):
        wait_until(lambda: self.durable()["journal_lag_bytes"] == 0, 120, "the data thread")

    def load(self, qos, seconds, rate=0, size=200, consume=""):
        return harness.run(self.tool, self.broker.port, qos, seconds, rate, "plants/berlin/boiler-17", consume,
                           self.directory / f"event-{size}", self.broker.process.pid, timeout=120).json

    def fill(self):
        """At full speed, at QoS 0: what finds no room in the journal is dropped, and others come."""
        began = time.monotonic()
        while self.archive()["events"] < SMALL_ROWS:
            self.load(0, 2 if SOAK else 0.2)
            self.settle()
        while (now := self.archive()["bytes"]) < BYTES:
            self.load(0, min(5, max(0.1, (BYTES - now) / 5e8)), size=60000)
            self.settle()
        seconds = time.monotonic() - began
        now = self.archive()
        print(f"{now['bytes'] / 1e9:.2f} GB in {now['events']} events, in {seconds:.0f} s")

    def turn(self):
        """Events a second at full load, and what each took of the broker's own thread."""
        clock = pathlib.Path(f"/proc/{self.broker.process.pid}/task/{self.broker.process.pid}/schedstat")
        before = int(clock.read_text().split()[0])
        result = self.load(1, TURN_S)
        return result["per_second"], (int(clock.read_text().split()[0]) - before) / (result["sent"] + WARM_UP) / 1000


class Meanwhile:
    """Searches the archive through, again and again, and has it trimmed a little."""

    def __init__(self, archived):
        self.archived, self.searches, self.failure = archived, 0, None
        self.bound = archived.archive()["bytes"]
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.search)
        self.thread.start()

    def search(self):
        try:
            while not self.ended.is_set():
                result = self.archived.broker.cli("archive", "search", "--bus", "default", "--pattern",
                                                  '{"status":["cold"]}', "--from", "1d", timeout=600, check=False)
                assert (result.code, result.err) == (1, ""), result  # it finds none
                self.searches += 1
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure

    def trim(self):
        self.bound -= BYTES // 50
        self.archived.keep(self.bound)

    def end(self):
        self.ended.set()
        self.thread.join()
        assert self.failure is None, self.failure


def compare(empty, large):
    meanwhile = Meanwhile(large)
    turns = {empty: [], large: []}
    try:
        for _ in range(ROUNDS):
            meanwhile.trim()
            for one in random.sample((empty, large), 2):
                turns[one].append(one.turn())
                one.settle()
    finally:
        meanwhile.end()
    (rate, cpu_us), (large_rate, large_cpu_us) = (
        [statistics.median(turn[i] for turn in turns[one]) for i in (0, 1)] for one in (empty, large))
    print(f"empty: {rate:.0f} events/s, {cpu_us:.2f} µs of the broker's thread each; with {BYTES / 1e9:g} GB, searched "
          f"({meanwhile.searches} times through) and trimmed: {large_rate:.0f}, {large_cpu_us:.2f} µs")
    assert large_rate > rate * SLOWEST
    assert large_cpu_us < cpu_us * DEAREST


def trim_to(large, keep):
    before = large.durable()["no_room"]
    print(f"callback until here: {large.broker.status()['callback_us']}")
    quiet = large.load(1, 1, rate=500, consume="plants/#")
    began = time.monotonic()
    large.keep(keep)
    loads, most_lag = [], 0
    while large.archive()["bytes"] > keep * 1.2 + 1e6:
        loads.append(large.load(1, 1 if SOAK else 0.2, rate=500, consume="plants/#"))
        most_lag = max(most_lag, large.durable()["journal_lag_bytes"])
        assert time.monotonic() - began < 1200
    seconds = time.monotonic() - began
    callback = large.broker.status()["callback_us"]
    print(f"trimmed to {keep / 1e9:g} GB in {seconds:.1f} s; a subscriber's latency meanwhile: median "
          f"{statistics.median(one['p50_us'] for one in loads or [quiet]):.0f} µs, 99 % "
          f"{statistics.median(one['p99_us'] for one in loads or [quiet]):.0f}, most "
          f"{max(one['max_us'] for one in loads or [quiet]):.0f} (before: {quiet['p50_us']:.0f}, {quiet['p99_us']:.0f}, "
          f"{quiet['max_us']:.0f}); callback {callback}; the journal held {most_lag} bytes at most")
    assert large.durable()["no_room"] == before
    assert callback["p99"] < CALLBACK_US * PATIENCE


def test_neither_a_large_archive_nor_its_trimming_slows_the_router(start_broker, broker_load, directory):
    empty, large = (Archived(start_broker(config=QUIET), broker_load, directory) for _ in range(2))
    large.fill()
    compare(empty, large)
    trim_to(large, BYTES // 100)
