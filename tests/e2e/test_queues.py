# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Queues: workers with credit, subscribers, receipts, dead letters, groups, batches."""
import json
import subprocess
import time

import pytest

from harness import PATIENCE, publish_properties, wait_until

HOT = {"temperature": [{"numeric": [">", 30]}]}
DEAD = {"dead_letter": "dead", "max_receives": 2}


def receipt_of(message):
    return message.topic.rsplit("/", 1)[1]


def worker(broker, queue="jobs", credit=1, **options):
    """A client that takes deliveries of the queue."""
    client = broker.client(version=5, **options)
    client.publish(f"queues/{queue}/ready", str(credit))
    return client


def ack(client, message):
    queue = message.topic.split("/")[1]
    client.publish(f"queues/{queue}/ack/{receipt_of(message)}")


def nack(client, message, payload=""):
    queue = message.topic.split("/")[1]
    client.publish(f"queues/{queue}/nack/{receipt_of(message)}", payload)


def put(broker, queue="jobs", count=1, **options):
    with_client = broker.client(version=5)
    for number in range(count):
        with_client.publish(f"queues/{queue}/in", {"n": number}, **options)


def numbers(broker, queue="jobs"):
    (answer,) = broker.command({"command": "getQueueStatus", "name": queue})
    assert "error" not in answer, answer
    return answer["data"]


@pytest.fixture
def jobs(broker):
    broker.put_queue("jobs")
    return broker


def test_a_matching_event_waits_in_its_queue_until_a_worker_takes_it(jobs):
    jobs.put_rule("hot", HOT, {"id": "t", "queue": "jobs"})
    producer = jobs.client(version=5)
    producer.publish("plants/boiler", {"temperature": 31.5},
                     properties=publish_properties(user=[("tenant", "acme")], content_type="application/json"))
    producer.publish("plants/boiler", {"temperature": 1})
    client = worker(jobs, credit=5)
    (message,) = client.take()
    assert message.topic.startswith("queues/jobs/out/")
    assert message.json == {"temperature": 31.5}
    assert message.qos == 0 or message.qos == 1
    properties = dict(message.user_properties)
    assert properties["tenant"] == "acme"
    assert properties["sluice-rule"] == "hot"
    assert properties["sluice-topic"] == "plants/boiler"
    assert properties["sluice-attempt"] == "1"
    assert len(properties["sluice-id"]) == 32
    assert message.content_type == "application/json"
    assert message.expiry == 30
    ack(client, message)
    assert client.take() == []
    status = numbers(jobs)
    assert (status["ready"], status["in_flight"], status["acknowledged"]) == (0, 0, 1)


def test_a_waiting_worker_gets_its_event_in_the_same_turn(jobs):
    jobs.put_rule("hot", HOT, [{"id": "q", "queue": "jobs"}, {"id": "t", "topic": "direct/{rule}", "qos": 1}])
    client = worker(jobs, credit=100)
    client.subscribe("direct/#", qos=1)
    producer = jobs.client()
    late = []
    for number in range(50):
        producer.publish("x", {"temperature": 40, "n": number})
        client.wait_for(2)
        by_queue, by_topic = sorted(client.messages, key=lambda message: message.topic.startswith("direct"))
        late.append(by_queue.time - by_topic.time)
        ack(client, by_queue)
        client.messages.clear()
    assert sorted(late)[25] < 0.002


def test_work_is_spread_by_credit(jobs):
    slow, fast = worker(jobs, credit=1), worker(jobs, credit=10)
    put(jobs, count=100)
    done = 0
    while done < 99:
        fast.wait_for(1)
        for message in list(fast.messages):
            fast.messages.remove(message)
            ack(fast, message)
            done += 1
        fast.barrier()
    (held,) = slow.take()
    ack(slow, held)
    assert numbers(jobs)["acknowledged"] == 100


def test_it_works_from_a_shell_alone(jobs):
    port = str(jobs.port)
    for text in ("one", "two"):
        subprocess.run(["mosquitto_pub", "-p", port, "-q", "1", "-t", "queues/jobs/in", "-m", text], check=True)
    for text in ("one", "two"):
        got = subprocess.run(["mosquitto_rr", "-p", port, "-t", "queues/jobs/ready", "-m", "1", "-e", "queues/jobs/out/me",
                              "-F", "%t %p", "-W", "20"], check=True, capture_output=True, text=True, timeout=60).stdout
        topic, payload = got.split()
        assert payload == text
        subprocess.run(["mosquitto_pub", "-p", port, "-q", "1", "-t", f"queues/jobs/ack/{topic.split('/')[3]}", "-n"],
                       check=True)
    assert numbers(jobs)["acknowledged"] == 2


def test_a_bare_subscriber_is_served(broker, version):
    broker.put_queue("jobs", visibility_timeout_s=3)
    put(broker, count=30)
    jobs = broker
    client = jobs.client(version=version)
    client.subscribe("queues/jobs/out/+", qos=1)
    done = set()
    deadline = time.monotonic() + 60 * PATIENCE
    while len(done) < 30 and time.monotonic() < deadline:
        with client.arrived:
            client.arrived.wait(0.2)
            messages, client.messages = client.messages, []
        for message in messages:
            ack(client, message)
            done.add(message.json["n"])
    assert len(done) == 30
    wait_until(lambda: numbers(jobs)["acknowledged"] == 30, 10, "all to be acknowledged")


def test_members_of_a_shared_subscription_share_the_work(jobs):
    members = [jobs.client(version=5) for _ in range(2)]
    for member in members:
        member.subscribe("$share/crew/queues/jobs/out/+", qos=1)
    put(jobs, count=10)
    got = [0, 0]
    deadline = time.monotonic() + 60 * PATIENCE
    while sum(got) < 10 and time.monotonic() < deadline:
        for number, member in enumerate(members):
            with member.arrived:
                member.arrived.wait(0.1)
                messages, member.messages = member.messages, []
            for message in messages:
                ack(member, message)
                got[number] += 1
    assert sum(got) == 10 and min(got) > 0


def test_what_is_not_acknowledged_comes_again(broker):
    broker.put_queue("jobs", visibility_timeout_s=1)
    first = worker(broker)
    put(broker)
    (message,) = first.take()
    first.kill()
    second = worker(broker)
    again = second.wait_for(1)[0]
    assert again.time - message.time > 0.9
    assert dict(again.user_properties)["sluice-attempt"] == "2"
    ack(second, message)  # of the lease that ran out
    second.barrier()
    assert numbers(broker)["bad_receipts"] == 1
    ack(second, again)
    assert numbers(broker)["acknowledged"] == 1


def test_more_time_can_be_asked_for(broker):
    broker.put_queue("jobs", visibility_timeout_s=1)
    client = worker(broker, credit=2)
    put(broker)
    (message,) = client.take()
    client.publish(f"queues/jobs/extend/{receipt_of(message)}", "5")
    time.sleep(1.5)
    assert client.take() == []
    ack(client, message)
    assert numbers(broker)["acknowledged"] == 1


def test_a_nack_gives_back_with_a_delay(jobs):
    client = worker(jobs)
    put(jobs)
    (message,) = client.take()
    begun = time.monotonic()
    nack(client, message, "700 not now")
    again = client.wait_for(1)[0]
    assert 0.6 < again.time - begun < 0.7 + 2 * PATIENCE
    nack(client, again)
    assert client.wait_for(2)[1].json == message.json


def test_what_fails_too_often_goes_to_the_dead_letters_and_comes_back_by_redrive(broker):
    broker.put_queue("dead")
    broker.put_queue("jobs", **DEAD)
    client = worker(broker)
    put(broker)
    for number in range(2):
        (message,) = client.take()
        nack(client, message, json.dumps({"reason": f"failed {number}"}))
    assert client.take() == []
    assert numbers(broker)["dead"] == 1
    doctor = worker(broker, "dead")
    (letter,) = doctor.take()
    properties = dict(letter.user_properties)
    assert properties["sluice-error-code"] == "max-receives"
    assert properties["sluice-error-queue"] == "jobs"
    assert properties["sluice-error-attempts"] == "2"
    assert properties["sluice-error-reason"] == "failed 1"
    doctor.publish("queues/dead/ready", "0")
    nack(doctor, letter)
    (answer,) = broker.command({"command": "redriveQueue", "name": "dead"})
    assert "error" not in answer, answer
    again = client.wait_for(1)[0]
    assert again.json == letter.json and dict(again.user_properties)["sluice-attempt"] == "1"
    ack(client, again)
    wait_until(lambda: numbers(broker, "dead")["ready"] == 0, 10, "the dead letters to be gone")


def test_a_group_keeps_its_order(broker):
    broker.put_queue("jobs", group="$.order")
    client = worker(broker, credit=10)
    producer = broker.client()
    for number in range(6):
        producer.publish("queues/jobs/in", {"order": "a" if number % 2 else "b", "n": number})
    first = client.take()
    assert sorted(message.json["n"] for message in first) == [0, 1]
    for message in first:
        ack(client, message)
    second = client.take()
    assert sorted(message.json["n"] for message in second) == [2, 3]
    nack(client, second[0])
    assert [message.json["n"] for message in client.take()] == [second[0].json["n"]]


def test_a_group_that_stops_stands_still_until_its_dead_letter_is_dealt_with(broker):
    broker.put_queue("dead")
    broker.put_queue("jobs", group="$.order", group_on_dead="stop", max_receives=1, dead_letter="dead")
    client = worker(broker, credit=10)
    producer = broker.client()
    for number in range(2):
        producer.publish("queues/jobs/in", {"order": "a", "n": number})
    (message,) = client.take()
    nack(client, message)
    assert client.take() == []
    client.close()
    broker.restart()
    client = worker(broker, credit=10)
    broker.client().publish("queues/jobs/in", {"order": "b", "n": 9})
    assert [message.json["n"] for message in client.take()] == [9]
    doctor = worker(broker, "dead")
    (letter,) = doctor.take()
    ack(doctor, letter)
    assert client.wait_for(1)[0].json["n"] == 1


def test_a_batch_comes_as_one_message(broker):
    broker.put_queue("jobs", batch={"max_events": 3, "max_wait_ms": 300})
    client = worker(broker, credit=10)
    producer = broker.client()
    for payload in ('{"n":1}', "no json", '"3"', '{"n":4}'):
        producer.publish("queues/jobs/in", payload)
    first, second = client.wait_for(2)
    events = first.json
    assert [event.get("event", event.get("event_base64")) for event in events] == [{"n": 1}, "bm8ganNvbg==", "3"]
    assert [event["event"] for event in second.json] == [{"n": 4}]
    client.publish(f"queues/jobs/ack/{events[0]['receipt']}")
    assert numbers(broker)["in_flight"] == 3
    ack(client, first)
    ack(client, second)
    assert numbers(broker)["acknowledged"] == 4


def test_a_worker_may_ask_for_batches_of_its_own(jobs):
    put(jobs, count=5)
    client = jobs.client(version=5)
    client.publish("queues/jobs/ready", {"credit": 10, "batch": 3})
    sizes = []
    while sum(sizes) < 5:
        client.wait_for(len(sizes) + 1)
        sizes = [len(message.json) for message in client.messages]
    assert sizes == [3, 2]


def test_many_receipts_may_be_acknowledged_at_once(jobs):
    client = worker(jobs, credit=50)
    put(jobs, count=50)
    messages = client.wait_for(50)
    client.publish("queues/jobs/ack", "\n".join(receipt_of(message) for message in messages))
    assert numbers(jobs)["acknowledged"] == 50


def test_acknowledging_is_idempotent_and_a_wrong_receipt_only_counts(jobs):
    client = worker(jobs)
    put(jobs)
    (message,) = client.take()
    for _ in range(3):
        ack(client, message)
    client.publish("queues/jobs/ack/" + "0" * 40)
    client.publish("queues/jobs/ack/nonsense")
    client.publish("queues/jobs/ack/")
    status = numbers(jobs)
    assert status["acknowledged"] == 1 and status["bad_receipts"] == 3


def test_what_is_said_to_a_queue_goes_to_nobody_else(jobs):
    listener = jobs.client()
    listener.subscribe("queues/#", qos=1)
    client = worker(jobs)
    put(jobs)
    (message,) = client.take()
    ack(client, message)
    assert [one.topic for one in listener.take() if "/out/" not in one.topic] == []


def test_nobody_can_forge_a_delivery(jobs):
    client = jobs.client(version=5)
    client.subscribe("queues/jobs/out/+")
    client.publish("queues/jobs/out/" + "0" * 40, "forged")
    assert [message for message in client.take() if message.payload == b"forged"] == []


def test_a_delayed_message_comes_when_it_is_due(broker):
    broker.put_queue("jobs", delay_ms=800)
    client = worker(broker)
    begun = time.monotonic()
    put(broker)
    assert client.take() == []
    assert numbers(broker)["delayed"] == 1
    message = client.wait_for(1)[0]
    assert 0.7 < message.time - begun < 0.8 + 3 * PATIENCE


def test_a_deduplicated_event_enters_once(broker):
    broker.put_queue("jobs", deduplication={"key": "$.id", "window_s": 60})
    producer = broker.client()
    for number in (1, 1, 2, 1):
        producer.publish("queues/jobs/in", {"id": number})
    broker.restart()
    broker.client().publish("queues/jobs/in", {"id": 2})
    client = worker(broker, credit=10)
    assert [message.json["id"] for message in client.take()] == [1, 2]


def test_a_purge_leaves_nothing(jobs):
    put(jobs, count=10)
    client = worker(jobs, credit=2)
    client.take()
    (answer,) = jobs.command({"command": "purgeQueue", "name": "jobs"})
    assert "error" not in answer, answer
    status = numbers(jobs)
    assert (status["ready"], status["in_flight"], status["purged"]) == (0, 0, 10)
    jobs.restart()
    assert worker(jobs, credit=10).take() == []


def test_a_purge_before_anything_came_does_no_harm(jobs):
    (answer,) = jobs.command({"command": "purgeQueue", "name": "jobs"})
    assert "error" not in answer, answer
    put(jobs, count=2)
    jobs.restart()
    assert jobs.status()["durable"]["state"] == "ok"
    assert [message.json["n"] for message in worker(jobs, credit=5).take()] == [0, 1]


def test_a_queue_survives_a_restart_with_its_leases(jobs):
    put(jobs, count=5)
    client = worker(jobs, credit=2)
    first, _ = client.take()
    client.close()
    jobs.restart()
    other = worker(jobs, credit=10)
    assert sorted(message.json["n"] for message in other.take()) == [2, 3, 4]
    ack(other, first)
    status = numbers(jobs)
    assert status["acknowledged"] == 1 and status["in_flight"] == 4


def test_a_queue_longer_than_its_window_keeps_its_order(jobs):
    count = 3000
    producer = jobs.client(inflight=1000)
    for number in range(count):
        producer.publish("queues/jobs/in", {"n": number}, wait=number == count - 1, timeout=60)
    client = worker(jobs, credit=50)
    got = []
    deadline = time.monotonic() + 60 * PATIENCE
    while len(got) < count and time.monotonic() < deadline:
        with client.arrived:
            client.arrived.wait(0.1)
            messages, client.messages = client.messages, []
        if messages:
            client.publish("queues/jobs/ack", "\n".join(receipt_of(message) for message in messages), wait=False)
            got += [message.json["n"] for message in messages]
    assert got == list(range(count))


def test_a_target_of_a_missing_queue_is_told(broker):
    broker.put_rule("hot", HOT, {"id": "t", "queue": "nowhere"})
    broker.client().publish("x", {"temperature": 40})
    broker.wait_log("rule hot, target t: an event on x is not delivered: there is no such queue")
    assert broker.status()["failed"] == 1


def test_failed_deliveries_go_to_the_rules_dead_letters(jobs):
    jobs.put_rule("hot", HOT, {"id": "t", "topic": "a/{$.site}"}, dead_letter="jobs")
    jobs.client().publish("x", {"temperature": 40, "site": "a/b"})
    (message,) = worker(jobs).take()
    properties = dict(message.user_properties)
    assert message.json == {"temperature": 40, "site": "a/b"}
    assert properties["sluice-error-code"] == "bad-topic"
    assert properties["sluice-error-target"] == "t"
    assert properties["sluice-rule"] == "hot"
    assert "sluice-error-message" in properties


def test_a_session_that_comes_back_is_served_again(broker, broker_version):
    if broker_version < (2, 1):
        pytest.skip("2.0 tells nobody of subscriptions: offers serve it, see above")
    broker.put_queue("jobs")
    client = broker.client("steady", clean=False)
    client.subscribe("queues/jobs/out/+", qos=1)
    put(broker)
    (message,) = client.wait_for(1)
    ack(client, message)
    client.close()
    put(broker, count=2)
    time.sleep(0.3)
    assert numbers(broker)["ready"] == 2
    again = broker.client("steady", clean=False)
    assert len(again.wait_for(2)) == 2
