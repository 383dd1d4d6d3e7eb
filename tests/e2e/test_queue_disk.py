# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Queues on a disk that is full, read-only or damaged, and under a clock that steps back."""
import fcntl
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import struct
import subprocess
import time

import pytest

from harness import PATIENCE, ROOT, run, wait_until

ALL = {"n": [{"exists": True}]}
SMALL = 4 * 1024 * 1024  # the least that a journal may be given
FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


def numbers(broker, queue="jobs"):
    (answer,) = broker.command({"command": "getQueueStatus", "name": queue})
    assert "error" not in answer, answer
    return answer["data"]


def take_all(broker, expected, queue="jobs", timeout=20):
    """Takes and acknowledges what the queue has until `expected` have come; returns their numbers, in order."""
    client = broker.client(version=5)
    client.publish(f"queues/{queue}/ready", "100")
    got = []
    deadline = time.monotonic() + timeout * PATIENCE
    while not expected <= set(got):
        with client.arrived:
            if not client.messages:
                client.arrived.wait(0.2)
            messages, client.messages = client.messages, []
        if messages:
            client.publish(f"queues/{queue}/ack", "\n".join(message.topic.rsplit("/", 1)[1] for message in messages))
            got += [message.json["n"] for message in messages]
        assert time.monotonic() < deadline, f"missing: {sorted(expected - set(got))[:20]}; {numbers(broker, queue)}"
    client.close()
    return got


class Producer:
    """Publishes numbered events with a pad, and knows which of them were acknowledged."""

    def __init__(self, broker, pad=2000):
        self.broker, self.pad = broker, "x" * pad
        self.next, self.safe = 0, set()

    def put(self, count):
        """Returns when as many are acknowledged."""
        with self.broker.client(version=5) as client:
            first, self.next = self.next, self.next + count
            for number in range(first, self.next):
                client.publish("in/x", {"n": number, "pad": self.pad}, wait=number == self.next - 1, timeout=60)
        self.safe |= set(range(first, self.next))

    def put_until_refused(self, most):
        """MQTT 3.1.1: who is refused is disconnected before its PUBACK."""
        client = self.broker.client(version=4)
        for _ in range(most):
            information = client.paho.publish("in/x", json.dumps({"n": self.next, "pad": self.pad}), 1)
            deadline = time.monotonic() + 20 * PATIENCE
            while not information.is_published() and not client.disconnected.is_set():
                assert time.monotonic() < deadline, "neither acknowledged nor refused"
                time.sleep(0.0005)
            if client.disconnected.is_set() and not information.is_published():
                self.next += 1  # it is not known whether it was taken: not this number again
                client.kill()
                return
            self.safe.add(self.next)
            self.next += 1
        raise AssertionError(f"{most} events were taken")


@pytest.fixture
def disk(directory):
    """disk(SIZE) → the folder of a file system of its own, that of the broker to come."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    store = directory / "broker-0" / "store"
    store.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "none", store]).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield store
    subprocess.run(["umount", "-l", store], check=False)


class BlockDisk:
    """A file system on a loop device, which can be made to fail as one whose disk does: it turns read-only at once."""

    def __init__(self, directory, kind):
        self.kind, self.folder = kind, directory / "broker-0" / "store"
        image = directory / "image"
        with open(image, "wb") as file:
            file.truncate((300 if kind == "xfs" else 32) << 20)
        if not shutil.which(f"mkfs.{kind}", path="/usr/sbin:/sbin:" + os.environ["PATH"]):
            pytest.skip(f"there is no mkfs.{kind}")
        run(f"/usr/sbin/mkfs.{kind}", "-q", image)
        made = subprocess.run(["losetup", "-f", "--show", image], capture_output=True, text=True)
        if made.returncode != 0:
            pytest.skip("there are no loop devices here")
        self.device = pathlib.Path(made.stdout.strip())
        self.folder.mkdir(parents=True)
        if not self.mount():
            run("losetup", "-d", self.device)
            pytest.skip(f"{kind} can't be mounted here")

    def mount(self):
        options = ["-o", "errors=remount-ro"] if self.kind == "ext4" else []
        return subprocess.run(["mount", *options, self.device, self.folder]).returncode == 0

    def fail(self):
        if self.kind == "ext4":
            assert self.device.name.startswith("loop")
            pathlib.Path(f"/sys/fs/ext4/{self.device.name}/trigger_fs_error").write_text("1")
            return
        folder = os.open(self.folder, os.O_RDONLY)
        fcntl.ioctl(folder, 0x8004587D, struct.pack("I", 2))  # XFS_IOC_GOINGDOWN, writing nothing more
        os.close(folder)

    def mend(self):
        """What a person does: the kernel does not let it be written again before it is mounted anew."""
        run("umount", self.folder)
        if self.kind == "ext4":
            assert subprocess.run(["/usr/sbin/e2fsck", "-p", self.device], capture_output=True).returncode < 4
        assert self.mount()

    def close(self):
        subprocess.run(["umount", "-l", self.folder], check=False)
        subprocess.run(["losetup", "-d", self.device], check=False)


@pytest.fixture
def block_disk(request, directory):
    """The folder of the broker to come, on a BlockDisk. A write to a mapped file of one that has failed: ext4 lets it
    pass, and it gets nowhere; XFS sends SIGBUS."""
    if os.geteuid() != 0:
        pytest.skip("only root has loop devices")
    made = BlockDisk(directory, request.param)
    yield made
    made.close()


def fill(folder):
    """Leaves no room; returns the file that takes it."""
    filler = folder / "filler"
    file = os.open(filler, os.O_WRONLY | os.O_CREAT)
    size = 1 << 20
    while size >= 512:
        try:
            os.write(file, b"\0" * size)
        except OSError:
            size //= 2
    os.close(file)
    return filler


def with_queue(start_broker, **options):
    broker = start_broker(options={"journal_max": 8 * SMALL, **options})
    broker.put_queue("jobs")
    broker.put_rule("all", ALL, {"id": "q", "queue": "jobs"})
    return broker


def test_a_full_disk_refuses_what_enters_a_queue_until_there_is_room_again(start_broker, disk, broker_version):
    broker = with_queue(start_broker, journal_max=SMALL)
    broker.put_rule("topics", {"other": [{"exists": True}]}, "consumers/c/{topic}")
    producer = Producer(broker)
    producer.put(100)
    filler = fill(disk)
    producer.put_until_refused(10000)
    broker.wait_log("a publish on in/x is refused: the journal has no room for it")
    assert_idle(broker)
    broker.wait_log("the durable state can't be written; the journal keeps what comes while it has room")

    # Others notice nothing.
    consumer = broker.client()
    consumer.subscribe("consumers/#", qos=1)
    broker.client().publish("in/y", {"other": 1})
    assert [message.json for message in consumer.take()] == [{"other": 1}]

    five = broker.client(version=5)
    information = five.paho.publish("in/x", json.dumps({"n": producer.next, "pad": producer.pad}), 1)
    if broker_version >= (2, 1):
        wait_until(information.is_published, 10, "an answer")
    else:
        wait_until(five.disconnected.is_set, 10, "the broker to hang up")
        assert not information.is_published()
        five.kill()
    producer.next += 1
    refused = re.findall("is refused", broker.log())
    assert len(refused) >= 1

    # QoS 0 is dropped, and the connection stays.
    zero = broker.client()
    zero.publish("in/x", json.dumps({"n": producer.next, "pad": producer.pad}), qos=0)
    zero.barrier()
    producer.next += 1

    filler.unlink()
    broker.wait_log("the durable state can be written again", 20)
    producer.put(100)
    assert producer.safe <= set(take_all(broker, producer.safe))
    broker.restart()
    producer.put(10)
    take_all(broker, set(range(producer.next - 10, producer.next)))


def test_a_broker_killed_on_a_full_disk_starts_when_there_is_room_and_has_lost_nothing(start_broker, disk):
    broker = with_queue(start_broker, journal_max=SMALL)
    producer = Producer(broker)
    producer.put(10)
    filler = fill(disk)
    producer.put_until_refused(10000)
    broker.kill()
    filler.unlink()
    broker.start()
    take_all(broker, producer.safe)


def test_a_queue_can_be_emptied_on_a_full_disk(start_broker, disk):
    broker = with_queue(start_broker, journal_max=SMALL)
    producer = Producer(broker)
    producer.put(100)
    client = broker.client(version=5)
    client.publish("queues/jobs/ready", "50")
    held = client.wait_for(50)
    client.publish("queues/jobs/ready", "0")
    filler = fill(disk)
    producer.put_until_refused(10000)
    # Acknowledgements free room: some is kept for them.
    for message in held:
        client.publish(f"queues/jobs/ack/{message.topic.rsplit('/', 1)[1]}")
    wait_until(lambda: numbers(broker)["acknowledged"] == 50, 10, "the acknowledgements")
    done = {message.json["n"] for message in held}
    client.close()
    filler.unlink()
    take_all(broker, producer.safe - done)


def test_a_disk_that_is_read_only_refuses_the_start_and_nothing_is_lost(start_broker, disk):
    broker = with_queue(start_broker, journal_max=SMALL)
    producer = Producer(broker)
    producer.put(100)
    broker.kill()
    run("mount", "-o", "remount,ro", disk)
    broker.start_refused()
    run("mount", "-o", "remount,rw", disk)
    broker.start()
    producer.put(10)
    take_all(broker, producer.safe)


@pytest.mark.skipif(bool(ROOT), reason="a broker of another root has the mounts of its start, and holds what is to be mended")
@pytest.mark.parametrize(["block_disk", "durability"], [("ext4", "process"), ("ext4", "power"), ("xfs", "process")],
                         indirect=["block_disk"])
def test_a_disk_that_turns_read_only_under_a_broker_is_told_and_what_was_safe_is_there(start_broker, block_disk,
                                                                                      durability):
    broker = with_queue(start_broker, journal_max=SMALL, durability=durability)
    broker.put_rule("topics", {"other": [{"exists": True}]}, "consumers/c/{topic}")
    producer = Producer(broker)
    producer.put(100)
    # In `process` it is the kernel that writes, when it likes: now.
    run("sync", "-f", block_disk.folder)
    safe = set(producer.safe)
    block_disk.fail()
    producer.put_until_refused(10000)
    # Until the data thread saw it; under `power` the broker's own saw it at once.
    meanwhile = producer.safe - safe
    assert len(meanwhile) < (1 if durability == "power" else 500)
    broker.wait_log("the journal can't be written, and what is for a queue is refused: ")
    producer.put_until_refused(1)
    if durability == "process":
        assert_idle(broker)

    # Others notice nothing.
    consumer = broker.client()
    consumer.subscribe("consumers/#", qos=1)
    broker.client().publish("in/y", {"other": 1})
    assert [message.json for message in consumer.take()] == [{"other": 1}]

    broker.stop()
    block_disk.mend()
    broker.start()
    assert safe <= set(take_all(broker, safe))
    producer.put(10)
    take_all(broker, set(range(producer.next - 10, producer.next)))


# --- damage ---

def data_file(broker):
    return broker.db.with_name("sluice-data.db")


def journal_dir(broker):
    return broker.db.with_name("sluice-journal")


def kill_with_a_full_journal(broker, producer, count):
    """Events that stand in the journal alone: another program holds the data file."""
    other = sqlite3.connect(data_file(broker), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    producer.put(count)
    broker.kill()
    other.execute("ROLLBACK")
    other.close()


def assert_idle(broker):
    """What was damaged is looked at once."""
    with open(f"/proc/{broker.process.pid}/stat") as file:
        before = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
    time.sleep(1)
    with open(f"/proc/{broker.process.pid}/stat") as file:
        used = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13])) - before
    assert used < 30, f"{used} hundredths of a second of CPU in one"


def flip(path, where, count=1):
    with open(path, "r+b") as file:
        for number in range(count):
            file.seek(where + number)
            byte = file.read(1)
            file.seek(where + number)
            file.write(bytes([byte[0] ^ 0xff]))


def test_a_damaged_page_of_the_data_file_is_told_and_the_broker_does_not_crash(start_broker, directory):
    broker = with_queue(start_broker)
    producer = Producer(broker)
    producer.put(500)
    broker.stop()
    random.seed(5)
    size = data_file(broker).stat().st_size
    before = data_file(broker).read_bytes()
    for page in range(1, size // 4096, 3):
        flip(data_file(broker), page * 4096, 64)
    log = broker.start_refused()
    assert "sluice-data.db" in log
    # Nothing is overwritten: what a person mends is whole again.
    data_file(broker).write_bytes(before)
    broker.start()
    take_all(broker, producer.safe)


def test_a_broker_told_to_go_on_runs_without_its_queues_on_a_damaged_data_file(start_broker):
    broker = with_queue(start_broker, on_bad_store="continue")
    broker.put_rule("topics", {"other": [{"exists": True}]}, "consumers/c/{topic}")
    broker.stop()
    before = data_file(broker).read_bytes()
    flip(data_file(broker), 0, 100)
    broker.start()
    broker.wait_log("sluice-data.db")
    consumer = broker.client()
    consumer.subscribe("consumers/#", qos=1)
    broker.client().publish("in/y", {"other": 1})
    assert [message.json for message in consumer.take()] == [{"other": 1}]
    producer = Producer(broker)
    producer.put_until_refused(1)
    # It looks again each second.
    data_file(broker).write_bytes(before)
    broker.wait_log("the durable state can be written again", 20)
    producer.put(10)
    take_all(broker, producer.safe)


def test_what_the_journal_alone_has_is_there_after_a_kill(start_broker):
    broker = with_queue(start_broker)
    producer = Producer(broker)
    kill_with_a_full_journal(broker, producer, 300)
    broker.start()
    assert take_all(broker, producer.safe) == sorted(producer.safe)


def newest_use(broker):
    """(segment, offset behind its last byte that is not zero), of the last segment in use."""
    found = None
    for path in sorted(journal_dir(broker).glob("*.journal")):
        content = path.read_bytes()[4096:-4096]
        if content.strip(b"\0"):
            found = path, 4096 + len(content.rstrip(b"\0"))
    return found


def test_a_torn_end_of_the_journal_costs_its_last_frame_and_is_no_damage(start_broker):
    broker = with_queue(start_broker)
    producer = Producer(broker)
    kill_with_a_full_journal(broker, producer, 300)
    segment, end = newest_use(broker)
    flip(segment, end - 1500, 8)
    broker.start()
    got = take_all(broker, set(range(299)))
    assert got == list(range(299))
    assert_idle(broker)
    producer.put(10)
    take_all(broker, set(range(300, 310)))


def test_damage_in_the_middle_of_the_journal_is_told_and_kept_and_the_rest_is_delivered(start_broker):
    broker = with_queue(start_broker)
    producer = Producer(broker)
    kill_with_a_full_journal(broker, producer, 300)
    segment, end = newest_use(broker)
    flip(segment, end // 2, 8)
    broker.start()
    assert re.search(r"the journal is damaged: .*; what could not be read is kept in .*\.damaged", broker.log())
    got = take_all(broker, {0, 298, 299})
    wait_until(lambda: numbers(broker)["ready"] == 0, 20, "the queue to be empty")
    assert got == sorted(got) and len(got) == 299
    assert_idle(broker)
    assert list(journal_dir(broker).glob("*.damaged"))


def test_a_missing_data_file_is_made_anew_and_what_the_journal_has_is_delivered(start_broker):
    broker = with_queue(start_broker)
    producer = Producer(broker)
    producer.put(50)
    take_all(broker, producer.safe)
    kill_with_a_full_journal(broker, producer, 100)
    data_file(broker).unlink()
    broker.start()
    # What the journal still has and was carried over before comes again, rather than not at all.
    assert set(range(50, 150)) <= set(take_all(broker, set(range(50, 150))))
    producer.put(10)
    take_all(broker, set(range(150, 160)))
    broker.restart()
    producer.put(10)
    take_all(broker, set(range(160, 170)))


def test_a_missing_journal_is_made_anew_and_what_was_carried_over_is_delivered(start_broker):
    broker = with_queue(start_broker)
    producer = Producer(broker)
    producer.put(100)
    broker.stop()
    shutil.rmtree(journal_dir(broker))
    broker.start()
    producer.put(100)
    broker.kill()
    broker.start()
    assert take_all(broker, producer.safe) == sorted(producer.safe)


# --- time ---

def test_a_clock_that_steps_back_a_day_stops_nothing(start_broker, make_broker, directory, monkeypatch):
    if not FAKETIME.exists():
        pytest.skip(f"there is no {FAKETIME}")
    clock = directory / "clock"
    clock.write_text("+0")
    clock.chmod(0o644)
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(clock))
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("LD_PRELOAD", str(FAKETIME))
    broker = make_broker(options={"journal_max": SMALL})
    broker.start()
    monkeypatch.delenv("LD_PRELOAD")
    broker.put_queue("jobs", visibility_timeout_s=1, retention_s=3600)
    broker.put_queue("later", delay_ms=1500)
    broker.put_rule("all", ALL, [{"id": "q", "queue": "jobs"}, {"id": "l", "queue": "later"}])
    producer = Producer(broker, pad=10)
    producer.put(5)
    client = broker.client(version=5)
    client.publish("queues/jobs/ready", "2")
    client.wait_for(2)
    client.close()
    clock.write_text("-1d")
    time.sleep(1.2)
    # Leases ran out by a clock that is never set; nothing is a day too young or too old.
    assert set(take_all(broker, set(range(5)))) == set(range(5))
    producer.put(5)
    take_all(broker, set(range(5, 10)))
    monkeypatch.setenv("LD_PRELOAD", str(FAKETIME))
    broker.kill()
    broker.start()
    monkeypatch.delenv("LD_PRELOAD")
    producer.put(5)
    take_all(broker, set(range(10, 15)))
