# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Change records as they arrive, for the tests of the sources that make them."""
import json
import pathlib

import jsonschema

SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[2] / "schemas/json/change-record.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


class Listener:
    """The records that a source published, in order."""

    def __init__(self, broker, topic="changes/#"):
        # The session outlives the broker's connections: nothing is missed while it is away.
        self.client = broker.client(version=5)
        self.client.subscribe(topic, qos=1)
        self.at = 0

    def take(self, count, timeout=20):
        """The next `count` of them, each as its schema says."""
        self.client.wait_for(self.at + count, timeout)
        taken = [message.json for message in self.client.messages[self.at:self.at + count]]
        self.at += count
        for record in taken:
            VALIDATOR.validate(record)
        return taken

    def all(self):
        return [message.json for message in self.client.messages]


def without_repeats(records):
    """Each record once, in the order of the first time; the same id must be the same record."""
    seen = {}
    for record in records:
        assert seen.setdefault(record["eventID"], record) == record
    return list(seen.values())


def in_order(records):
    numbers = [record["sequence_number"] for record in records]
    return numbers == sorted(numbers) and len(set(numbers)) == len(numbers)
