# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The verbs on a store, without a broker."""
import json
import os
import stat

import pytest

from environment import run, sluice


def rule(name, value=1, **members):
    return {"name": name, "pattern": {"a": [value]}, "targets": [{"id": "t", "consumer": "c"}], **members}


@pytest.fixture
def db(tmp_path):
    return tmp_path / "sluice.db"


@pytest.fixture
def write(tmp_path):
    def write_file(*items, name="rules"):
        path = tmp_path / name
        path.write_text("".join((item if isinstance(item, str) else json.dumps(item)) + "\n" for item in items))
        return path
    return write_file


def names(db):
    return [entry["name"] for entry in sluice("rule", "list", "--db", db, "--json").json["rules"]]


def test_import_makes_the_store_and_puts_every_rule(db, write):
    result = sluice("rule", "import", "--db", db, write(rule("b"), rule("a")), "--json")
    assert result.json == {"rules": 2, "buses": 0, "queues": 0, "connections": 0, "targets": 0, "sources": 0, "changed": 2, "deleted": 0, "dry_run": False}
    assert names(db) == ["a", "b"]


@pytest.mark.parametrize("text", [json.dumps([rule("a"), rule("b")]), json.dumps([rule("a"), rule("b")], indent=1),
                                  "\n\n" + json.dumps(rule("a")) + "\r\n\t\n" + json.dumps(rule("b"))])
def test_import_takes_lines_or_an_array(db, write, text):
    sluice("rule", "import", "--db", db, write(text))
    assert names(db) == ["a", "b"]


def test_import_takes_a_single_rule_over_many_lines(db, write):
    sluice("rule", "import", "--db", db, write(json.dumps(rule("a"), indent=4)))
    assert names(db) == ["a"]


@pytest.mark.parametrize("items, where", [
    ((rule("a"), "", rule("b", {"prefixx": "x"})), ":3: $.pattern.a[0]: unknown operator"),
    ((rule("a"), "{"), ":2: "),
    ((rule("a"), "17"), ":2: $: "),
    ((json.dumps([rule("a")])[:-1] + ",\n" + json.dumps(rule("b", colour="red")) + "]",), ":2: $[1].colour: "),
    ((rule("a"), rule("b"), rule("a")), ":3: a rule of the name \"a\" stands in line 1 already"),
    ((rule("a"), rule("b", bus="nowhere")), ":2: "),
    ((rule("a"), {"bus": {"name": "x", "topics": ["a/#/b"]}}), ":2: $.bus.topics[0]: "),
])
def test_import_puts_nothing_when_one_rule_is_faulty_and_names_file_and_line(db, write, items, where):
    sluice("rule", "import", "--db", db, write(rule("before"), name="first"))
    path = write(*items)
    result = sluice("rule", "import", "--db", db, path, check=False)
    assert result.code == 3
    assert f"{path}{where}" in result.err
    assert names(db) == ["before"]


def test_import_of_nothing_makes_an_empty_store(db, write):
    assert sluice("rule", "import", "--db", db, write(), "--json").json["rules"] == 0
    assert names(db) == []


def test_a_dry_run_changes_nothing(db, write):
    sluice("rule", "import", "--db", db, write(rule("a")))
    result = sluice("rule", "import", "--db", db, write(rule("b")), "--replace", "--dry-run", "--json").json
    assert result == {"rules": 1, "buses": 0, "queues": 0, "connections": 0, "targets": 0, "sources": 0, "changed": 1, "deleted": 1, "dry_run": True}
    assert names(db) == ["a"]
    sluice("rule", "import", "--db", db, write(rule("b")), "--replace")
    assert names(db) == ["b"]


def test_replace_deletes_buses_too_but_not_the_default_one(db, write):
    sluice("rule", "import", "--db", db, write({"bus": {"name": "o", "topics": ["o/#"]}}, rule("a", bus="o")))
    sluice("rule", "import", "--db", db, write(rule("a")), "--replace")
    assert [entry["bus"]["name"] for entry in sluice("bus", "list", "--db", db, "--json").json["buses"]] == ["default"]


def test_what_export_prints_import_takes(db, write, tmp_path):
    items = [{"bus": {"name": "o", "topics": ["o/#"], "exclude": ["o/x"], "deliver_original": False}},
             rule("a", 12345678901234567890, bus="o", state="SHADOW", description="ä\"b"), rule("b")]
    sluice("rule", "import", "--db", db, write(*items))
    exported = sluice("rule", "export", "--db", db).out
    assert len(exported.splitlines()) == 3
    assert "12345678901234567890" in exported
    other, path = tmp_path / "other.db", tmp_path / "exported"
    sluice("rule", "export", path, "--db", db)
    assert path.read_text() == exported
    sluice("rule", "import", "--db", other, path)
    assert sluice("rule", "export", "--db", other).out == exported


def test_diff_tells_added_changed_and_removed(db, write):
    sluice("rule", "import", "--db", db, write(rule("same"), rule("old"), rule("changed")))
    path = write(json.dumps(rule("same"), indent=2).replace("\n", " "), rule("new"), rule("changed", 2))
    result = sluice("rule", "diff", "--db", db, path, check=False)
    assert result.code == 1
    assert sorted(result.out.splitlines()[:-1]) == ["added   rule new", "changed rule changed"]
    result = sluice("rule", "diff", "--db", db, path, "--replace", "--json", check=False)
    assert result.json["removed"] == 1 and {"rule": "old", "change": "removed"} in result.json["changes"]
    sluice("rule", "import", "--db", db, path, "--replace")
    assert sluice("rule", "diff", "--db", db, path, "--replace").out == "0 added, 0 changed, 0 removed\n"


def test_put_get_states_and_delete(db, write):
    assert sluice("rule", "put", "--db", db, write(json.dumps(rule("a"), indent=2)), "--json").json["name"] == "a"
    assert json.loads(sluice("rule", "get", "--db", db, "a").out)["pattern"] == {"a": [1]}
    for verb, state in (("disable", "DISABLED"), ("shadow", "SHADOW"), ("enable", "ENABLED")):
        revision = sluice("rule", verb, "--db", db, "a", "--json").json["revision"]
        got = sluice("rule", "get", "--db", db, "a", "--json").json
        assert (got["rule"]["state"], got["revision"]) == (state, revision)
    sluice("rule", "delete", "--db", db, "a")
    assert names(db) == []


def test_put_takes_one_rule_only(db, write):
    result = sluice("rule", "put", "--db", db, write(json.dumps([rule("a"), rule("b")])), check=False)
    assert result.code == 3 and "2 rules" in result.err
    assert sluice("rule", "put", "--db", db, write(""), check=False).code == 3


def test_a_revision_that_is_not_the_one_asked_for_is_a_conflict(db, write):
    path = write(rule("a"))
    revision = sluice("rule", "put", "--db", db, path, "--if-revision", "0", "--json").json["revision"]
    assert sluice("rule", "put", "--db", db, path, "--if-revision", "0", check=False).code == 6
    assert sluice("rule", "disable", "--db", db, "a", "--if-revision", revision + 1, check=False).code == 6
    assert sluice("rule", "delete", "--db", db, "a", "--if-revision", revision + 1, check=False).code == 6
    sluice("rule", "delete", "--db", db, "a", "--if-revision", revision)


def test_what_is_not_there_is_exit_1(db, write):
    sluice("rule", "import", "--db", db, write())
    for arguments in (("rule", "get"), ("rule", "delete"), ("rule", "enable"), ("bus", "get"), ("bus", "delete")):
        result = sluice(*arguments, "--db", db, "nobody", check=False)
        assert result.code == 1 and "nobody" in result.err


def test_list_filters_and_pages(db, write):
    sluice("bus", "put", "--db", db, write({"name": "o", "topics": ["o/#"]}))
    sluice("rule", "import", "--db", db, write(*(rule(f"a{number}") for number in range(5)),
                                               rule("b", bus="o"), rule("c", state="DISABLED")))
    def listed(*arguments):
        return [entry["name"] for entry in sluice("rule", "list", "--db", db, "--json", *arguments).json["rules"]]
    assert listed("--prefix", "a", "--limit", "2") == ["a0", "a1"]
    assert listed("--prefix", "a", "--after", "a2") == ["a3", "a4"]
    assert listed("--bus", "o") == ["b"]
    assert listed("--state", "DISABLED") == ["c"]
    table = sluice("rule", "list", "--db", db).out.splitlines()
    assert len(table) == 7 and table[6].split()[:3] == ["c", "default", "DISABLED"]


def test_a_bus_with_rules_is_not_deleted(db, write):
    sluice("rule", "import", "--db", db, write({"bus": {"name": "o", "topics": ["o/#"]}}, rule("a", bus="o")))
    assert sluice("bus", "delete", "--db", db, "o", check=False).code == 6
    sluice("rule", "delete", "--db", db, "a")
    sluice("bus", "delete", "--db", db, "o")


def test_a_store_that_cannot_be_opened_is_exit_5(db, write, tmp_path):
    assert sluice("rule", "list", "--db", db, check=False).code == 5
    assert not db.exists()
    junk = write("this is no database " * 500, name="junk.db")
    before = junk.read_bytes()
    for arguments in (("rule", "list"), ("rule", "import", write(rule("a"))), ("status",)):
        result = sluice(*arguments, "--db", junk, check=False)
        assert result.code == 5 and "junk.db" in result.err
    assert junk.read_bytes() == before


def test_a_store_made_by_root_belongs_to_the_owner_of_its_folder(tmp_path, write):
    if os.geteuid() != 0:
        pytest.skip("only root makes files for others")
    folder = tmp_path / "store"
    folder.mkdir()
    os.chown(folder, 1234, 1235)
    sluice("rule", "import", "--db", folder / "sluice.db", write(rule("a")))
    for path in folder.iterdir():
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 1235), path


def test_backup_and_restore(db, write, tmp_path):
    sluice("rule", "import", "--db", db, write(rule("a")))
    backup = tmp_path / "backup.db"
    sluice("backup", "--db", db, backup)
    assert stat.S_IMODE(backup.stat().st_mode) & 0o007 == 0
    assert sluice("backup", "--db", db, backup, check=False).code == 6
    sluice("rule", "import", "--db", db, write(rule("b")), "--replace")
    sluice("restore", "--db", db, backup)
    assert names(db) == ["a"]
    assert sluice("restore", "--db", db, tmp_path / "none", check=False).code == 5
    assert names(db) == ["a"]


def test_status_of_a_store(db, write):
    sluice("rule", "import", "--db", db, write(rule("a")))
    status = sluice("status", "--db", db, "--json").json
    assert (status["rules"], status["buses"], status["rule_errors"]) == (1, 1, 0)


def test_a_row_that_somebody_broke_with_sqlite_can_be_listed_and_repaired(db, write):
    sluice("rule", "import", "--db", db, write(rule("a")))
    run("sqlite3", db, """UPDATE rules SET pattern='{"a":[{"nonsense":1}]}' WHERE name='a'""")
    assert names(db) == ["a"]
    assert sluice("rule", "diff", "--db", db, write(rule("a")), check=False).code == 1
    sluice("rule", "import", "--db", db, write(rule("a")))
    assert sluice("rule", "diff", "--db", db, write(rule("a"))).code == 0


def test_many_rules_are_imported_in_reasonable_time(db, write):
    sluice("rule", "import", "--db", db, write(*(rule(f"rule-{number}", number) for number in range(10000))), timeout=30)
    assert len(sluice("rule", "export", "--db", db).out.splitlines()) == 10000


# --- explain ---

def test_explain_a_pattern_offline():
    result = sluice("explain", "--pattern", '{"t":[{"numeric":[">",30]}],"site":["x"]}', '{"t":21.5}', check=False)
    assert result.code == 1
    assert result.out.splitlines() == ["no match", "$.t: 21.5 is not > 30", "$.site: absent"]
    assert sluice("explain", "--pattern", '{"t":[1]}', '{"t":1}', "--json").json["match"] is True


def test_explain_the_topic_and_a_whole_publish():
    pattern = '{"$mqtt":{"topic":[{"mqtt-topic":"plants/#"}]}}'
    assert sluice("explain", "--pattern", pattern, "-t", "plants/a", "-m", "x").out.startswith("match\n")
    result = sluice("explain", "--pattern", pattern, "--publish", '{"topic":"a/b"}', check=False)
    assert result.code == 1 and '"a/b" does not match "plants/#"' in result.out


def test_explain_many_rules_with_the_nearest_misses_first(db, write, tmp_path):
    rules = [{"name": "two", "pattern": {"a": [2], "b": [2]}, "targets": [{"id": "t", "consumer": "c"}]},
             {"name": "one", "pattern": {"a": [1], "b": [2]}, "targets": [{"id": "t", "consumer": "c"}]},
             rule("hit"), rule("off", state="DISABLED")]
    path = write(*rules)
    event = tmp_path / "event.json"
    event.write_text('{"a":1,"b":1}\n')
    sluice("rule", "import", "--db", db, path)
    for source in (("--rules", path), ("--db", db)):
        result = sluice("explain", *source, event, "--json").json
        assert sorted(entry["rule"] for entry in result["matches"]) == ["hit", "off"]
        assert [entry["rule"] for entry in result["misses"]] == ["one", "two"]
    text = sluice("explain", "--db", db, event, "--misses", "1").out
    assert "match    hit\n" in text and "off, which is DISABLED" in text and "no match one\n" in text
    assert "two" not in text
    result = sluice("explain", "--db", db, event, "--rule", "two", check=False)
    assert result.code == 1 and result.out.startswith("no match two\n")
    assert sluice("explain", "--db", db, event, "--rule", "nobody", check=False).code == 1


def test_explain_says_when_the_bus_does_not_take_in_the_topic(db, write):
    sluice("rule", "import", "--db", db, write(rule("a")))
    assert "does not take in this topic" in sluice("explain", "--db", db, '{"a":1}', "-t", "consumers/x").out


def test_control_characters_of_others_do_not_reach_the_terminal(db, write):
    result = sluice("explain", "--pattern", '{"t":["x"]}', json.dumps({"t": "\x1b[31m\u009b1m"}), check=False)
    assert "\x1b" not in result.out and "\u009b" not in result.out


# --- hostile files ---

@pytest.mark.parametrize("content", [
    b"\0", b"\xff", b"\xef\xbb\xbf" + json.dumps(rule("a")).encode(), b"[" * 300000, b"{", b'"', b"[1]", b"null", b"[[]]", b"[{}]",
    b'{"bus":{}}', b'{"bus":{"bus":{}}}', b'[' + json.dumps(rule("a")).encode() + b"]x", json.dumps(rule("a" * 65)).encode(),
    json.dumps(rule("a/b")).encode(), json.dumps(rule("a", description="x" * 2_000_000)).encode(),
    b'{"name":"a","name":"a","pattern":{"a":[1]},"targets":[{"id":"t","consumer":"c"}]}',
    b'{"name":"a","pattern":' + b'{"a":' * 5000 + b"[1]" + b"}" * 5000 + b',"targets":[]}',
    json.dumps(rule("a")).encode() + b"\r" + json.dumps(rule("b")).encode(),
], ids=lambda content: repr(content[:20]))
def test_a_hostile_rules_file_is_refused_and_changes_nothing(db, tmp_path, content):
    path = tmp_path / "hostile"
    path.write_bytes(content)
    result = sluice("rule", "import", "--db", db, path, check=False)
    assert result.code == 3 and str(path) + ":1: " in result.err, result.err[:300]
    assert "\0" not in result.err and len(result.err) < 2000
    assert not db.exists()
    for verb in (("rule", "put", "--db", db), ("bus", "put", "--db", db)):
        assert sluice(*verb, path, check=False).code == 3
    (tmp_path / "events").write_text("{}\n")
    assert sluice("match", "--rules", path, "--events", tmp_path / "events", check=False).code in (0, 3)


def test_files_that_are_torn_anywhere_are_refused_or_taken_but_never_worse(db, tmp_path):
    text = json.dumps([rule("a", {"numeric": [">", 1e3]}), rule("b", state="SHADOW")], indent=1).encode()
    path = tmp_path / "torn"
    for cut in range(0, len(text), 7):
        for torn in (text[:cut], text[:cut] + b"\xff" + text[cut + 1:], text[:cut] + b'"' + text[cut:]):
            path.write_bytes(torn)
            result = sluice("rule", "import", "--db", db, "--dry-run", path, check=False, text=False)
            assert result.code in (3, 5), result
