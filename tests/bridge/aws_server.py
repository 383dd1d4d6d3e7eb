# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""aws-signer/server.js as a process: AWS's services, with AWS's own signer."""
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import urllib.request

from harness import REPOSITORY, free_port, wait_until

SOURCE = pathlib.Path(__file__).resolve().parent / "aws-signer"
PLACE = REPOSITORY / "build" / "aws-signer"

# Of AWS's documentation; server.js knows them.
ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def install():
    """The signer from npm, once for each package-lock.json; tests that run side by side wait for each other."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with open(PLACE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted, done = SOURCE / "package-lock.json", PLACE / "installed.json"
        if done.exists() and done.read_bytes() == wanted.read_bytes():
            return
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, PLACE / name)
        npm = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=PLACE, capture_output=True,
                             text=True, timeout=300)
        assert npm.returncode == 0, f"npm ci: {npm.stdout}{npm.stderr}"
        shutil.copy(wanted, done)


class AwsServer:
    def __init__(self):
        install()
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["node", SOURCE / "server.js", str(self.port)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env={**os.environ, "NODE_PATH": str(PLACE / "node_modules")})
        assert self.process.stdout.readline(), "server.js did not start"
        return self

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait(10)
            self.process.stdout.close()
            self.process = None

    def _ask(self, method, path, body=None):
        request = urllib.request.Request(f"{self.endpoint}/test/{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def rules(self, *rules):
        """What is to fail from now on: see the head of server.js."""
        self._ask("PUT", "rules", [{"message": "as the test wants it", **rule} for rule in rules])

    def calls(self):
        return self._ask("GET", "calls")

    def forget(self):
        self._ask("DELETE", "calls")

    def taken(self):
        """The entries that were taken, in the order of their calls."""
        return [entry for call in self.calls() for entry in call.get("entries", []) if not entry.get("failed")]

    def wait_taken(self, count, timeout=15):
        return wait_until(lambda: len(self.taken()) >= count and self.taken(), timeout,
                          lambda: f"{count} entries to be taken: {json.dumps(self.calls())[:2000]}")
