# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""One broker and one bridge for all tests of a file, and for each test a queue, a rule and a target of its own:

    from jobs import bridge, broker, job  # noqa: F401

    def test_…(job):
        job.route("exec", {"command": ["true"]})
        job.send({"n": 1})
        job.wait_done(1)
"""
import itertools
import json
import pathlib
import re
import tempfile

import pytest

import harness
from bridge_harness import Bridge
from harness import wait_until

_numbers = itertools.count(1)


def examples(page, language):
    """The code blocks of docs/bridge/PAGE.md in a language."""
    text = (harness.REPOSITORY / "docs" / "bridge" / f"{page}.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


@pytest.fixture(scope="module")
def broker(workspace, plugin):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="shared-", dir=workspace))
    directory.chmod(0o755)
    # Else each delivery waits 40 ms for the kernel's acknowledgement of the one before.
    started = harness.Broker(directory / "broker", plugin=plugin, config="set_tcp_nodelay true").start()
    yield started
    started.close()


@pytest.fixture(scope="module")
def bridge(broker):
    started = Bridge(broker, broker.directory).start()
    yield started
    started.stop()


class Job:
    def __init__(self, bridge):
        self.bridge, self.broker = bridge, bridge.broker
        number = next(_numbers)
        self.name, self.topic = f"job{number}", f"plants/{number}"
        self.client = self.broker.client(version=5)

    def route(self, kind, settings, **members):
        self.bridge.route(self.name, kind, settings, pattern={"$mqtt": {"topic": [self.topic]}}, **members)

    def send(self, payload):
        self.client.publish(self.topic, payload if isinstance(payload, (bytes, str)) else json.dumps(payload))

    def wait_done(self, count, timeout=20):
        """Until so many events are acknowledged, and the queue holds none."""
        def done():
            numbers = self.bridge.numbers(self.name)
            return numbers["acknowledged"] >= count and not (numbers["ready"] or numbers["in_flight"] or numbers["delayed"])

        wait_until(done, timeout, lambda: f"{count} acknowledged: {self.bridge.numbers(self.name)}\n{self.bridge.log()[-3000:]}")
        assert self.bridge.numbers(self.name)["acknowledged"] == count

    def dead(self, count=1):
        """(payload, reason, code) of so many dead letters."""
        found = []
        for message in self.bridge.dead_letters(self.name, count):
            properties = dict(message.user_properties)
            found.append((message.payload, properties.get("sluice-error-reason"), properties["sluice-error-code"]))
        return found

    def reason(self):
        """Of the only dead letter."""
        ((_, reason, code),) = self.dead()
        assert code == "rejected"
        return reason

    def wait_log(self, pattern, timeout=10):
        return self.bridge.wait_log(f"target {self.name}: {pattern}", timeout)


@pytest.fixture
def make_job(bridge):
    """Several: what takes a second for one takes no longer for all of a table's cases."""
    made = []

    def make():
        made.append(Job(bridge))
        return made[-1]

    yield make
    for job in made:
        job.client.close()
    bridge.broker.command(*({"command": "deleteTarget", "name": job.name} for job in made))


@pytest.fixture
def job(make_job):
    return make_job()
