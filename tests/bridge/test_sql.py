# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The target "sql": rows in a real PostgreSQL, and in SQLite."""
import json
import os
import pwd
import shutil
import sqlite3
import subprocess
import tempfile

import pytest

from harness import free_port, wait_until
from jobs import bridge, broker, examples, job, make_job  # noqa: F401
from postgres import Server

PASSWORD = "pa'ss \\word-7f3a"
VALUES = [{"path": "$.whole"}, {"path": "$.part"}, {"path": "$.text"}, {"path": "$.yes"}, {"path": "$.nothing"},
          {"path": "$.tree"}, "{id} of {$.text}", {"path": "$.absent"}]
EVENT = '{"whole": 12345678901234567, "part": 1.50, "text": "Ünï \\"q\\"", "yes": true, "nothing": null, "tree": {"a": [1, "b"]}}'


# --- SQLite ---

@pytest.fixture
def database(directory):
    """An SQLite file with tables; the bridge's own user owns it."""
    path = directory / "sink.db"
    with sqlite3.connect(path) as connection:
        connection.executescript("""
            CREATE TABLE rows (whole, part, text, yes, none, tree, template, absent);
            CREATE TABLE numbered (n INTEGER PRIMARY KEY, v TEXT NOT NULL CHECK (length(v) < 10));
            CREATE TABLE parents (n INTEGER PRIMARY KEY);
            CREATE TABLE children (n INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
        """)
    return path


def rows(path, query="SELECT n, v FROM numbered ORDER BY n"):
    with sqlite3.connect(path) as connection:
        return connection.execute(query).fetchall()


def sqlite_target(path, statement="INSERT INTO numbered VALUES ($1, $2)", parameters=None):
    return {"database": "sqlite", "url": str(path), "statement": statement,
            "parameters": [{"path": "$.n"}, {"path": "$.v"}] if parameters is None else parameters}


def test_sqlite_keeps_the_types_of_values(job, database):
    job.route("sql", sqlite_target(database, "INSERT INTO rows VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", VALUES))
    job.send(EVENT)
    job.wait_done(1)
    ((*values, template, absent),) = rows(database, "SELECT * FROM rows")
    assert values == [12345678901234567, 1.5, 'Ünï "q"', 1, None, '{"a":[1,"b"]}']
    assert template.endswith(' of Ünï "q"') and len(template) > 20 and absent is None
    assert rows(database, "SELECT typeof(whole), typeof(part), typeof(yes) FROM rows") == [("integer", "real", "integer")]


def test_sqlite_takes_parameters_in_any_order_and_a_payload_of_any_bytes(job, database):
    job.route("sql", sqlite_target(database, "INSERT INTO rows (whole, part, text) VALUES ($2, $1, $2)", ["{payload}", "{topic[0]}"]))
    job.send(b"\xff\x00")
    job.wait_done(1)
    assert rows(database, "SELECT whole, part, text FROM rows") == [("plants", b"\xff\x00", "plants")]


def test_sqlite_one_bad_row_does_not_hold_the_others(job, database):
    job.route("sql", sqlite_target(database), delivery={"batch_events": 10, "batch_wait_ms": 300, "concurrency": 1})
    for n in range(6):
        job.send({"n": n, "v": "much too long" if n == 2 else f"v{n}"})
    ((payload, reason, _),) = job.dead()
    assert json.loads(payload)["n"] == 2 and reason.startswith("SQLite: CHECK constraint failed")
    job.wait_done(5)
    assert rows(database) == [(n, f"v{n}") for n in (0, 1, 3, 4, 5)]


def test_sqlite_what_undoes_the_transaction_does_not_undo_the_others(make_job, database):
    with sqlite3.connect(database) as connection:
        connection.executescript("INSERT INTO parents VALUES (1), (3), (4), (7)")
    cases = [(make_job(), "INSERT INTO children VALUES ($1)", (1, 2, 3, 4), 2),
             (make_job(), "INSERT OR ROLLBACK INTO parents VALUES ($1)", (8, 7, 9), 7)]
    for job, statement, numbers, _ in cases:
        job.route("sql", sqlite_target(database, statement, [{"path": "$.n"}]),
                  delivery={"batch_events": 10, "batch_wait_ms": 300, "concurrency": 1})
        for n in numbers:
            job.send({"n": n})
    for job, statement, numbers, bad in cases:
        ((payload, reason, _),) = job.dead()
        assert json.loads(payload) == {"n": bad} and "constraint failed" in reason, statement
        job.wait_done(len(numbers) - 1)
    assert rows(database, "SELECT n FROM children ORDER BY n") == [(1,), (3,), (4,)]
    assert rows(database, "SELECT n FROM parents ORDER BY n") == [(1,), (3,), (4,), (7,), (8,), (9,)]


def test_sqlite_a_lock_of_others_passes(job, database):
    job.route("sql", sqlite_target(database), delivery={"timeout_ms": 100, "backoff_ms": 50})
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    job.send({"n": 1, "v": "late"})
    job.wait_log("event .*: SQLite: database is locked")
    holder.execute("COMMIT")
    holder.close()
    job.wait_done(1)
    assert rows(database) == [(1, "late")]


def test_sqlite_an_upsert_may_be_done_twice(job, database):
    job.route("sql", sqlite_target(database, "INSERT INTO numbered VALUES ($1, $2) ON CONFLICT (n) DO UPDATE SET v = excluded.v"))
    for v in ("one", "two"):
        job.send({"n": 1, "v": v})
    job.wait_done(2)
    assert rows(database) in ([(1, "one")], [(1, "two")])


def test_sqlite_says_what_is_wrong(make_job, database):
    cases = [(make_job(), *case) for case in [
        ({"statement": "INSERT INTO nowhere VALUES ($1)"}, {"n": 1}, "SQLite: no such table: nowhere"),
        ({}, "no JSON", "the event is no JSON that a path could lead into"),
        ({"statement": "INSERT INTO numbered VALUES ($1, $3)"}, {"n": 1},
         "1 attempts: the statement asks for $3, and the target has 2 parameters"),
        ({"statement": "DELETE FROM numbered; DELETE FROM rows"}, {"n": 1}, "1 attempts: there is more than one statement"),
        ({"url": "/no/such/file.db"}, {"n": 1}, "1 attempts: SQLite: unable to open database file"),
    ]]
    for job, settings, payload, _ in cases:
        job.route("sql", {**sqlite_target(database), **settings}, delivery={"max_attempts": 1})
        job.send(payload)
    for job, _, _, reason in cases:
        assert job.reason() == reason


# --- PostgreSQL ---

class NetworkServer(Server):
    """One that also listens on 127.0.0.1 with TLS, and asks for a password there."""

    def __init__(self, directory, certificates):
        super().__init__(directory)
        self.port = free_port()
        for name in ("certificate", "key"):
            path = self.directory / f"server.{name}"
            shutil.copy(certificates[f"server_{name}"], path)
            path.chmod(0o600)
            if os.geteuid() == 0:
                entry = pwd.getpwnam("postgres")
                os.chown(path, entry.pw_uid, entry.pw_gid)
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as config:
            config.write(f"listen_addresses = '127.0.0.1'\nport = {self.port}\nssl = on\n"
                         f"ssl_cert_file = '{self.directory}/server.certificate'\nssl_key_file = '{self.directory}/server.key'\n")
        (self.data / "pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")

    def is_ready(self):
        return subprocess.run([self.bin / "pg_isready", "-q", "-h", self.directory, "-p", str(self.port)], check=False).returncode == 0

    def url(self, database):
        return f"{super().url(database)} port={self.port}"


@pytest.fixture(scope="module")
def server(certificates):
    directory = tempfile.mkdtemp(prefix="sluice-sql-", dir="/tmp")
    os.chmod(directory, 0o755)
    made = NetworkServer(directory, certificates)
    try:
        yield made.start()
    finally:
        made.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def tables(server):
    """A database of the test's own; its name."""
    return server.database("""
        CREATE TABLE rows (whole numeric, part numeric, text text, yes boolean, nothing integer, tree jsonb, template text, absent date);
        CREATE TABLE numbered (n integer PRIMARY KEY, v text NOT NULL CHECK (length(v) < 10));
        CREATE TABLE late (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE bytes (raw bytea, document json);
    """)


def postgres_target(server, tables, statement="INSERT INTO numbered VALUES ($1, $2)", parameters=None, **more):
    return {"database": "postgres", "url": server.url(tables), "statement": statement,
            "parameters": [{"path": "$.n"}, {"path": "$.v"}] if parameters is None else parameters, **more}


def test_postgres_keeps_the_types_of_values(job, server, tables):
    job.route("sql", postgres_target(server, tables, "INSERT INTO rows VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", VALUES))
    job.send(EVENT)
    job.wait_done(1)
    values = server.sql("SELECT whole, part, text, yes, nothing IS NULL, tree, absent IS NULL FROM rows", tables)
    assert values == '12345678901234567|1.50|Ünï "q"|t|t|{"a": [1, "b"]}|t'
    assert server.sql("SELECT template FROM rows", tables).endswith(' of Ünï "q"')


def test_postgres_takes_bytes_as_bytea_and_any_value_as_json(job, server, tables):
    job.route("sql", postgres_target(server, tables, "INSERT INTO bytes VALUES ($1, $2)", ["{payload}", {"path": "$.text"}]))
    job.send({"text": "plain"})
    job.wait_done(1)
    assert server.sql("SELECT convert_from(raw, 'UTF8'), document FROM bytes", tables) == '{"text": "plain"}|"plain"'


def test_postgres_one_bad_row_does_not_hold_the_others(job, server, tables):
    job.route("sql", postgres_target(server, tables), delivery={"batch_events": 20, "batch_wait_ms": 300, "concurrency": 1})
    for n in range(10):
        job.send({"n": n, "v": "much too long" if n == 3 else f"v{n}"})
    ((payload, reason, _),) = job.dead()
    assert json.loads(payload)["n"] == 3
    assert reason == 'PostgreSQL 23514 (constraint): new row for relation "numbered" violates check constraint "numbered_v_check"'
    job.wait_done(9)
    assert server.sql("SELECT count(*), sum(n) FROM numbered", tables) == "9|42"
    # The nine were one by one; without a bad one all are one transaction.
    for n in range(10, 20):
        job.send({"n": n, "v": "x"})
    job.wait_done(19)
    assert server.sql("SELECT count(DISTINCT xmin::text) FROM numbered WHERE n >= 10", tables) == "1"


def test_postgres_a_constraint_that_is_looked_at_in_the_end_holds_only_its_row(job, server, tables):
    server.sql("INSERT INTO late VALUES (2)", tables)
    job.route("sql", postgres_target(server, tables, "INSERT INTO late VALUES ($1)", [{"path": "$.n"}]),
              delivery={"batch_events": 10, "batch_wait_ms": 300, "concurrency": 1})
    for n in (1, 2, 3):
        job.send({"n": n})
    assert job.reason().startswith("PostgreSQL 23505 (constraint): duplicate key value")
    job.wait_done(2)
    assert server.sql("SELECT n FROM late ORDER BY n", tables) == "1\n2\n3"


def test_postgres_says_what_is_wrong(make_job, server, tables):
    cases = [(make_job(), *case) for case in [
        (None, {"n": "seven", "v": "x"}, 'PostgreSQL 22P02 (data): invalid input syntax for type integer: "seven"'),
        (None, {"n": 1}, 'PostgreSQL 23502 (constraint): null value in column "v" of relation "numbered" violates not-null constraint'),
        ("INSERT INTO nowhere VALUES ($1, $2)", {"n": 1}, 'PostgreSQL 42P01 (statement): relation "nowhere" does not exist'),
        ("INSRT INTO numbered VALUES ($1, $2)", {"n": 1}, 'PostgreSQL 42601 (statement): syntax error at or near "INSRT"'),
        ("INSERT INTO numbered VALUES ($1, 'x')", {"n": 1}, "1 attempts: the statement has 1 parameters, and the target 2"),
        (None, '{"n": 1, "v": "a\\u0000b"}', "parameter 2 is no UTF-8 or holds a NUL: only a bytea can be that"),
        (None, "no JSON", "the event is no JSON that a path could lead into"),
    ]]
    for job, statement, payload, _ in cases:
        job.route("sql", postgres_target(server, tables, **({"statement": statement} if statement else {})),
                  delivery={"max_attempts": 1})
        job.send(payload)
    for job, _, _, reason in cases:
        assert job.reason() == reason


def test_postgres_a_lock_of_others_passes_and_its_waiters_do_not_pile_up(job, server, tables):
    job.route("sql", postgres_target(server, tables), delivery={"timeout_ms": 300, "backoff_ms": 50})
    holder = subprocess.Popen(["psql", "-X", "-q", server.url(tables)], stdin=subprocess.PIPE, text=True)
    try:
        holder.stdin.write("BEGIN; LOCK TABLE numbered IN ACCESS EXCLUSIVE MODE;\n")
        holder.stdin.flush()
        wait_until(lambda: server.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted "
                                      "AND relation = 'numbered'::regclass", tables) == "1", 10, "the lock")
        job.send({"n": 1, "v": "late"})
        job.wait_log("event .*: PostgreSQL 57014: canceling statement due to statement timeout")
    finally:
        holder.communicate("COMMIT;\n", timeout=10)
    job.wait_done(1)
    assert server.sql("SELECT count(*) FROM numbered", tables) == "1"


def test_postgres_that_was_away_gets_everything(job, server, tables):
    job.route("sql", postgres_target(server, tables), delivery={"backoff_ms": 50, "backoff_max_ms": 200, "breaker_failures": 0})
    job.send({"n": 0, "v": "before"})
    job.wait_done(1)
    server.stop()
    for n in range(1, 20):
        job.send({"n": n, "v": "while"})
    job.wait_log("event .*: PostgreSQL: ")
    server.start()
    job.wait_done(20)
    assert server.sql("SELECT count(*), sum(n) FROM numbered", tables) == "20|190"


def test_postgres_by_tls_with_a_password_that_nobody_sees(job, server, tables, bridge, certificates):
    server.sql(f"CREATE ROLE {tables} LOGIN PASSWORD $$%s$$; GRANT INSERT ON numbered TO {tables}" % PASSWORD, tables)
    url = f"host=localhost port={server.port} dbname={tables}"
    bridge.put_connection("wrong", "basic", {"password": PASSWORD + "x"}, username=tables, ca_file=str(certificates["ca_certificate"]))
    bridge.put_connection("right", "basic", {"password": PASSWORD}, username=tables, ca_file=str(certificates["ca_certificate"]))
    bridge.put_connection("stranger", "basic", {"password": PASSWORD}, username=tables, ca_file=str(certificates["client_certificate"]))
    job.route("sql", postgres_target(server, tables, url=url), connection="wrong", delivery={"backoff_ms": 50, "backoff_max_ms": 100})
    job.send({"n": 1, "v": "x"})
    job.wait_log("event .*: PostgreSQL: .*password authentication failed")
    bridge.put_target(job.name, "sql", postgres_target(server, tables, url=url), connection="stranger", delivery={"backoff_ms": 50})
    job.wait_log("event .*: PostgreSQL: .*certificate verify failed")
    bridge.put_target(job.name, "sql", postgres_target(server, tables, url=url), connection="right")
    job.wait_done(1)
    bridge.put_target(job.name, "sql", postgres_target(server, tables, url="host=localhost nonsense"))
    job.wait_log("is no conninfo of PostgreSQL's, nor a URI")
    assert "7f3a" not in bridge.log()


def test_postgres_that_nobody_knows_is_told(job, server, tables):
    job.route("sql", postgres_target(server, tables, url="host=no-such-host.invalid dbname=x"), delivery={"max_attempts": 1})
    job.send({"n": 1})
    assert "PostgreSQL: the host no-such-host.invalid is not known" in job.reason()


def test_the_pages_example_works(job, server):
    (text,) = examples("sql", "json")
    example = json.loads(text)
    database = server.database("CREATE TABLE readings (id text PRIMARY KEY, plant text, celsius numeric, at timestamptz, detail jsonb)")
    job.route("sql", {**example["settings"], "url": server.url(database)}, delivery=example["delivery"])
    job.send({"temperature": 31.5})
    job.wait_done(1)
    plant = job.topic.split("/")[1]
    assert server.sql("SELECT plant, celsius, detail, at > now() - interval '1 hour' FROM readings", database) == \
        f'{plant}|31.5|{{"temperature": 31.5}}|t'
