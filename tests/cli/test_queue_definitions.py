# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Queues on a store, without a broker; and rules that name them."""
import json

import pytest

from environment import sluice

DEFAULTS = {"visibility_timeout_s": 30, "max_receives": 0, "retention_s": 345600, "max_events": 0, "max_bytes": 0,
            "max_in_flight": 100, "delay_ms": 0, "group_on_dead": "continue"}


@pytest.fixture
def db(tmp_path):
    return tmp_path / "sluice.db"


@pytest.fixture
def write(tmp_path):
    def write_file(*items, name="items"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(item) + "\n" for item in items))
        return path
    return write_file


def rule(*targets, **members):
    return {"name": "r", "pattern": {"a": [1]}, "targets": [{"id": f"t{i}", **target} for i, target in enumerate(targets)],
            **members}


def queue(name, **members):
    return {"name": name, **members}


def test_a_queue_is_put_got_listed_and_deleted(db, write):
    path = write(queue("orders", max_receives=5, dead_letter="dead", group="$.g", batch={"max_events": 2}))
    assert sluice("queue", "put", "--db", db, path, "--if-revision", 0).out == "orders: revision 2\n"
    assert sluice("queue", "put", "--db", db, path, "--if-revision", 0, check=False).code == 6
    got = sluice("queue", "get", "--db", db, "orders", "--json").json
    assert got == {"revision": 2, "queue": {**DEFAULTS, "name": "orders", "max_receives": 5, "dead_letter": "dead", "group": "$.g",
                                            "batch": {"max_events": 2, "max_bytes": 65536, "max_wait_ms": 0}}}
    assert sluice("queue", "list", "--db", db).out.split() == ["orders", "2", "visibility", "30", "receives", "5", "dead", "dead"]
    assert sluice("queue", "list", "--db", db, "--json").json == {"queues": [got]}
    sluice("queue", "delete", "--db", db, "orders")
    assert sluice("queue", "get", "--db", db, "orders", check=False).code == 1
    assert sluice("queue", "delete", "--db", db, "orders", check=False).code == 1


def test_what_is_got_can_be_put_and_keeps_its_revision(db, write, tmp_path):
    sluice("queue", "put", "--db", db, write(queue("q", deduplication={"key": "content"}, description="d")))
    again = tmp_path / "again"
    again.write_text(sluice("queue", "get", "--db", db, "q").out)
    assert sluice("queue", "put", "--db", db, again).out == "q: revision 2\n"


@pytest.mark.parametrize("item, place", [
    (queue("a b"), "$.name: "), (queue("q", dead_letter="q"), "$.dead_letter: "), (queue("q", batch={}), "$.batch: "),
    (queue("q", visibility=1), "$.visibility: "), ("x", "$: "), (rule(), "$.pattern: ")])
def test_a_faulty_queue_is_refused_by_file_line_and_place(db, write, item, place):
    path = write(item)
    result = sluice("queue", "put", "--db", db, path, check=False)
    assert result.code == 3 and f"{path}:1: {place}" in result.err, result.err
    assert not db.exists()


def test_import_export_and_diff_carry_queues(db, write, tmp_path):
    items = [rule({"queue": "q"}), {"queue": queue("q", delay_ms=5)}, {"queue": queue("other")}, {"bus": {"name": "b"}}]
    path = write(*items)
    diff = sluice("rule", "diff", "--db", db, path, check=False)
    assert diff.code == 5  # there is no store yet
    result = sluice("rule", "import", "--db", db, path)
    assert result.out == "1 rule, 1 bus, 2 queues: 4 changed, 0 deleted\n"
    lines = [json.loads(line) for line in sluice("rule", "export", "--db", db).out.splitlines()]
    assert [line["queue"]["name"] for line in lines[:2]] == ["other", "q"]
    assert lines[1]["queue"] == {**DEFAULTS, "name": "q", "delay_ms": 5}
    exported = write(*lines, name="exported")
    assert sluice("rule", "diff", "--db", db, exported, "--replace").code == 0
    assert "0 changed" in sluice("rule", "import", "--db", db, exported).out
    fewer = write(rule(), {"queue": queue("q")}, name="fewer")
    changes = sluice("rule", "diff", "--db", db, fewer, "--replace", "--json", check=False).json
    assert {"queue": "q", "change": "changed"} in changes["changes"]
    assert {"queue": "other", "change": "removed"} in changes["changes"]
    assert sluice("rule", "import", "--db", db, fewer, "--replace", "--json").json == {
        "rules": 1, "buses": 0, "queues": 1, "connections": 0, "targets": 0, "sources": 0, "changed": 2, "deleted": 2,
        "dry_run": False}
    assert sluice("status", "--db", db, "--json").json["queues"] == 1


def test_a_name_may_be_a_rules_a_buses_and_a_queues(db, write):
    sluice("rule", "import", "--db", db, write(rule(), {"queue": queue("r")}, {"bus": {"name": "r"}}))
    result = sluice("rule", "import", "--db", db, write({"queue": queue("q")}, {"queue": queue("q")}), check=False)
    assert result.code == 3 and 'a queue of the name "q" stands in line 1 already' in result.err


def test_putting_warns_of_queues_that_are_not_there(db, write):
    path = write(rule({"queue": "here"}, {"queue": "gone"}, {"queue": "gone"}, dead_letter="dead"))
    sluice("queue", "put", "--db", db, write(queue("here"), name="here"))
    assert sluice("rule", "put", "--db", db, path).err.splitlines() == [
        'sluice: warning: there is no queue "dead" yet', 'sluice: warning: there is no queue "gone" yet']
    assert sluice("queue", "put", "--db", db, write(queue("x", dead_letter="gone"))).err == \
        'sluice: warning: there is no queue "gone" yet\n'
    assert sluice("queue", "put", "--db", db, write(queue("y", dead_letter="x"))).err == ""


def test_a_rule_with_a_schedule_is_carried_and_matches_nothing(db, write, tmp_path):
    timed = {"name": "timed", "schedule": "cron(0 8 ? * MON *)", "timezone": "Europe/Berlin", "input": [1]}
    path = write(timed, rule())
    sluice("rule", "import", "--db", db, path)
    exported = write(*(json.loads(line) for line in sluice("rule", "export", "--db", db).out.splitlines()), name="exported")
    assert sluice("rule", "diff", "--db", db, exported, "--replace").code == 0
    assert sluice("rule", "diff", "--db", db, path).code == 0
    (tmp_path / "events").write_text('{"a":1}\n')
    assert sluice("match", "--rules", path, "--events", tmp_path / "events").out == '["r"]\n'
    explained = sluice("explain", "--rules", path, '{"a":1}', "--json").json
    assert [entry["rule"] for entry in explained["matches"] + explained["misses"]] == ["r"]
    result = sluice("rule", "put", "--db", db, write({**timed, "timezone": "Europe/Atlantis"}, name="bad"), check=False)
    assert result.code == 3 and ":1: $.timezone: there is no time zone" in result.err
