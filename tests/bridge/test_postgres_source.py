# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Changes of a real PostgreSQL as events: which, in what order, and each of them whatever is killed meanwhile."""
import pytest

from changes import Listener, in_order, without_repeats
from harness import wait_until
from postgres import server  # noqa: F401  (a fixture)

class Captured:
    """A database that a source watches."""

    def __init__(self, server, bridge, sql, name):  # noqa: F811
        self.server, self.bridge = server, bridge
        self.database = server.database(sql)
        self.slot = f"{name}_{self.database}"
        self.listener = Listener(bridge.broker)

    def sql(self, text, **options):
        return self.server.sql(text, self.database, **options)

    def slot_is(self, column, value="t"):
        return self.server.sql(f"SELECT {column} FROM pg_replication_slots WHERE slot_name = '{self.slot}'") == value

    def wait_settled(self):
        """Until the server has heard that all is taken in."""
        end = self.server.sql("SELECT pg_current_wal_lsn()")
        wait_until(lambda: self.slot_is(f"confirmed_flush_lsn >= '{end}'"), 30, lambda: self.bridge.log()[-2000:])


@pytest.fixture
def capture(server, bridge):  # noqa: F811
    """capture(sql, tables=[…]) → a Captured: a source is at work."""
    def begin(sql, name="pg", tables=("items",), wait=True, **settings):
        captured = Captured(server, bridge, sql, name)
        if tables:
            settings["tables"] = list(tables)
        bridge.put_source(name, "postgres", {"url": server.url(captured.database), "slot": captured.slot, **settings},
                          topic="changes/{topic}")
        if wait:
            wait_until(lambda: captured.slot_is("active"), 20, lambda: f"the stream to begin:\n{bridge.log()}")
        return captured

    yield begin
    # A slot that nobody reads keeps the log for ever.
    bridge.stop()
    for name in server.sql("SELECT slot_name FROM pg_replication_slots").splitlines():
        wait_until(lambda: "ERROR" not in server.sql(f"SELECT pg_drop_replication_slot('{name}')", check=False), 10,  # noqa: B023
                   f"{name} to be dropped")


def summary(record):
    return record["eventName"], record["keys"], record.get("old_image"), record.get("new_image")


def test_each_operation_has_the_shape_of_its_kind(capture):
    captured = capture("CREATE TABLE items (id int PRIMARY KEY, name text, price numeric)")
    captured.sql("INSERT INTO items VALUES (1, 'bolt', 0.50); UPDATE items SET price = 0.75; UPDATE items SET id = 2;"
                 "DELETE FROM items; INSERT INTO items VALUES (3, NULL, 'NaN'); TRUNCATE items")
    insert, price, key, remove, second, truncate = captured.listener.take(6)
    number = insert["sequence_number"]
    assert insert | {"eventID": 0, "time": 0} == {
        "eventID": 0, "eventName": "INSERT", "eventSource": "postgres", "database": captured.database, "schema": "public",
        "table": "items", "keys": {"id": 1}, "new_image": {"id": 1, "name": "bolt", "price": 0.5}, "sequence_number": number,
        "time": 0}
    assert insert["eventID"].endswith(f"-{captured.slot}-{number}")
    assert summary(price) == ("MODIFY", {"id": 1}, None, {"id": 1, "name": "bolt", "price": 0.75})
    assert (key["keys"], key["old_image"]) == ({"id": 2}, {"id": 1})
    assert summary(remove) == ("REMOVE", {"id": 2}, {"id": 2}, None)
    assert second["new_image"] == {"id": 3, "name": None, "price": "NaN"}
    assert summary(truncate) == ("TRUNCATE", {}, None, None)
    assert in_order(captured.listener.all())
    assert [message.topic for message in captured.listener.client.messages] == ["changes/public/items"] * 6


def test_values_are_what_json_has_for_them(capture):
    captured = capture("CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE TABLE items (id bigint PRIMARY KEY, n numeric, f float8,"
                       "b bool, j jsonb, bytes bytea, t timestamptz, ints int[], texts text[], grid int[], moods mood[], m mood,"
                       "u uuid, missing text)")
    captured.sql("SET timezone = 'Asia/Tokyo'; INSERT INTO items VALUES (9007199254740993, 12345678901234567890.10, 0.1, true,"
                 """'{"a": [1, {"b": null}]}', '\\x00ff10', '2026-03-01 12:00+01', '{1,NULL,3}', '{"a,b","c\\"d",NULL,"NULL"}',"""
                 "'{{1,2},{3,4}}', '{glad,sad}', 'sad', '00000000-0000-0000-0000-000000000001', NULL)")
    (record,) = captured.listener.take(1)
    assert record["new_image"] == {
        "id": 9007199254740993, "n": 12345678901234567890.10, "f": 0.1, "b": True, "j": {"a": [1, {"b": None}]},
        "bytes": "AP8Q", "t": "2026-03-01 11:00:00+00", "ints": [1, None, 3], "texts": ["a,b", 'c"d', None, "NULL"],
        "grid": [[1, 2], [3, 4]], "moods": "{glad,sad}", "m": "sad", "u": "00000000-0000-0000-0000-000000000001",
        "missing": None}
    assert b'"n":12345678901234567890.10,' in captured.listener.client.messages[0].payload


def test_the_old_image_is_what_the_replica_identity_holds(capture):
    captured = capture("CREATE TABLE items (id int PRIMARY KEY, v text, big text); ALTER TABLE items REPLICA IDENTITY FULL;"
                       "CREATE TABLE bare (v text); ALTER TABLE bare REPLICA IDENTITY FULL;"
                       "CREATE TABLE toasted (id int PRIMARY KEY, n int, big text);"
                       "ALTER TABLE toasted ALTER big SET STORAGE EXTERNAL", tables=("items", "bare", "toasted"))
    captured.sql("INSERT INTO items VALUES (1, 'a', 'b'); UPDATE items SET v = 'c'; DELETE FROM items;"
                 "INSERT INTO bare VALUES ('x'); DELETE FROM bare; INSERT INTO toasted VALUES (1, 1, repeat('x', 5000));"
                 "UPDATE toasted SET n = 2")
    records = captured.listener.take(7)
    assert summary(records[1]) == ("MODIFY", {"id": 1}, {"id": 1, "v": "a", "big": "b"}, {"id": 1, "v": "c", "big": "b"})
    assert summary(records[2]) == ("REMOVE", {"id": 1}, {"id": 1, "v": "c", "big": "b"}, None)
    assert summary(records[4]) == ("REMOVE", {"v": "x"}, {"v": "x"}, None)
    assert summary(records[6]) == ("MODIFY", {"id": 1}, None, {"id": 1, "n": 2})
    assert records[6]["unchanged"] == ["big"] and "unchanged" not in records[5]


def test_a_transaction_comes_whole_in_the_order_of_commits_and_not_when_it_is_undone(capture):
    captured = capture("CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)")
    captured.sql("BEGIN; INSERT INTO items SELECT generate_series(1, 700); ROLLBACK; INSERT INTO other VALUES (1);"
                 "BEGIN; INSERT INTO items SELECT generate_series(1, 700); SAVEPOINT s; DELETE FROM items; ROLLBACK TO s;"
                 "INSERT INTO other VALUES (2); COMMIT; ALTER TABLE items ADD v text DEFAULT 'new'; INSERT INTO items VALUES (0)")
    records = captured.listener.take(701)
    assert [record["keys"]["id"] for record in records] == [*range(1, 701), 0]
    assert in_order(records)
    assert len({record["sequence_number"].split("-")[0] for record in records[:700]}) == 1
    assert len({record["time"] for record in records[:700]}) == 1
    assert records[-1]["new_image"] == {"id": 0, "v": "new"}
    # What is no table of ours holds no log either.
    captured.sql("INSERT INTO other SELECT generate_series(10, 1000)")
    captured.wait_settled()


def test_every_change_comes_in_order_though_the_bridge_is_killed(capture, bridge):
    captured = capture("CREATE TABLE items (id int PRIMARY KEY, v text)")
    count = 0
    for _ in range(3):
        captured.sql("".join(f"INSERT INTO items VALUES ({number}, 'x'); UPDATE items SET v = 'y' WHERE id = {number};"
                             for number in range(count, count + 150)))
        count += 150
        bridge.kill()
        bridge.start()
    captured.wait_settled()
    once = without_repeats(captured.listener.all())
    assert [(record["eventName"], record["keys"]["id"]) for record in once] == [
        (name, number) for number in range(count) for name in ("INSERT", "MODIFY")]
    assert in_order(once)


def test_a_queue_has_every_change_once_whatever_is_killed(server, capture, bridge):  # noqa: F811
    broker = bridge.broker
    broker.put_queue("once", deduplication={"key": "$.eventID", "window_s": 3600})
    broker.put_rule("once", {"table": ["items"]}, {"id": "q", "queue": "once"})
    captured = capture("CREATE TABLE items (id int PRIMARY KEY, v text)")
    for turn in range(4):
        captured.sql(f"INSERT INTO items SELECT n FROM generate_series({turn * 500}, {turn * 500 + 499}) n")
        if turn == 0:
            broker.kill()
            broker.start()
        elif turn == 1:
            server.restart("immediate")
        elif turn == 2:
            broker.kill()
            bridge.kill()
            bridge.start(wait=False)
            broker.start()
    captured.wait_settled()
    numbers = bridge.numbers("once")
    assert numbers["ready"] + numbers["in_flight"] == 2000


def test_what_is_sent_again_has_its_old_id_and_the_server_sends_what_was_not_acknowledged(capture, bridge):
    captured = capture("CREATE TABLE items (id int PRIMARY KEY)")
    captured.sql("INSERT INTO items VALUES (1), (2)")
    first = captured.listener.take(2)
    captured.wait_settled()
    captured.sql("INSERT INTO items VALUES (3); INSERT INTO items VALUES (4)")
    first += captured.listener.take(2)
    # Killed at once, it had no time to say that the last two were taken in; if it had, nothing comes again.
    bridge.kill()
    bridge.start()
    captured.sql("INSERT INTO items VALUES (5)")
    captured.wait_settled()
    once = without_repeats(captured.listener.all())
    assert once[:4] == first and [record["keys"]["id"] for record in once] == [1, 2, 3, 4, 5]


def test_a_restart_of_the_server_repeats_nothing(server, capture):  # noqa: F811
    captured = capture("CREATE TABLE items (id int PRIMARY KEY)")
    captured.sql("INSERT INTO items VALUES (1)")
    captured.listener.take(1)
    server.restart("fast")
    wait_until(lambda: captured.slot_is("active"), 20, captured.bridge.log)
    server.restart("immediate")
    captured.sql("INSERT INTO items VALUES (2)")
    captured.wait_settled()
    assert [record["keys"]["id"] for record in captured.listener.all()] == [1, 2]


def test_two_bridges_share_a_slot_one_after_the_other(capture, bridge, start_bridge):
    captured = capture("CREATE TABLE items (id int PRIMARY KEY)")
    second = start_bridge(bridge.broker, name="second")
    second.wait_log(r'slot "pg_db\d+" is in use by another \(server process \d+\): waiting for it')
    captured.sql("INSERT INTO items VALUES (1)")
    captured.listener.take(1)
    bridge.kill()
    captured.sql("INSERT INTO items VALUES (2)")
    second.wait_log("goes again")
    captured.wait_settled()
    assert [record["keys"]["id"] for record in without_repeats(captured.listener.all())] == [1, 2]
    second.stop()
    bridge.start()


def test_what_the_server_has_not_is_told(server, capture, bridge):  # noqa: F811
    captured = capture("CREATE TABLE items (v text)", wait=False)
    bridge.wait_log("table items has no primary key, and published so it would take no UPDATE or DELETE: say "
                    "ALTER TABLE items REPLICA IDENTITY FULL")
    assert captured.sql("SELECT count(*) FROM pg_publication") == "0"
    captured.sql("UPDATE items SET v = 1; ALTER TABLE items REPLICA IDENTITY FULL")
    wait_until(lambda: captured.slot_is("active"), 20, bridge.log)
    # Tables that are named later are added.
    captured.sql("CREATE TABLE later (id int PRIMARY KEY)")
    settings = {"url": server.url(captured.database), "slot": captured.slot}
    bridge.put_source("pg", "postgres", {**settings, "tables": ["items", "public.later"]}, topic="changes/{topic}")
    wait_until(lambda: captured.sql("SELECT count(*) FROM pg_publication_tables") == "2", 20, bridge.log)
    for name, more, wanted in (
            ("typo", {"tables": ["itemz"]}, 'there is no table "itemz"'),
            ("strict", {"create": False}, 'there is no publication "sluice_strict"'),
            ("slotless", {"create": False, "publication": "sluice_pg", "slot": "none"}, 'there is no slot "none"'),
            ("unlisted", {"create": False, "publication": "sluice_pg", "tables": ["pg_catalog.pg_class"]},
             'table pg_class is not in publication "sluice_pg"')):
        bridge.put_source(name, "postgres", {"url": server.url(captured.database), **more}, topic="x")
        bridge.wait_log(f"source {name}.*{wanted}")
    bridge.put_source("away", "postgres", {"url": f"host={server.directory}/none dbname=x"}, topic="x")
    bridge.wait_log("source away.*connection to server .* failed")
    bridge.put_source("secret", "postgres", {"url": "hunter2 = "}, topic="x")
    bridge.wait_log("source secret.*this is no connection string")
    bridge.put_connection("login", "basic", {"password": "geheim"}, username="nobody")
    bridge.put_source("role", "postgres", {"url": server.url("postgres")}, connection="login", topic="x")
    bridge.wait_log('source role.*role "nobody" does not exist')
    assert "geheim" not in bridge.log()


def test_a_record_that_can_not_be_published_is_waited_for(capture, bridge):
    captured = capture("CREATE TABLE items (id int PRIMARY KEY, place text)")
    url = {"url": captured.server.url(captured.database), "slot": captured.slot, "tables": ["items"]}
    bridge.put_source("pg", "postgres", url, topic="changes/{$.new_image.place}")
    wait_until(lambda: captured.slot_is("active"), 20, bridge.log)
    captured.sql("INSERT INTO items VALUES (1, 'a'), (2, '+'), (3, 'c')")
    bridge.wait_log("source pg.*: .*place")
    captured.listener.take(1)
    bridge.put_source("pg", "postgres", url, topic="changes/all")
    captured.wait_settled()
    # The third was under way already; it comes again, so that what comes last is right.
    assert [record["keys"]["id"] for record in captured.listener.all()][-3:] == [1, 2, 3]
    assert len(without_repeats(captured.listener.all())) == 3
