# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Connections, targets and sources on a store, without a broker or a bridge; what is shown of secrets."""
import json
import sqlite3
import stat

import pytest

from environment import sluice

SECRET = "hunter2-s3cret"


@pytest.fixture
def db(tmp_path):
    return tmp_path / "sluice.db"


@pytest.fixture
def put(db):
    def put_item(noun, check=True, **members):
        return sluice(noun, "put", "--db", db, "-", input=json.dumps(members), check=check)
    return put_item


def connection(password=SECRET, **members):
    return {"name": "c", "kind": "basic", "settings": {"username": "u"}, "secrets": {"password": password}, **members}


def target(**members):
    return {"name": "t", "kind": "http", "queue": "q", "connection": "c", "settings": {"url": "http://h/"}, **members}


def source(**members):
    return {"name": "s", "kind": "wills", "topic": "wills/{topic}", **members}


def stored(db):
    with sqlite3.connect(db) as store:
        return json.loads(store.execute("SELECT secrets FROM connections").fetchone()[0])


def test_each_is_put_got_listed_and_deleted(db, put):
    put("queue", name="q")
    for noun, item, row in (("connection", connection(), "c 3 basic"),
                            ("target", target(), "t ENABLED 5 http queue q by c"),
                            ("source", source(), "s ENABLED 7 wills topic wills/{topic}")):
        done = put(noun, **item)
        assert done.out == f"{item['name']}: revision {row.split()[1 if noun == 'connection' else 2]}\n" and not done.err
        got = sluice(noun, "get", "--db", db, item["name"], "--json").json
        assert got[noun].items() >= {name: value for name, value in item.items() if name != "secrets"}.items()
        assert sluice(noun, "list", "--db", db).out.split() == row.split()
        assert sluice(noun, "list", "--db", db, "--json").json == {f"{noun}s": [got]}
        sluice(noun, "delete", "--db", db, item["name"])
        assert sluice(noun, "get", "--db", db, item["name"], check=False).code == 1


def test_a_secret_is_shown_nowhere_and_null_keeps_it(db, put, tmp_path):
    put("connection", **connection())
    said = [sluice("connection", "get", "--db", db, "c"), sluice("connection", "get", "--db", db, "c", "--json"),
            sluice("connection", "list", "--db", db, "--json"), sluice("rule", "export", "--db", db),
            put("connection", **connection(kind="basik"), check=False),
            put("connection", **connection(secrets={"pasword": SECRET}), check=False),
            put("connection", **connection(secrets={"password": [SECRET]}), check=False)]
    assert all(SECRET not in result.out + result.err for result in said)
    assert said[0].json["secrets"] == {"password": None}
    put("connection", **connection(None, settings={"username": "v"}))
    assert stored(db) == {"password": SECRET}
    exported = tmp_path / "exported"
    exported.write_text(sluice("rule", "export", "--db", db).out)
    assert sluice("rule", "import", "--db", db, exported).out == "0 rules, 0 buses, 0 queues, 1 connection: 0 changed, 0 deleted\n"
    assert stored(db) == {"password": SECRET}
    put("connection", **connection({"env": "PASSWORD"}))
    assert sluice("connection", "get", "--db", db, "c").json["secrets"] == {"password": {"env": "PASSWORD"}}


def test_a_secret_that_null_can_t_keep_is_an_error(db, put):
    refused = put("connection", **connection(None), check=False)
    assert refused.code == 3 and "$.secrets.password" in refused.err and 'the connection "c", which has none' in refused.err


def test_the_store_s_file_is_not_for_others(db, put):
    put("connection", **connection())
    assert not stat.S_IMODE(db.stat().st_mode) & stat.S_IRWXO
    sluice("backup", "--db", db, db.parent / "copy")
    assert not stat.S_IMODE((db.parent / "copy").stat().st_mode) & stat.S_IRWXO


def test_a_misspelt_setting_is_told_by_place_and_suggestion(put):
    refused = put("target", **target(settings={"url": "http://h/", "metod": "PUT"}), check=False)
    assert refused.code == 3 and '$.settings.metod: the kind "http" has no member "metod", did you mean "method"?' in refused.err


def test_a_queue_of_a_target_that_is_not_there_is_told(put):
    assert 'there is no queue "q" yet' in put("target", **target()).err


def test_a_queue_has_one_target(put):
    put("target", **target())
    refused = put("target", **target(name="u"), check=False)
    assert refused.code == 6 and 'the targets "t" and "u" take from the same queue, "q"' in refused.err


@pytest.mark.parametrize("noun, item", [("target", target()), ("source", source())])
def test_one_is_disabled_and_enabled(db, put, noun, item):
    put(noun, **item)
    assert sluice(noun, "disable", "--db", db, item["name"]).out == f"{item['name']}: DISABLED, revision 3\n"
    assert sluice(noun, "get", "--db", db, item["name"]).json["state"] == "DISABLED"
    assert sluice(noun, "enable", "--db", db, item["name"], "--json").json == {"name": item["name"], "state": "ENABLED",
                                                                                "revision": 4}


def test_import_export_and_diff_carry_them(db, tmp_path):
    path = tmp_path / "all"
    path.write_text("".join(json.dumps(item) + "\n" for item in (
        {"source": source()}, {"target": target()}, {"connection": connection()}, {"queue": {"name": "q"}})))
    assert sluice("rule", "diff", "--db", db, path, check=False).code != 0
    assert sluice("rule", "import", "--db", db, path, "--json").json == {
        "rules": 0, "buses": 0, "queues": 1, "connections": 1, "targets": 1, "sources": 1, "changed": 4, "deleted": 0,
        "dry_run": False}
    assert sluice("rule", "diff", "--db", db, path).out == "0 added, 0 changed, 0 removed\n"
    kinds = [next(iter(json.loads(line))) for line in sluice("rule", "export", "--db", db).out.splitlines()]
    assert kinds == ["queue", "connection", "target", "source"]
    path.write_text(json.dumps({"target": target(name="u")}) + "\n")
    changed = sluice("rule", "diff", "--db", db, path, "--replace", check=False).out.splitlines()
    assert sorted(changed) == sorted(["added   target u", "removed target t", "removed source s", "removed connection c",
                                      "removed queue q", "1 added, 0 changed, 4 removed"])
    # The queue is handed over within the one transaction.
    sluice("rule", "import", "--db", db, path, "--replace")
    assert [row["target"]["name"] for row in sluice("target", "list", "--db", db, "--json").json["targets"]] == ["u"]


def test_a_faulty_item_of_an_import_is_told_by_line(db, tmp_path):
    path = tmp_path / "all"
    path.write_text("\n" + json.dumps({"target": target(kind="htp")}) + "\n")
    refused = sluice("rule", "import", "--db", db, path, check=False)
    assert refused.code == 3 and f"{path}:2: $.target.kind: " in refused.err
