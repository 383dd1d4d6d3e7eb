# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What the environment says, and how programs are run and waited for."""
import json
import os
import pathlib
import random
import shlex
import socket
import subprocess
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "build" / os.environ.get("SLUICE_BUILD", "release")
SLUICE = BUILD / "bin" / "sluice"
PLUGIN = BUILD / "lib" / "mosquitto_sluice.so"
ROOT = os.environ.get("SLUICE_ROOT", "")
VALGRIND = os.environ.get("SLUICE_VALGRIND") == "1"
PATIENCE = float(os.environ.get("SLUICE_PATIENCE", "10" if VALGRIND else "1"))

# What a sanitizer finds must not look like one of the program's own exit codes.
os.environ.setdefault("ASAN_OPTIONS", "exitcode=99")
os.environ.setdefault("UBSAN_OPTIONS", "exitcode=99")

# Debian keeps the broker in sbin, which is not in a user's PATH.
os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"


def wait_until(condition, timeout=10.0, what="a condition", interval=0.02):
    """Returns the condition's first true value; fails after timeout seconds (times SLUICE_PATIENCE)."""
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {timeout * PATIENCE:g} s for {what() if callable(what) else what}"
        time.sleep(interval)


def free_port():
    """A port that nobody listens on, below those that the system gives to outgoing connections: one of these might take it
    before the broker listens, and a websockets listener then stays silent."""
    while True:
        with socket.socket() as probe:
            port = random.randrange(10000, 32000)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class CommandFailed(AssertionError):
    pass


class Result:
    """What a program said: code, out, err; json is out as JSON."""

    def __init__(self, arguments, code, out, err):
        self.arguments, self.code, self.out, self.err = arguments, code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"{shlex.join(self.arguments)} -> {self.code}\nout: {self.out}\nerr: {self.err}"


def run(*arguments, input=None, timeout=60, check=True, text=True, env=None):
    """Runs a program; fails the test when it exits with another code than 0, unless check=False."""
    arguments = [str(argument) for argument in arguments]
    done = subprocess.run(arguments, input=input, capture_output=True, timeout=timeout * PATIENCE, text=text,
                          env={**os.environ, **env} if env else None)
    result = Result(arguments, done.returncode, done.stdout, done.stderr)
    if check and done.returncode != 0:
        raise CommandFailed(repr(result))
    return result


def sluice(*arguments, **options):
    return run(SLUICE, *arguments, **options)
