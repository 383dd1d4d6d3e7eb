# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A real mosquitto with the plugin, and clients for it. The fixtures are in conftest.py.

What the environment may say:
  SLUICE_BUILD      the build to test: a directory, or a preset's name below build/ (default: release)
  SLUICE_BROKER     the command that starts the broker (default: mosquitto)
  SLUICE_ROOT       the root directory of another Debian, whose broker is used (scripts/in-root)
  SLUICE_VALGRIND   1: the broker runs under valgrind, and what valgrind finds fails the test
  SLUICE_PATIENCE   what every deadline is multiplied by (default: 1, under valgrind 10)
"""
import os
import pathlib
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess

from environment import (BUILD, PATIENCE, PLUGIN, REPOSITORY, ROOT, SLUICE, VALGRIND, CommandFailed, Result, free_port,
                         run, sluice, wait_until)
from mqtt import Client, Message, Refused, publish_properties

__all__ = ["BUILD", "PATIENCE", "PLUGIN", "REPOSITORY", "ROOT", "SLUICE", "VALGRIND", "Broker", "Client",
           "CommandFailed", "Message", "Refused", "Result", "broker_version", "copy_plugin", "free_port",
           "publish_properties", "run", "sluice", "wait_until"]


def broker_user():
    """(uid, gid) that the broker runs as: it gives up root's privileges, and those of another root have other ids."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    if ROOT:
        for line in (pathlib.Path(ROOT) / "etc/passwd").read_text().splitlines():
            name, _, uid, gid, *_ = line.split(":")
            if name == "mosquitto":
                return int(uid), int(gid)
    entry = pwd.getpwnam("mosquitto")
    return entry.pw_uid, entry.pw_gid


def broker_command():
    if "SLUICE_BROKER" in os.environ:
        return shlex.split(os.environ["SLUICE_BROKER"])
    if ROOT:
        return [str(REPOSITORY / "scripts" / "in-root"), ROOT, "mosquitto"]
    return ["mosquitto"]


def broker_version():
    """(2, 0, 11), as the broker says it."""
    text = subprocess.run([*broker_command(), "-h"], capture_output=True, text=True).stdout
    found = re.search(r"mosquitto version (\d+)\.(\d+)\.(\d+)", text)
    assert found, f"{broker_command()} is no mosquitto: {text[:200]!r}"
    return tuple(int(part) for part in found.groups())


def preloads():
    """What the broker must load first when the plugin is built with sanitizers."""
    cache = BUILD / "CMakeCache.txt"
    if not cache.exists() or not re.search(r"^SLUICE_SANITIZE:\w+=ON$", cache.read_text(), re.M):
        return {}
    libraries = [subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
                 for name in ("libasan.so", "libubsan.so")]
    return {"LD_PRELOAD": " ".join(libraries), "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1"}


class Broker:
    """A mosquitto in a directory of its own, on free loopback ports."""

    def __init__(self, directory, plugin, options=None, config="", listener="", listeners=None, users=None, acl=None,
                 anonymous=None, persistence=False, per_listener=False, valgrind=None, db=None):
        self.directory = pathlib.Path(directory)
        self.plugin = plugin
        self.options = dict(options or {})
        self.config = config
        self.listeners = {"default": listener, **(listeners or {})}
        self.users = users
        self.acl = acl
        self.anonymous = (users is None) if anonymous is None else anonymous
        self.persistence = persistence
        self.per_listener = per_listener
        self.valgrind = VALGRIND if valgrind is None else valgrind
        self.db = pathlib.Path(db) if db else self.directory / "store" / "sluice.db"
        self.log_path = self.directory / "mosquitto.log"
        self.valgrind_log = self.directory / "valgrind.log"
        self.config_path = self.directory / "mosquitto.conf"
        self.process = None
        self.clients = []
        self.ports = {name: free_port() for name, text in self.listeners.items() if not name.startswith("unix")}
        self.socket_path = self.directory / "socket"
        for path in (self.directory, self.db.parent):
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
            self.give(path)

    @property
    def port(self):
        return self.ports["default"]

    def give(self, path):
        """Makes the path the broker's own."""
        if os.geteuid() == 0:
            os.chown(path, *broker_user())

    def write(self, name, content, mode=0o600):
        """Writes a file that the broker can read; returns its path."""
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        self.give(path)
        return path

    def plugin_lines(self):
        if self.plugin is None:
            return []
        options = {"db_file": self.db, **self.options}
        return [f"plugin {self.plugin}"] + [f"plugin_opt_{name} {value}" for name, value in options.items()
                                            if value is not None]

    def write_config(self):
        lines = ["log_dest stderr", "log_type all", "connection_messages true"]
        if self.per_listener:
            lines.insert(0, "per_listener_settings true")
        else:
            lines += self.plugin_lines()
        if self.persistence:
            lines += ["persistence true", f"persistence_location {self.directory}/", "autosave_interval 1800"]
        access = [f"allow_anonymous {'true' if self.anonymous else 'false'}"]
        if self.users is not None:
            passwords = self.write("passwords", "")
            for name, password in self.users.items():
                run("mosquitto_passwd", "-b", passwords, name, password)
            self.give(passwords)
            access.append(f"password_file {passwords}")
        if self.acl is not None:
            access.append(f"acl_file {self.write('acl', self.acl)}")
        if not self.per_listener:
            lines += access
        lines.append(self.config)
        for name, text in self.listeners.items():
            lines.append(f"listener 0 {self.socket_path}" if name.startswith("unix")
                         else f"listener {self.ports[name]} 127.0.0.1")
            if name.startswith("websockets"):
                lines.append("protocol websockets")
            if text:
                lines.append(text)
            if self.per_listener:
                lines += access + self.plugin_lines()
        self.write("mosquitto.conf", "\n".join(lines) + "\n")

    def spawn(self):
        self.write_config()
        command = broker_command()
        if self.valgrind:
            if ROOT:
                raise RuntimeError("SLUICE_VALGRIND and SLUICE_ROOT don't go together")
            command = ["valgrind", f"--log-file={self.valgrind_log}", "--error-exitcode=99", "--leak-check=full",
                       "--errors-for-leak-kinds=definite", "--keep-debuginfo=yes", "--num-callers=30",
                       f"--suppressions={REPOSITORY / 'tests/e2e/valgrind.supp'}", *command]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*command, "-c", str(self.config_path)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env={**os.environ, **preloads()})

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the broker ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        try:
            for port in self.ports.values():
                socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def start(self):
        for attempt in range(5):
            self.spawn()
            try:
                wait_until(self.answers, 15, "the broker to listen")
                return self
            except AssertionError:
                # Another program took a port between our choice and the broker's listening.
                if attempt == 4 or "Address already in use" not in self.log():
                    raise
                self.ports = {name: free_port() for name in self.ports}
        return self

    def start_refused(self, timeout=10):
        """Starts a broker that has to refuse; returns its log."""
        self.spawn()
        try:
            code = self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the broker should have refused to start:\n{self.log()[-3000:]}") from None
        assert code > 0, f"the broker ended with {code}:\n{self.log()[-3000:]}"
        self.process = None
        return self.log()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, pattern, timeout=10, since=0):
        """Waits for a line of the log that the regular expression finds; returns the match."""
        return wait_until(lambda: re.search(pattern, self.log()[since:]), timeout,
                          lambda: f"{pattern!r} in the log:\n{self.log()[-3000:]}")

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self):
        self.signal(signal.SIGHUP)

    def kill(self):
        """kill -9"""
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def stop(self, timeout=20):
        """SIGTERM; fails when the broker does not end well."""
        if self.process is None:
            return
        process, self.process = self.process, None
        ended = process.poll()
        if ended is None:
            process.terminate()
            try:
                # Mosquitto forgets a signal that comes before its loop begins, though it listens already.
                try:
                    process.wait(timeout * PATIENCE / 4)
                except subprocess.TimeoutExpired:
                    process.terminate()
                process.wait(timeout * PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
                raise AssertionError(f"the broker did not stop:\n{self.log()[-3000:]}") from None
        assert ended is None, f"the broker had ended with {ended}:\n{self.log()[-3000:]}"
        if self.valgrind:
            assert process.returncode != 99, self.valgrind_log.read_text()[-8000:]
        assert process.returncode == 0, f"the broker ended with {process.returncode}:\n{self.log()[-3000:]}"

    def restart(self):
        self.stop()
        return self.start()

    def client(self, client_id=None, **options):
        """A connected client, closed at the end of the test."""
        client = Client(self, client_id, **options)
        self.clients.append(client)
        return client.connect()

    def close(self):
        for client in self.clients:
            client.close()
        self.stop()

    def command(self, *commands, **options):
        """Sends control commands with a client of their own; returns the answers."""
        with Client(self, username=self.administrator, password=self.administrator_password).connect() as client:
            return client.command(*commands, **options)

    @property
    def administrator(self):
        return next(iter(self.users)) if self.users else None

    @property
    def administrator_password(self):
        return self.users[self.administrator] if self.users else None

    def put_rule(self, name, pattern, targets, **members):
        """Puts a rule and returns the answer's data. A target that is a string is a topic, at QoS 1."""
        targets = [{"id": f"target-{number}", "topic": target, "qos": 1} if isinstance(target, str) else target
                   for number, target in enumerate([targets] if isinstance(targets, (str, dict)) else targets)]
        (answer,) = self.command({"command": "putRule",
                                  "rule": {"name": name, "pattern": pattern, "targets": targets, **members}})
        assert "error" not in answer, answer
        return answer["data"]

    def delete_rule(self, name):
        (answer,) = self.command({"command": "deleteRule", "name": name})
        assert "error" not in answer, answer

    def put_bus(self, name, topics, **members):
        (answer,) = self.command({"command": "putBus", "bus": {"name": name, "topics": topics, **members}})
        assert "error" not in answer, answer
        return answer["data"]

    def put_queue(self, name, **members):
        (answer,) = self.command({"command": "putQueue", "queue": {"name": name, **members}})
        assert "error" not in answer, answer
        return answer["data"]

    def status(self):
        (answer,) = self.command({"command": "getStatus"})
        assert "error" not in answer, answer
        return answer["data"]

    def cli(self, *arguments, **options):
        """sluice, through this broker: connection options are added behind the arguments."""
        connection = ["-h", "127.0.0.1", "-p", str(self.port)]
        if self.administrator:
            connection += ["-u", self.administrator, "-P", self.administrator_password]
        return sluice(*arguments, *connection, **options)

    def offline(self, *arguments, **options):
        """sluice, on this broker's store."""
        return sluice(*arguments, "--db", self.db, **options)

    def sqlite(self, sql, check=True, timeout=20):
        """The sqlite3 shell on the store; returns the lines it printed."""
        result = run("sqlite3", "-cmd", ".timeout 5000", self.db, input=sql, check=check, timeout=timeout)
        return result.out.splitlines() if check else result


def copy_plugin(directory):
    """The plugin where the broker can read it: it gives up root's privileges before it loads plugins."""
    assert PLUGIN.exists(), f"{PLUGIN} is not there: scripts/build, or say SLUICE_BUILD=PRESET"
    copy = pathlib.Path(directory) / PLUGIN.name
    shutil.copy(PLUGIN, copy)
    copy.chmod(0o755)
    return copy
