# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The target and the enrichment "exec": local commands that are given events."""
import json
import os
import pathlib
import pwd
import signal
import sys

import pytest

from harness import wait_until
from jobs import Job, bridge, broker, examples, job, make_job  # noqa: F401

# A bridge that is root must say as whom its commands run.
NOBODY = {"user": "nobody"} if os.geteuid() == 0 else {}


@pytest.fixture
def place(directory):
    """A folder that commands may write to, whoever they are."""
    path = directory / "place"
    path.mkdir()
    path.chmod(0o777)
    return path


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def script(place, name, text):
    """A program of Python's, without what a site adds at its start."""
    path = place / name
    path.write_text(f"#!{sys.executable} -IS\n{text}")
    path.chmod(0o755)
    return str(path)


def children(bridge):
    """(pid, state) of the bridge's own."""
    pid = bridge.process.pid
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append((int(path.parent.name), fields[0]))
    return found


# --- mode each ---

def test_a_command_reads_the_event_and_finds_what_is_known_of_it(job, bridge, place):
    job.route("exec", {
        "command": ["/bin/sh", "-c", f"cat >{place}/in; env | sort >{place}/env; pwd >{place}/pwd; mv {place}/in {place}/done"],
        "environment": {"GREETING": "good day", "PATH": "/usr/bin:/bin"}, **NOBODY})
    job.send('{"n": 1, "text": "é"}')
    job.wait_done(1)
    assert (place / "done").read_text() == '{"n": 1, "text": "é"}'
    assert (place / "pwd").read_text() == "/\n"
    variables = dict(line.split("=", 1) for line in lines(place / "env"))
    assert variables.pop("SLUICE_TIME").endswith("Z") and len(variables.pop("SLUICE_ID")) > 10
    for shells_own in ("PWD", "SHLVL", "_", "LANG", "TZ"):
        variables.pop(shells_own, None)
    assert variables == {"GREETING": "good day", "PATH": "/usr/bin:/bin", "SLUICE_TOPIC": job.topic, "SLUICE_RULE": job.name,
                         "SLUICE_TARGET": job.name, "SLUICE_ATTEMPT": "1"}
    if NOBODY:
        assert (place / "done").stat().st_uid == pwd.getpwnam("nobody").pw_uid


def test_a_command_has_none_of_the_bridges_descriptors_signals_or_groups(job, bridge, place):
    program = script(place, "look", f"""
import os
fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
open_fds = [fd for fd in fds if fd > 2 and os.path.exists(f"/proc/self/fd/{{fd}}")]  # not the one that listed them
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
with open("{place}/seen", "w") as file:
    print(open_fds, os.getpgrp() == os.getpid() == os.getsid(0),
          int(status["SigBlk"], 16), status["Groups"].split(), file=file)
os.rename("{place}/seen", "{place}/saw")
""")
    job.route("exec", {"command": [program], **NOBODY})
    job.send({"n": 1})
    job.wait_done(1)
    groups = [str(pwd.getpwnam("nobody").pw_gid)] if NOBODY else [str(gid) for gid in os.getgroups()]
    assert (place / "saw").read_text() == f"[] True 0 {groups}\n"


def test_a_status_that_says_so_makes_a_dead_letter_at_once(make_job):
    jobs = {code: make_job() for code in (65, 100)}
    for code, job in jobs.items():
        job.route("exec", {"command": ["/bin/sh", "-c", f"printf 'first\\nno \\001 such\\n\\n' >&2; exit {code}"], **NOBODY})
        job.send({"n": 1})
    for code, job in jobs.items():
        assert job.dead() == [(b'{"n": 1}', f"exit status {code}: no ? such", "rejected")]


def test_any_other_failure_is_tried_again(make_job, place):
    jobs = {failure: make_job() for failure in ("exit 75", "exit 1", "kill -KILL $$")}
    for failure, job in jobs.items():
        job.route("exec", {"command": [
            "/bin/sh", "-c", f"echo $SLUICE_ATTEMPT >>{place}/{job.name}; [ $SLUICE_ATTEMPT = 3 ] || {failure}"], **NOBODY},
            delivery={"backoff_ms": 10})
        job.send({"n": 1})
    for failure, job in jobs.items():
        job.wait_done(1)
        assert (failure, lines(place / job.name)) == (failure, ["1", "2", "3"])


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(job, bridge, place):
    job.route("exec", {
        "command": ["/bin/sh", "-c", f"trap '' TERM; echo $$ >{place}/pids; sh -c 'echo $$ >>{place}/pids; sleep 60' & wait; wait"],
        **NOBODY}, delivery={"timeout_ms": 300, "max_attempts": 1})
    job.send({"n": 1})
    assert job.reason() == "1 attempts: not done within 300 ms"
    pids = [int(pid) for pid in lines(place / "pids")]
    assert len(pids) == 2

    def gone(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True

    wait_until(lambda: all(map(gone, pids)), 5, "the commands to be gone")
    assert children(bridge) == []


def test_limits_hold(job, bridge, place):
    program = script(place, "limits", f"""
import resource
with open("{place}/seen", "w") as file:
    for name in ("CPU", "AS", "NOFILE", "NPROC"):
        print(name, resource.getrlimit(getattr(resource, "RLIMIT_" + name))[0], file=file)
x = bytearray(1 << 30)
""")
    job.route("exec", {"command": [program], **NOBODY, "limits": {
        "cpu_s": 5, "memory_bytes": 300000000, "files": 40, "processes": 3000}}, delivery={"max_attempts": 1})
    job.send({"n": 1})
    assert job.reason() == "1 attempts: exit status 1: MemoryError"
    assert lines(place / "seen") == ["CPU 5", "AS 300000000", "NOFILE 40", "NPROC 3000"]


def test_a_command_that_does_not_read_is_no_failure(job, bridge):
    job.route("exec", {"command": ["true"], **NOBODY})
    job.send(json.dumps({"n": "x" * 1000000}))
    job.wait_done(1)


def test_what_it_writes_is_published_and_acknowledged_before_the_event_is(job, bridge, broker):
    client = broker.client(version=5)
    client.subscribe("answers/#", qos=1)
    job.route("exec", {"command": ["tr", "a-z", "A-Z"], "topic": "answers/{topic}/{$.n}", **NOBODY})
    job.send({"n": 1, "text": "abc"})
    (answer,) = client.wait_for(1)
    assert (answer.topic, answer.text, answer.qos) == (f"answers/{job.topic}/1", '{"N": 1, "TEXT": "ABC"}', 1)
    job.wait_done(1)


def test_what_it_writes_is_bounded(job, bridge):
    job.route("exec", {"command": ["yes"], "topic": "answers", "max_output_bytes": 1000, **NOBODY})
    job.send({"n": 1})
    assert job.reason() == "the command wrote more than 1000 bytes"


def test_no_more_run_than_the_target_says(job, bridge, place):
    job.route("exec", {
        "command": ["/bin/sh", "-c", f"mkdir {place}/$SLUICE_ID; ls -d {place}/*/ | wc -l >>{place}/count; sleep 0.1; rmdir {place}/$SLUICE_ID"],
        **NOBODY}, delivery={"concurrency": 2, "batch_events": 4})
    for n in range(8):
        job.send({"n": n})
    job.wait_done(8)
    counts = [int(line) for line in lines(place / "count")]
    assert len(counts) == 8 and max(counts) == 2
    assert children(bridge) == []


def test_what_cant_be_run_is_told(job, bridge, broker):
    bridge.put_target("lost", "exec", {"command": ["no-such-program"], **NOBODY})
    bridge.wait_log(r"target lost: there is no program no-such-program")
    bridge.put_target("stranger", "exec", {"command": ["true"], "user": "no-such-user"})
    bridge.wait_log(r"target stranger: there is no user no-such-user")
    if NOBODY:
        bridge.put_target("rootless", "exec", {"command": ["true"]})
        bridge.wait_log(r"target rootless: the bridge is root: say as which user")
    job.route("exec", {"command": ["true"], "directory": "/no/such", **NOBODY}, delivery={"max_attempts": 1})
    job.send({"n": 1})
    assert job.reason() == \
        "1 attempts: the command can't be started: its directory can't be entered: No such file or directory"


def test_a_bridge_that_stops_ends_its_commands_and_gives_their_events_back(start_broker, start_bridge, place):
    first = start_bridge(start_broker())
    job = Job(first)
    job.route("exec", {"command": ["/bin/sh", "-c", f"echo $$ >>{place}/pids; [ $SLUICE_ATTEMPT -gt 1 ] || sleep 60"],
                       **NOBODY}, delivery={"backoff_ms": 10})
    job.send({"n": 1})
    (pid,) = wait_until(lambda: lines(place / "pids"), 5, "the command")
    first.stop()
    assert not pathlib.Path(f"/proc/{pid}").exists()
    job.bridge = start_bridge(first.broker, name="again")
    job.wait_done(1)


def test_a_killed_bridge_leaves_no_command(start_broker, start_bridge, place):
    bridge = start_bridge(start_broker())
    job = Job(bridge)
    job.route("exec", {"command": ["/bin/sh", "-c", f"echo $$ >{place}/pid; sleep 60 & wait"], **NOBODY})
    job.send({"n": 1})
    (pid,) = wait_until(lambda: lines(place / "pid"), 5, "the command")
    bridge.kill()
    wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), 5, "the command to end")
    try:
        os.killpg(int(pid), signal.SIGKILL)  # its own children are its own
    except ProcessLookupError:
        pass


# --- mode lines ---

WORKER = """
import json, os, sys
for line in sys.stdin:
    event = json.loads(line)
    with open("{place}/seen", "a") as file:
        print(json.dumps([os.getpid(), event]), file=file)
    payload = event.get("payload", dict())
    do = payload.get("do") if isinstance(payload, dict) else None
    if do == "die" and event["attempt"] == 1:
        print("worn out", file=sys.stderr, flush=True)
        sys.exit(3)
    if do == "hang" and event["attempt"] == 1:
        import time
        time.sleep(60)
    if do == "mumble" and event["attempt"] == 1:
        print("what?", flush=True)
        continue
    answer = dict(id=event["id"], ok=True)
    if do == "refuse":
        answer.update(ok=False, error="not\\nmine", retry=False)
    if do == "later" and event["attempt"] == 1:
        answer.update(ok=False, error="busy", delay_ms=1)
    if do == "answer":
        answer.update(payload=dict(twice=2 * payload["n"]))
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def worker(place):
    program = script(place, "worker", WORKER.replace("{place}", str(place)))

    def settings(**more):
        return {"command": [program], "mode": "lines", **NOBODY, **more}

    return settings


def seen(place):
    return [json.loads(line) for line in lines(place / "seen")]


def test_one_long_lived_command_takes_many_events(job, bridge, place, worker):
    job.route("exec", worker(), delivery={"concurrency": 1})
    for n in range(20):
        job.send({"n": n, "text": "two\nlines"})
    job.wait_done(20)
    (pid,) = {pid for pid, _ in seen(place)}
    assert [event["payload"]["n"] for _, event in seen(place)] == list(range(20))
    event = seen(place)[0][1]
    assert event["payload"] == {"n": 0, "text": "two\nlines"}
    assert sorted(event) == ["attempt", "id", "payload", "rule", "time", "topic"]
    assert (event["topic"], event["rule"], event["attempt"]) == (job.topic, job.name, 1)
    assert [child for child, _ in children(bridge)] == [pid]
    bridge.delete("target", job.name)
    wait_until(lambda: children(bridge) == [], 5, "the command to end with its target")


def test_a_payload_that_is_no_json_comes_as_base64(job, bridge, broker, place, worker):
    job.route("exec", worker())
    job.send(b"\xff\x00raw")
    job.wait_done(1)
    wait_until(lambda: seen(place), 5, "the event")
    assert seen(place)[0][1]["payload_base64"] == "/wByYXc="


def test_several_are_started_when_there_is_work_for_them(job, bridge, place, worker):
    job.route("exec", worker(), delivery={"concurrency": 3, "timeout_ms": 60000})
    for n in range(2):
        job.send({"n": n, "do": "hang"})
    wait_until(lambda: len(seen(place)) == 2, 10, "two that hang")
    job.send({"n": 2})
    wait_until(lambda: bridge.numbers(job.name)["acknowledged"] == 1, 10, "the third to pass them")
    assert len({pid for pid, _ in seen(place)}) == 3 == len(children(bridge))


def test_it_says_of_each_event_how_it_went(job, bridge, broker, place, worker):
    client = broker.client(version=5)
    client.subscribe("answers", qos=1)
    job.route("exec", worker(topic="answers"), delivery={"backoff_ms": 1, "batch_events": 4, "batch_wait_ms": 100})
    for n, do in enumerate(["refuse", "later", "answer"]):
        job.send({"n": n, "do": do})
    assert job.reason() == "not?mine"
    (answer,) = client.wait_for(1)
    assert answer.json == {"twice": 4}
    job.wait_done(2)
    assert [event["payload"]["n"] for _, event in seen(place) if event["attempt"] == 2] == [1]


def test_what_a_failing_command_had_is_tried_again_by_another(bridge, make_job, place, worker):
    cases = [(make_job(), do, reason) for do, reason in [
        ("die", "the command ended: exit status 3: worn out"), ("hang", "not done within 1500 ms"),
        ("mumble", "the command wrote what is no answer: ")]]
    for number, (job, do, _) in enumerate(cases):
        job.route("exec", worker(), delivery={"concurrency": 1, "backoff_ms": 1, "timeout_ms": 1500})
        job.send({"n": number, "do": do})
    for number, (job, do, reason) in enumerate(cases):
        job.wait_done(1)
        job.wait_log(f"event .*, attempt 1: {reason}")
        attempts = [(pid, event["attempt"]) for pid, event in seen(place) if event["payload"]["n"] == number]
        assert [attempt for _, attempt in attempts] == [1, 2] and attempts[0][0] != attempts[1][0], (do, attempts)
    assert all(state != "Z" for _, state in children(bridge))


# --- enrichment ---

def test_an_enrichment_replaces_the_event_or_becomes_its_part(make_job, place):
    cases = [(make_job(), {}, {"name": "Ann"}), (make_job(), {"into": "$.customer"}, {"n": 1, "customer": {"name": "Ann"}})]
    for job, into, _ in cases:
        step = {"kind": "exec", "settings": {"command": ["printf", '{"name":"Ann"}'], **NOBODY}, **into}
        job.route("exec", {"command": ["/bin/sh", "-c", f"cat >{place}/{job.name}"], **NOBODY}, enrichment=step)
        job.send({"n": 1})
    for job, into, result in cases:
        job.wait_done(1)
        assert json.loads((place / job.name).read_text()) == result


def test_an_enrichment_that_fails_is_told_as_a_target_is(job, bridge):
    job.route("exec", {"command": ["true"], **NOBODY},
                 enrichment={"kind": "exec", "settings": {"command": ["sh", "-c", "echo unknown >&2; exit 65"], **NOBODY}})
    job.send({"n": 1})
    assert job.reason() == "exit status 65: unknown"


def test_an_enrichment_is_a_run_that_answers_its_target(make_job):
    jobs = [make_job(), make_job()]
    for job, settings in zip(jobs, [{"mode": "lines"}, {"topic": "answers"}]):
        job.route("exec", {"command": ["true"], **NOBODY},
                  enrichment={"kind": "exec", "settings": {"command": ["true"], **NOBODY, **settings}})
    for job in jobs:
        job.wait_log("an enrichment is a run for each event, and answers its target")


# --- the pages ---

@pytest.mark.parametrize("page", ["exec", "enrichment"])
def test_the_pages_targets_may_be_put(broker, page):
    for text in examples(page, "json"):
        target = json.loads(text)
        for command in ({"command": "putTarget", "target": {**target, "state": "DISABLED"}},
                        {"command": "deleteTarget", "name": target["name"]}):
            (answer,) = broker.command(command)
            assert "error" not in answer, answer


def test_the_pages_long_lived_command_works(job, broker, place):
    client = broker.client(version=5)
    client.subscribe("doubled", qos=1)
    (text,) = examples("exec", "python")
    job.route("exec", {"command": [script(place, "example", text)], "mode": "lines", "topic": "doubled", **NOBODY})
    job.send({"n": 21})
    (answer,) = client.wait_for(1)
    assert answer.json == {"double": 42}
    job.send({"m": 21})
    assert job.reason() == "KeyError('n')"
