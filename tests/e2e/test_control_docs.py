# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""docs/control-api.md: each request gets the answer that stands below it."""
import json
import re

from harness import REPOSITORY, wait_until

PAGE = REPOSITORY / "docs" / "control-api.md"
BLOCK = re.compile(r"^```json (request|answer|event|publish)\n(.*?)^```$", re.M | re.S)

# What differs from one run to the next; the docs show one.
VARIES = {"revision", "time_ms", "last_match_ms", "up_s", "bytes", "version", "mosquitto", "file", "p50", "p99", "max",
          "schema_version", "journal_lag_bytes", "journal_bytes", "data_bytes", "cursor", "id", "time", "first",
          "last", "started", "ended"}


def agree(shown, got, place="$"):
    """Where they do not; "…" and {} in the docs leave out what is shown elsewhere."""
    if shown == "…" or (shown == {} and isinstance(got, dict)):
        return []
    if isinstance(shown, dict) and isinstance(got, dict):
        wrong = [f"{place}: members {sorted(shown)} and {sorted(got)}"] if set(shown) != set(got) else []
        return wrong + [fault for name in set(shown) & set(got) if name not in VARIES
                        for fault in agree(shown[name], got[name], f"{place}.{name}")]
    if isinstance(shown, list) and isinstance(got, list) and len(shown) == len(got):
        return [fault for number, pair in enumerate(zip(shown, got)) for fault in agree(*pair, f"{place}[{number}]")]
    return [] if shown == got else [f"{place}: {shown!r} and {got!r}"]


def ask(client, request):
    client.publish("$CONTROL/sluice/v1", json.dumps({"commands": [request]}))
    client.wait_for(lambda message: message.topic.endswith("/response"))
    (message,) = [message for message in client.messages if message.topic.endswith("/response")]
    client.messages.remove(message)
    return message.json["responses"][0]


def test_each_request_gets_the_answer_that_stands_below_it(broker):
    client, producer = broker.client(), broker.client("boiler-7")
    wrong, commands, answer = [], set(), None
    for number, (kind, text) in enumerate(BLOCK.findall(PAGE.read_text())):
        shown = json.loads(text)
        if kind == "request":
            commands.add(shown["command"])
            answer = ask(client, shown)
        elif kind == "answer":
            wrong += [f"{shown['command']} ({number}): {fault}" for fault in agree(shown, answer)]
        elif kind == "publish":
            producer.publish(shown["topic"], shown["payload"], qos=1)
            wait_until(lambda: ask(client, {"command": "listArchives"})["data"]["archives"][0]["events"] == 1,
                       what="the archived event")
        else:
            producer.publish(shown["topic"], shown["payload"])
            wait_until(lambda: client.messages, what="the tapped event")
            wrong += agree(shown, client.messages.pop().json)
    assert not wrong, "\n".join(wrong)
    schema = json.loads((REPOSITORY / "schemas" / "json" / "control.schema.json").read_text())
    known = set(re.findall(r'"const": "(\w+)"', json.dumps(schema)))
    assert commands == known
