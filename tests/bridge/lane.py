# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""One broker and one bridge for all tests of a file: each test has a lane of its own there, a queue, a rule and a target."""
import itertools
import json
import pathlib
import tempfile

import pytest

import harness
from bridge_harness import Bridge
from mqtt import publish_properties


class Lane:
    """What is published on its topic goes to its target; `name` is all its parts' name."""

    numbers_of_lanes = itertools.count(1)

    def __init__(self, bridge):
        self.bridge = bridge
        self.name = f"lane{next(self.numbers_of_lanes)}"
        self.topic = f"lanes/{self.name}"

    def open(self, kind, settings, delivery=None, queue=None, connection=None, **members):
        """`connection`: a name, or (kind, secrets, settings) of one that is put with it."""
        name = self.name
        commands = [
            {"command": "putQueue", "queue": {"name": f"{name}-dead"}},
            {"command": "putQueue", "queue": {"name": name, "dead_letter": f"{name}-dead", **(queue or {})}},
            {"command": "putRule", "rule": {"name": name, "pattern": {"$mqtt": {"topic": [self.topic]}},
                                            "targets": [{"id": "q", "queue": name}]}},
        ]
        if isinstance(connection, str):
            members["connection"] = connection
        elif connection:
            kind_of_connection, secrets, connection_settings = connection
            commands.append({"command": "putConnection", "connection": {
                "name": name, "kind": kind_of_connection, "secrets": secrets, "settings": connection_settings}})
            members["connection"] = name
        self._command(*commands)
        # Behind them: where the bridge is faster than the plugin, it finds no queue, and asks again after seconds.
        self._command({"command": "putTarget", "target": {
            "name": name, "kind": kind, "settings": settings,
            "delivery": {"backoff_ms": 50, "breaker_failures": 0, **(delivery or {})}, **members}})
        return self

    def connection(self, kind, secrets=None, **settings):
        """Puts one of the lane's name, which is returned."""
        self.bridge.put_connection(self.name, kind, secrets, **settings)
        return self.name

    def _command(self, *commands):
        for answer in self.bridge.broker.command(*commands):
            assert "error" not in answer, answer

    def publish(self, *events, **properties):
        with harness.Client(self.bridge.broker, version=5).connect() as client:
            for event in events:
                payload = event if isinstance(event, (bytes, str)) else json.dumps(event, ensure_ascii=False)
                client.publish(self.topic, payload, properties=publish_properties(**properties) if properties else None)

    def wait_drained(self):
        return self.bridge.wait_drained(self.name)

    def dead_letters(self, count=1):
        return self.bridge.dead_letters(self.name, count)

    def close(self):
        self.bridge.delete("target", self.name)


def reason(letter):
    return dict(letter.user_properties)["sluice-error-reason"]


@pytest.fixture(scope="module")
def module_bridge(workspace, plugin):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="m-", dir=workspace))
    directory.chmod(0o755)
    broker = harness.Broker(directory / "broker", plugin)
    bridge = Bridge(broker, directory)
    try:
        broker.start()
        yield bridge.start()
    finally:
        try:
            bridge.stop()
        finally:
            broker.close()


@pytest.fixture
def lanes(module_bridge):
    """lanes() → another lane."""
    made = []

    def make():
        made.append(Lane(module_bridge))
        return made[-1]

    yield make
    for lane in made:
        lane.close()


@pytest.fixture
def lane(lanes):
    return lanes()
