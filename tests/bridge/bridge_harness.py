# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A bridge beside a broker of tests/e2e/harness.py: start_bridge(broker) in a test gives one that runs."""
import os
import re
import signal
import subprocess

from harness import BUILD, PATIENCE, wait_until

PROGRAM = BUILD / "bin" / "sluice-bridge"


class Bridge:
    """sluice-bridge, on its broker's store and port. Its definitions are put by the broker's control API."""

    def __init__(self, broker, directory, *arguments, name="bridge", environment=None):
        self.broker, self.directory, self.name = broker, directory, name
        self.arguments, self.environment = arguments, environment or {}
        self.log_path = directory / f"{name}.log"
        self.process = None

    def start(self, wait=True):
        connection = ["-h", "127.0.0.1", "-p", str(self.broker.port)]
        if self.broker.administrator:
            connection += ["-u", self.broker.administrator, "-P", self.broker.administrator_password]
        since = len(self.log())
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "--db", self.broker.db, "--name", self.name, "--verbose", *connection, *map(str, self.arguments)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "HOME": str(self.directory), "XDG_CONFIG_HOME": str(self.directory), **self.environment})
        if wait:
            self.wait_log("connected to", since=since)
        return self

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, pattern, timeout=10, since=0):
        def look():
            found = re.search(pattern, self.log()[since:])
            if not found and self.process and self.process.poll() is not None:
                raise AssertionError(f"the bridge ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            return found

        return wait_until(look, timeout, lambda: f"{pattern!r} in the bridge's log:\n{self.log()[-3000:]}")

    def kill(self):
        """kill -9"""
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def stop(self, timeout=10):
        """SIGTERM; fails when it does not end well."""
        if self.process is None:
            return
        process, self.process = self.process, None
        ended = process.poll()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise AssertionError(f"the bridge did not stop:\n{self.log()[-3000:]}") from None
        assert ended is None, f"the bridge had ended with {ended}:\n{self.log()[-3000:]}"
        assert process.returncode == 0, f"the bridge ended with {process.returncode}:\n{self.log()[-3000:]}"

    # --- definitions ---

    def _put(self, command, noun, definition):
        (answer,) = self.broker.command({"command": command, noun: definition})
        assert "error" not in answer, answer
        return answer["data"]

    def put_target(self, name, kind, settings, **members):
        return self._put("putTarget", "target", {"name": name, "kind": kind, "settings": settings, **members})

    def put_source(self, name, kind, settings, **members):
        return self._put("putSource", "source", {"name": name, "kind": kind, "settings": settings, **members})

    def put_connection(self, name, kind, secrets=None, **settings):
        return self._put("putConnection", "connection",
                         {"name": name, "kind": kind, "settings": settings, "secrets": secrets or {}})

    def delete(self, noun, name):
        (answer,) = self.broker.command({"command": f"delete{noun.capitalize()}", "name": name})
        assert "error" not in answer, answer

    def route(self, name, kind, settings, pattern=None, queue=None, **members):
        """A queue with a dead-letter queue, a rule that leads into it, and a target: the whole way."""
        self.broker.put_queue(f"{name}-dead")
        self.broker.put_queue(name, dead_letter=f"{name}-dead", **(queue or {}))
        self.broker.put_rule(name, pattern or {"n": [{"exists": True}]}, {"id": "q", "queue": name})
        self.put_target(name, kind, settings, **members)

    def numbers(self, queue):
        (answer,) = self.broker.command({"command": "getQueueStatus", "name": queue})
        assert "error" not in answer, answer
        return answer["data"]

    def wait_drained(self, queue, timeout=20):
        """Until the queue holds nothing more; returns its numbers."""
        def drained():
            numbers = self.numbers(queue)
            return numbers["ready"] == numbers["in_flight"] == numbers["delayed"] == 0 and numbers

        return wait_until(drained, timeout, lambda: f"{queue} to drain: {self.numbers(queue)}\n{self.log()[-3000:]}")

    def dead_letters(self, name, count=1, timeout=20):
        """Takes so many of `name`-dead, with their properties."""
        client = self.broker.client(version=5)
        client.publish(f"queues/{name}-dead/ready", str(count))
        messages = client.wait_for(count, timeout)
        client.close()
        return messages
