# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A PostgreSQL of our own, in a temporary folder, on a unix socket: nobody else's is touched. The fixture is in conftest.py's
reach by `from postgres import server` in a test's file: one for each file."""
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile

import pytest

from environment import wait_until


def binaries():
    """Where Debian keeps initdb and postgres: in no PATH."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    assert found, "PostgreSQL is not installed (Debian's package postgresql)"
    return found[-1].parent


class Server:
    """Databases are made by database(); sql() runs in psql, as the superuser."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.log_path = self.directory / "postgres.log"
        self.bin = binaries()
        self.process = None
        self.numbers = 0
        # postgres does not run as root.
        entry = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self.user = entry.pw_name if entry else pwd.getpwuid(os.geteuid()).pw_name
        self.identity = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []} if entry else {}
        if entry:
            os.chown(self.directory, entry.pw_uid, entry.pw_gid)
        self.run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as config:
            config.write(f"listen_addresses = ''\nunix_socket_directories = '{self.directory}'\nwal_level = logical\n"
                         "max_wal_senders = 20\nmax_replication_slots = 20\nmax_connections = 40\nfsync = off\n"
                         "shared_buffers = 16MB\nlog_min_messages = warning\nautovacuum = off\nbgwriter_delay = 1s\n")

    def run(self, name, *arguments, **options):
        done = subprocess.run([self.bin / name, *map(str, arguments)], capture_output=True, text=True, cwd=self.directory,
                              **self.identity, **options)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        return done.stdout

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.bin / "postgres", "-D", self.data], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.directory, **self.identity)
        wait_until(self.is_ready, 20, lambda: f"PostgreSQL to start:\n{self.log_path.read_text()[-2000:]}")
        return self

    def is_ready(self):
        assert self.process.poll() is None, self.log_path.read_text()[-2000:]
        return subprocess.run([self.bin / "pg_isready", "-q", "-h", self.directory], check=False).returncode == 0

    def stop(self, mode="immediate"):
        """mode: "fast" waits for those who read its log, "immediate" is a crash."""
        if self.process:
            self.run("pg_ctl", "stop", "-D", self.data, "-m", mode, "-s")
            self.process.wait(20)
            self.process = None

    def restart(self, mode="fast"):
        self.stop(mode)
        return self.start()

    def url(self, database):
        return f"host={self.directory} dbname={database} user=postgres"

    def sql(self, text, database="postgres", check=True):
        """What psql prints, a line a row, | between columns."""
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", self.url(database)], input=text,
                              capture_output=True, text=True, timeout=60, check=False)
        if check:
            assert done.returncode == 0, done.stderr
        return done.stdout.strip() if check else re.sub(r"\s+$", "", done.stdout + done.stderr)

    def database(self, sql=""):
        """A new database; its name."""
        self.numbers += 1
        name = f"db{self.numbers}"
        self.sql(f"CREATE DATABASE {name}")
        if sql:
            self.sql(sql, name)
        return name


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL that runs, for all tests of the file."""
    directory = tempfile.mkdtemp(prefix="sluice-postgres-", dir="/tmp")
    os.chmod(directory, 0o755)
    made = Server(directory)
    try:
        yield made.start()
    finally:
        made.stop()
        shutil.rmtree(directory, ignore_errors=True)
