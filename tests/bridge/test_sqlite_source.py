# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Changes that the sqlite3 shell makes in a database of its own, as events."""
import base64
import shutil
import sqlite3
import subprocess

import pytest

from changes import Listener, in_order, without_repeats
from harness import wait_until


class Database:
    """Another program's: it knows nothing of us."""

    def __init__(self, path):
        self.path = path

    def sql(self, text, check=True):
        done = subprocess.run(["sqlite3", "-cmd", ".timeout 10000", self.path], input=text, capture_output=True, text=True,
                              timeout=60, check=False)
        assert not check or (done.returncode == 0 and not done.stderr), done.stderr
        return done.stdout.strip() + (done.stderr if not check else "")

    def position(self, name="shop"):
        return int(self.sql(f"SELECT position FROM sluice_outbox_readers WHERE name = '{name}'") or 0)

    def last(self):
        return int(self.sql("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'sluice_outbox'") or 0)


@pytest.fixture
def database(directory):
    return Database(directory / "shop.db")


@pytest.fixture
def capture(database, bridge):
    """capture(sql, tables=[…]) → a listener: a source is at work on that database."""
    def begin(sql, name="shop", **settings):
        database.sql(sql)
        listener = Listener(bridge.broker)
        settings = {"file": str(database.path), "poll_ms": 10, **settings}
        bridge.put_source(name, "sqlite", settings, topic="changes/{topic}")
        wait_until(lambda: database.sql(f"SELECT position FROM sluice_outbox_readers WHERE name = '{name}'", check=False)
                   .isdigit(), 10, lambda: f"the source to begin:\n{bridge.log()}")
        return listener

    return begin


def summary(record):
    return record["eventName"], record["keys"], record.get("old_image"), record.get("new_image")


def test_each_operation_has_the_shape_of_its_kind(database, capture):
    listener = capture("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price)")
    database.sql("INSERT INTO items VALUES (1, 'it''s', 0.1 + 0.2), (2, NULL, x'00ff'); UPDATE items SET price = 9e999;"
                 "UPDATE items SET id = 7 WHERE id = 1; DELETE FROM items WHERE id = 2")
    first, second, *updates, key, remove = listener.take(6)
    number = first["sequence_number"]
    assert first | {"eventID": 0, "time": 0} == {
        "eventID": 0, "eventName": "INSERT", "eventSource": "sqlite", "database": "shop.db", "table": "items",
        "keys": {"id": 1}, "new_image": {"id": 1, "name": "it's", "price": 0.1 + 0.2}, "sequence_number": number, "time": 0}
    assert first["eventID"].endswith(number)
    assert second["new_image"] == {"id": 2, "name": None, "price": base64.b64encode(b"\0\xff").decode()}
    assert summary(updates[0]) == ("MODIFY", {"id": 1}, first["new_image"], {"id": 1, "name": "it's", "price": "Inf"})
    assert (key["keys"], key["old_image"]["id"]) == ({"id": 7}, 1)
    assert summary(remove) == ("REMOVE", {"id": 2}, {"id": 2, "name": None, "price": "Inf"}, None)
    assert in_order(listener.all())


REPLACING = [
    ("by the rowid's own key", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES (1, 'a')",
     "REPLACE INTO t VALUES (1, 'b')", [("MODIFY", {"id": 1}, {"id": 1, "v": "a"}, {"id": 1, "v": "b"})]),
    ("by a key of text", "CREATE TABLE t (id TEXT PRIMARY KEY, v)", "INSERT INTO t VALUES ('k', 1)",
     "REPLACE INTO t VALUES ('k', 2)", [("MODIFY", {"id": "k"}, {"id": "k", "v": 1}, {"id": "k", "v": 2})]),
    ("without rowid", "CREATE TABLE t (a, b, v, PRIMARY KEY (b, a)) WITHOUT ROWID", "INSERT INTO t VALUES (1, 2, 3)",
     "REPLACE INTO t VALUES (1, 2, 4)", [("MODIFY", {"a": 1, "b": 2}, {"a": 1, "b": 2, "v": 3}, {"a": 1, "b": 2, "v": 4})]),
    ("by another unique column", "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE)", "INSERT INTO t VALUES (1, 'x')",
     "REPLACE INTO t VALUES (2, 'x')", [("REMOVE", {"id": 1}, {"id": 1, "u": "x"}, None),
                                        ("INSERT", {"id": 2}, None, {"id": 2, "u": "x"})]),
    ("by both", "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE)", "INSERT INTO t VALUES (1, 'x'), (2, 'y')",
     "REPLACE INTO t VALUES (2, 'x')", [("REMOVE", {"id": 1}, {"id": 1, "u": "x"}, None),
                                        ("MODIFY", {"id": 2}, {"id": 2, "u": "y"}, {"id": 2, "u": "x"})]),
    ("by an update", "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE)", "INSERT INTO t VALUES (1, 'x'), (2, 'y')",
     "UPDATE OR REPLACE t SET u = 'y' WHERE id = 1", [("REMOVE", {"id": 2}, {"id": 2, "u": "y"}, None),
                                                      ("MODIFY", {"id": 1}, {"id": 1, "u": "x"}, {"id": 1, "u": "y"})]),
    ("by an update of the key", "CREATE TABLE t (a PRIMARY KEY, v) WITHOUT ROWID", "INSERT INTO t VALUES (1, 'x'), (2, 'y')",
     "UPDATE OR REPLACE t SET a = 2 WHERE a = 1", [("REMOVE", {"a": 2}, {"a": 2, "v": "y"}, None),
                                                   ("MODIFY", {"a": 2}, {"a": 1, "v": "x"}, {"a": 2, "v": "x"})]),
    ("with recursive triggers", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES (1, 'a')",
     "PRAGMA recursive_triggers = ON; REPLACE INTO t VALUES (1, 'b')",
     [("REMOVE", {"id": 1}, {"id": 1, "v": "a"}, None), ("INSERT", {"id": 1}, None, {"id": 1, "v": "b"})]),
    ("not at all, when it is ignored", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES (1, 'a')",
     "INSERT OR IGNORE INTO t VALUES (1, 'b'); UPDATE t SET v = 'c'",
     [("MODIFY", {"id": 1}, {"id": 1, "v": "a"}, {"id": 1, "v": "c"})]),
    ("not at all, when it becomes an update", "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "INSERT INTO t VALUES (1, 'a')",
     "INSERT INTO t VALUES (1, 'b') ON CONFLICT DO UPDATE SET v = excluded.v; DELETE FROM t",
     [("MODIFY", {"id": 1}, {"id": 1, "v": "a"}, {"id": 1, "v": "b"}), ("REMOVE", {"id": 1}, {"id": 1, "v": "b"}, None)]),
    ("by a row's number", "CREATE TABLE t (v)", "INSERT INTO t VALUES ('a')", "REPLACE INTO t (rowid, v) VALUES (1, 'b')",
     [("MODIFY", {"rowid": 1}, {"v": "a"}, {"v": "b"})]),
]


def test_a_row_that_is_replaced_is_told_of(database, capture):
    for number, (why, table, before, statement, wanted) in enumerate(REPLACING):
        database.sql(table.replace("TABLE t", f"TABLE t{number}"))
    listener = capture("SELECT 1")
    for number, (why, table, before, statement, wanted) in enumerate(REPLACING):
        def named(text):
            return text.replace(" t ", f" t{number} ").replace("FROM t", f"FROM t{number}")

        rows = len(wanted) + before.count("(") - before.count("t (")
        database.sql(named(f"{before}; {statement};"))
        got = [summary(record) for record in listener.take(rows)][-len(wanted):]
        assert got == wanted, why
    assert database.last() == len(listener.all())


def test_odd_names_and_many_columns_and_generated_ones(database, capture):
    many = ", ".join(f"c{number}" for number in range(150))
    listener = capture(f"CREATE TABLE many ({many});"
                       'CREATE TABLE "od""d \'t" ("sel""ect" TEXT PRIMARY KEY, "a.b" BLOB, rowid INT, "\'" INT);'
                       "CREATE TABLE made (a INTEGER PRIMARY KEY, b AS (a * 2), c AS (a + 1) STORED);")
    values = ", ".join(str(number) if number % 2 else "'}{'" for number in range(150))
    database.sql(f"INSERT INTO many VALUES ({values});"
                 'INSERT INTO "od""d \'t" VALUES (\'ü"\', x\'01\', 5, 6);'
                 "INSERT INTO made (a) VALUES (4)")
    wide, odd, made = listener.take(3)
    assert wide["new_image"] == {f"c{number}": number if number % 2 else "}{" for number in range(150)}
    assert wide["keys"] == {"rowid": 1}
    assert (odd["table"], odd["keys"]) == ("od\"d 't", {'sel"ect': 'ü"'})
    assert odd["new_image"] == {'sel"ect': 'ü"', "a.b": "AQ==", "rowid": 5, "'": 6}
    assert made["new_image"] == {"a": 4, "b": 8, "c": 5}


def test_a_change_that_is_undone_never_was(database, capture):
    listener = capture("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
    database.sql("BEGIN; INSERT INTO t VALUES (1, 'a'); ROLLBACK; BEGIN; INSERT INTO t VALUES (2, 'b'); SAVEPOINT s;"
                 "INSERT INTO t VALUES (3, 'c'); ROLLBACK TO s; UPDATE t SET v = 'd'; COMMIT;"
                 "INSERT INTO t VALUES (2, 'x') ON CONFLICT DO NOTHING; INSERT INTO t VALUES (9, 'end')")
    assert [(record["eventName"], record["keys"]["id"]) for record in listener.take(3)] == [
        ("INSERT", 2), ("MODIFY", 2), ("INSERT", 9)]


def test_triggers_follow_a_table_that_changes(database, capture):
    listener = capture("CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE other (a)", tables=["t"])

    def triggers():
        return database.sql("SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name")

    database.sql("ALTER TABLE t ADD COLUMN w DEFAULT 5; ALTER TABLE t RENAME COLUMN v TO value")
    wait_until(lambda: "'w'" in triggers() and "'value'" in triggers(), 10, triggers)
    database.sql("INSERT INTO t VALUES (1, 'a', 6); INSERT INTO other VALUES (1)")
    assert listener.take(1)[0]["new_image"] == {"id": 1, "value": "a", "w": 6}
    # As migrations do it where ALTER TABLE can't.
    database.sql("BEGIN; CREATE TABLE new_t (id TEXT PRIMARY KEY); INSERT INTO new_t SELECT id FROM t; DROP TABLE t;"
                 "ALTER TABLE new_t RENAME TO t; COMMIT")
    wait_until(lambda: "'w'" not in triggers() and "'id'" in triggers(), 10, triggers)
    database.sql("DELETE FROM t")
    assert summary(listener.take(1)[0]) == ("REMOVE", {"id": "1"}, {"id": "1"}, None)
    assert "other" not in triggers()


def test_every_table_is_watched_when_none_is_named(database, capture):
    listener = capture("CREATE TABLE a (v); CREATE VIEW view AS SELECT * FROM a; CREATE VIRTUAL TABLE words USING fts5(v)")
    database.sql("INSERT INTO a VALUES (1); CREATE TABLE b (v)")
    wait_until(lambda: database.sql("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'b'") == "4",
               10, "triggers of the new table")
    database.sql("INSERT INTO b VALUES (2)")
    assert [record["table"] for record in listener.take(2)] == ["a", "b"]


def test_rows_of_the_outbox_are_kept_for_a_while_and_a_new_reader_begins_with_them(database, capture, bridge):
    listener = capture("CREATE TABLE t (v)", keep_s=60)
    database.sql("INSERT INTO t VALUES (1), (2)")
    listener.take(2)
    again, latest = Listener(bridge.broker, "again/#"), Listener(bridge.broker, "latest/#")
    settings = {"file": str(database.path), "poll_ms": 10}
    bridge.put_source("again", "sqlite", settings, topic="again/{topic}")
    bridge.put_source("latest", "sqlite", {**settings, "start": "latest"}, topic="latest/{topic}")
    assert [record["new_image"]["v"] for record in again.take(2)] == [1, 2]
    wait_until(lambda: database.position("latest") == 2, 10, "the reader that begins at the end")
    database.sql("UPDATE sluice_outbox SET time = '2020-01-01T00:00:00.000Z' WHERE id = 1; INSERT INTO t VALUES (3)")
    assert [record["new_image"]["v"] for record in latest.take(1)] == [3]
    wait_until(lambda: database.position() == 3, 10, "all to be settled")
    # It is trimmed when a source begins, and now and then.
    bridge.put_source("shop", "sqlite", {**settings, "keep_s": 60}, topic="changes/{topic}", description="begins anew")
    wait_until(lambda: database.sql("SELECT group_concat(id) FROM sluice_outbox") == "2,3", 10,
               lambda: database.sql("SELECT id, time FROM sluice_outbox"))


def test_what_can_not_be_watched_is_told(database, bridge, directory):
    database.sql("CREATE TABLE t (v); CREATE VIEW view AS SELECT 1")
    bridge.put_source("lost", "sqlite", {"file": str(directory / "no.db")}, topic="x")
    bridge.put_source("misspelt", "sqlite", {"file": str(database.path), "tables": ["tt"]}, topic="x")
    bridge.put_source("view", "sqlite", {"file": str(database.path), "tables": ["view"]}, topic="x")
    bridge.put_source("bare", "sqlite", {"file": str(database.path), "create": False}, topic="x")
    bridge.wait_log("source lost.*unable to open database file")
    bridge.wait_log('source misspelt.*: there is no table "tt"')
    bridge.wait_log('source view.*: "view" is no table that can have triggers')
    bridge.wait_log("source bare.*has no outbox: sluice source add sqlite makes it")
    assert "sluice" not in database.sql("SELECT group_concat(name) FROM sqlite_schema")


def test_a_lock_is_waited_for_and_none_is_held(database, capture):
    listener = capture("CREATE TABLE t (v)")
    other = sqlite3.connect(database.path, timeout=0, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    other.execute("INSERT INTO t VALUES (1)")
    other.execute("COMMIT")
    listener.take(1)

    def insert(number):
        try:
            return other.execute("INSERT INTO t VALUES (?)", (number,))
        except sqlite3.OperationalError:
            return None

    # Who does not wait for locks meets ours, and finds it gone a moment later.
    for number in range(50):
        wait_until(lambda: insert(number), 2, "the lock", interval=0.001)  # noqa: B023
    other.close()
    listener.take(50)


def test_a_file_that_takes_its_place_is_watched(database, capture, directory, bridge):
    listener = capture("CREATE TABLE t (v)")
    database.sql("INSERT INTO t VALUES (1)")
    (first,) = listener.take(1)
    other = Database(directory / "other.db")
    other.sql("CREATE TABLE t (v)")
    shutil.move(other.path, database.path)
    wait_until(lambda: database.sql("SELECT 1 FROM sluice_outbox_readers", check=False) == "1", 10, bridge.log)
    database.sql("INSERT INTO t VALUES (2)")
    (second,) = listener.take(1)
    assert (second["new_image"], second["sequence_number"]) == ({"v": 2}, first["sequence_number"])
    assert second["eventID"] != first["eventID"]


class Writer:
    """Another program, which writes on and on."""

    def __init__(self, database):
        self.database = database
        self.count = 0
        self.shell = subprocess.Popen(["sqlite3", "-cmd", ".timeout 10000", database.path], stdin=subprocess.PIPE, text=True)

    def write(self, rows):
        """Two changes for each row; returns while they are being made."""
        for _ in range(rows):
            self.count += 1
            self.shell.stdin.write(f"INSERT INTO t VALUES ({self.count}, 'x'); UPDATE t SET v = 'y' WHERE id = {self.count};\n")
        self.shell.stdin.flush()
        wait_until(lambda: self.database.last() > 2 * self.count - rows, 20, "half of the rows")

    def end(self):
        self.shell.stdin.close()
        assert self.shell.wait(20) == 0
        return [(name, number) for number in range(1, self.count + 1) for name in ("INSERT", "MODIFY")]


def test_every_change_comes_in_order_though_the_bridge_is_killed(database, capture, bridge):
    listener = capture("CREATE TABLE t (id INTEGER PRIMARY KEY, v); PRAGMA journal_mode = WAL")
    writer = Writer(database)
    for _ in range(3):
        writer.write(100)
        bridge.kill()
        bridge.start()
    wanted = writer.end()
    wait_until(lambda: database.position() == len(wanted), 30, bridge.log)
    once = without_repeats(listener.all())
    assert [(record["eventName"], record["keys"]["id"]) for record in once] == wanted
    assert in_order(once)


def test_a_queue_has_every_change_once_though_the_broker_is_killed(database, capture, bridge):
    broker = bridge.broker
    broker.put_queue("once", deduplication={"key": "$.eventID", "window_s": 3600})
    broker.put_rule("once", {"table": ["t"]}, {"id": "q", "queue": "once"})
    capture("CREATE TABLE t (id INTEGER PRIMARY KEY, v); PRAGMA journal_mode = WAL")
    writer = Writer(database)
    for turn in range(4):
        writer.write(100)
        broker.kill()
        if turn == 2:
            bridge.kill()
            bridge.start(wait=False)
        broker.start()
    wanted = writer.end()
    wait_until(lambda: database.position() == len(wanted), 30, bridge.log)
    numbers = bridge.numbers("once")
    assert numbers["ready"] + numbers["in_flight"] == len(wanted)


def test_what_is_sent_again_has_its_old_id(database, capture, bridge):
    listener = capture("CREATE TABLE t (v)")
    database.sql("INSERT INTO t VALUES (1), (2), (3)")
    first = listener.take(3)
    wait_until(lambda: database.position() == 3, 10, "the position")
    bridge.kill()
    # As if it had been killed before it could write its position.
    database.sql("UPDATE sluice_outbox_readers SET position = 1")
    bridge.start()
    again = listener.take(2)
    assert again == first[1:]
    assert without_repeats(listener.all()) == first


def test_one_command_begins_it_and_one_ends_it(database, bridge):
    database.sql("CREATE TABLE orders (id INTEGER PRIMARY KEY); CREATE TABLE other (v)")
    listener = Listener(bridge.broker)
    assert bridge.broker.cli("source", "add", "sqlite", database.path, "orders").out.startswith("shop: revision")
    database.sql("INSERT INTO orders VALUES (1); INSERT INTO other VALUES (2)")
    assert listener.take(1)[0]["table"] == "orders"
    bridge.broker.cli("source", "add", "sqlite", database.path, "orders", "other", "--topic", "changes/all")

    def arrives():
        database.sql("INSERT INTO other VALUES (3)")
        return any(record["table"] == "other" for record in listener.all())

    # As every change of a definition, within a second or so.
    wait_until(arrives, 10, bridge.log, interval=0.1)
    assert bridge.broker.cli("source", "add", "sqlite", database.path, "--remove").out.strip() == "shop: removed"
    assert "sluice" not in database.sql("SELECT group_concat(name) FROM sqlite_schema")
    wait_until(lambda: "shop" not in bridge.broker.cli("source", "list").out, 10, "the source to go")
    database.sql("INSERT INTO other VALUES (4)")
    refused = bridge.broker.cli("source", "add", "sqlite", database.path, "otter", check=False)
    assert (refused.code, refused.err) == (3, 'sluice: there is no table "otter"\n')
    assert "sluice" not in database.sql("SELECT group_concat(name) FROM sqlite_schema")
