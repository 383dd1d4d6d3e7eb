# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The control API takes the requests that schemas/json/control.schema.json describes, and refuses the others: the corpus that
the schema is held against (tests/schemas) is given to a broker."""
import json
import pathlib

CORPUS = pathlib.Path(__file__).resolve().parents[1] / "schemas" / "commands.jsonl"
TOPIC = "$CONTROL/sluice/v1"
MALFORMED = {"invalid", "syntax", "limit"}


def ask(client, request):
    client.messages.clear()
    client.publish(TOPIC, json.dumps(request))
    client.wait_for(lambda message: message.topic == TOPIC + "/response")
    (message,) = [message for message in client.messages if message.topic == TOPIC + "/response"]
    return message.json["responses"]


def test_the_broker_agrees_with_the_corpus_of_requests(broker):
    broker.put_rule("r", {"a": [1]}, "consumers/r/{topic}")
    wrong = []
    with broker.client() as client:
        for line in map(json.loads, CORPUS.read_text().splitlines()):
            answers = ask(client, line["document"])
            codes = {answer["code"] for answer in answers if "error" in answer}
            if line["accepted"] == bool(codes & MALFORMED):
                wrong.append(f"{line['why']}: {line['document']} → {answers}")
    assert not wrong, "\n".join(wrong)
