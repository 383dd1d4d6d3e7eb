# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""sluice against a broker: every verb that speaks the control API, and every way to connect."""
import json
import re
import signal
import subprocess
import time

import pytest

from harness import SLUICE, sluice, wait_until


def rule(name, value=1, **members):
    return {"name": name, "pattern": {"a": [value]}, "targets": [{"id": "t", "consumer": "c"}], **members}


@pytest.fixture
def write(directory):
    def write_file(*items, name="rules"):
        path = directory / name
        path.write_text("".join((item if isinstance(item, str) else json.dumps(item)) + "\n" for item in items))
        return path
    return write_file


def names(broker):
    return [entry["name"] for entry in broker.cli("rule", "list", "--json").json["rules"]]


def test_put_get_states_and_delete(broker, write):
    revision = broker.cli("rule", "put", write(json.dumps(rule("a"), indent=2)), "--json").json["revision"]
    got = broker.cli("rule", "get", "a", "--json").json
    assert got["rule"]["pattern"] == {"a": [1]} and got["revision"] == revision and got["counters"]["matched"] == 0
    assert json.loads(broker.cli("rule", "get", "a").out) == got["rule"]
    for verb, state in (("disable", "DISABLED"), ("shadow", "SHADOW"), ("enable", "ENABLED")):
        broker.cli("rule", verb, "a")
        assert broker.cli("rule", "get", "a", "--json").json["rule"]["state"] == state
    assert broker.cli("rule", "delete", "a", "--if-revision", revision, check=False).code == 6
    broker.cli("rule", "delete", "a")
    result = broker.cli("rule", "delete", "a", check=False)
    assert result.code == 1 and '"a"' in result.err
    assert names(broker) == []


def test_buses_too(broker, write):
    broker.cli("bus", "put", write({"name": "o", "topics": ["o/#"]}))
    assert broker.cli("bus", "get", "o", "--json").json["bus"]["topics"] == ["o/#"]
    assert [entry["bus"]["name"] for entry in broker.cli("bus", "list", "--json").json["buses"]] == ["default", "o"]
    broker.cli("rule", "put", write(rule("a", bus="o")))
    assert broker.cli("bus", "delete", "o", check=False).code == 6
    broker.cli("rule", "delete", "a")
    broker.cli("bus", "delete", "o")


def test_a_faulty_rule_is_told_as_the_place_in_the_file(broker, write):
    result = broker.cli("rule", "put", write(rule("a", {"prefixx": "x"})), check=False)
    assert result.code == 3 and ":1: $.pattern.a[0]: unknown operator" in result.err
    result = broker.cli("rule", "put", write(rule("a", bus="nowhere")), check=False)
    assert result.code == 3 and "nowhere" in result.err


def test_import_is_all_or_nothing_and_names_the_line_that_the_broker_refused(broker, write):
    path = write(rule("a"), rule("b"), rule("c", bus="nowhere"))
    result = broker.cli("rule", "import", path, check=False)
    assert result.code == 3
    assert "nowhere" in result.err and str(path) in result.err
    assert names(broker) == []


def test_what_the_broker_says_is_what_the_store_says(broker, write):
    path = write({"bus": {"name": "o", "topics": ["o/#"]}}, rule("a", bus="o", state="SHADOW"), rule("b", 2))
    first = broker.cli("rule", "import", path, "--json").json
    assert first == {"rules": 2, "buses": 1, "queues": 0, "connections": 0, "targets": 0, "sources": 0, "changed": 3, "deleted": 0, "dry_run": False}
    for arguments in (("rule", "list"), ("rule", "list", "--json"), ("rule", "list", "--full"), ("bus", "list"),
                      ("bus", "list", "--json"), ("rule", "get", "a"), ("rule", "export"),
                      ("rule", "list", "--state", "SHADOW"), ("rule", "list", "--prefix", "b"),
                      ("rule", "list", "--bus", "o"), ("rule", "list", "--limit", "1"), ("rule", "list", "--after", "a"),
                      ("rule", "import", "--replace", "--dry-run", write(rule("b"), name="less")),
                      ("rule", "import", path)):
        assert broker.cli(*arguments).out == broker.offline(*arguments).out, arguments
    less = write(rule("b"), rule("n"), name="less")
    online, offline = (way("rule", "diff", "--replace", "--json", less, check=False) for way in (broker.cli, broker.offline))
    assert online.json == offline.json and online.code == offline.code == 1
    assert (online.json["added"], online.json["changed"], online.json["removed"]) == (1, 1, 2)


def test_large_imports_and_exports_go_in_parts(broker, write):
    path = write(*(rule(f"rule-{number:05}", number, description="x" * 200) for number in range(12000)))
    assert path.stat().st_size > 3_000_000
    assert broker.cli("rule", "import", path, "--json", "--timeout", 30).json["changed"] == 12000
    assert len(names(broker)) == 12000
    exported = broker.cli("rule", "export").out
    assert len(exported.splitlines()) == 12000
    assert broker.cli("rule", "diff", "--replace", path).out == "0 added, 0 changed, 0 removed\n"
    assert broker.cli("rule", "list", "--limit", 2500).out.count("\n") == 2500


def test_a_shadow_rule_shows_what_it_matched(broker, write):
    broker.cli("rule", "put", write(rule("r", state="SHADOW")))
    broker.client().publish("a/b", '{"a":1}')
    (sample,) = broker.cli("rule", "get", "r", "--json").json["samples"]
    assert sample["topic"] == "a/b"


def test_a_large_import_waits_for_its_end(broker, write):
    path = write(*(rule(f"rule-{number:05}", number) for number in range(30000)))
    assert broker.cli("rule", "import", path, "--json", "--timeout", 1).json["changed"] == 30000


def test_explain_asks_the_rules_in_force(broker, write):
    broker.cli("rule", "import", write(rule("yes"), rule("no", 2), rule("off", state="DISABLED")))
    result = broker.cli("explain", '{"a":1}', "-t", "a/b")
    assert "match    yes\n" in result.out and "no match no\n  $.a: 1 is not 2\n" in result.out
    assert "off, which is DISABLED" in result.out
    assert broker.cli("explain", '{"a":3}', check=False).code == 1
    assert broker.cli("explain", '{"a":1}', "--rule", "no", check=False).out.startswith("no match no\n")
    assert broker.cli("explain", "--publish", '{"topic":"x","payload":{"a":1}}', "--json").json["matches"]
    result = broker.cli("explain", '{"a":1}', "--rule", "nobody", check=False)
    assert result.code == 1 and "nobody" in result.err


def test_status_counts_what_was_routed(broker, write):
    broker.cli("rule", "import", write(rule("yes"), rule("no", 2)))
    client = broker.client()
    client.publish("a/b", '{"a":1}', qos=1)
    status = wait_until(lambda: (got := broker.cli("status", "--rules", "--json").json)["delivered"] >= 1 and got)
    assert {entry["name"]: entry["matched"] for entry in status["rules"]} == {"yes": 1, "no": 0}
    text = broker.cli("status", "--rules", "--prefix", "y").out
    assert re.search(r"^events +\d+$", text, re.M) and re.search(r"^yes .*matched 1 ", text, re.M)
    assert "\nno " not in text


class Tap:
    """sluice tap in the background."""

    def __init__(self, broker, *arguments):
        self.process = subprocess.Popen([str(word) for word in (SLUICE, "tap", "-h", "127.0.0.1", "-p", broker.port, *arguments)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.broker = broker

    def wait_started(self, client, topic, payload):
        """Publishes until the tap shows something; returns the line."""
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            client.publish(topic, payload, qos=1)
            line = self.read_line(0.3)
            if line:
                return line
        raise AssertionError("the tap showed nothing")

    def read_line(self, timeout):
        import select
        ready, _, _ = select.select([self.process.stdout], [], [], timeout)
        return self.process.stdout.readline() if ready else ""

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        self.out, self.err = self.process.communicate(timeout=15)
        return self.process.returncode


def test_tap_follows_what_a_pattern_would_match(broker):
    client = broker.client()
    tap = Tap(broker, "--pattern", '{"a":[1]}', "--json", "--rate", 1000)
    event = json.loads(tap.wait_started(client, "a/b", '{"a":1,"é":2}'))
    assert (event["topic"], json.loads(event["payload"])) == ("a/b", {"a": 1, "é": 2})
    client.publish("a/b", '{"a":2}', qos=1)
    assert tap.end() == 0
    assert '"a\\":2' not in tap.out


def test_tap_of_a_rule_ends_after_a_count_and_needs_no_consumer(broker, write):
    broker.cli("rule", "put", write(rule("a", state="DISABLED")))
    client = broker.client()
    tap = Tap(broker, "--rule", "a", "--count", 1)
    line = tap.wait_started(client, "a/b", '{"a":1}')
    assert re.fullmatch(r'\d\d:\d\d:\d\d\.\d{3} a/b \{"a":1\}\n', line)
    assert tap.process.wait(10) == 0


def test_tap_says_how_much_its_rate_left_out(broker):
    client = broker.client()
    tap = Tap(broker, "--pattern", '{"a":[1]}', "--rate", 1)
    tap.wait_started(client, "a/b", '{"a":1}')
    for _ in range(50):
        client.publish("a/b", '{"a":1}', qos=1)
    assert tap.end() == 0
    assert re.search(r"\d+ of \d+ events were left out", tap.err)


def test_tap_tells_that_the_broker_has_gone(broker):
    client = broker.client()
    tap = Tap(broker, "--pattern", '{"a":[1]}')
    tap.wait_started(client, "a/b", '{"a":1}')
    broker.stop()
    assert tap.process.wait(15) == 4
    assert "sluice: 127.0.0.1" in tap.process.stderr.read()


def test_tap_of_a_faulty_pattern_or_an_unknown_rule_is_an_error(broker):
    assert broker.cli("tap", "--pattern", '{"a":1}', check=False).code == 3
    assert broker.cli("tap", "--rule", "nobody", check=False).code == 1


# --- ways to connect, and to be refused ---

@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
def test_both_versions_of_mqtt_serve(broker, version):
    assert broker.cli("status", "-V", version).code == 0


def test_a_client_id_may_be_chosen(broker):
    broker.cli("status", "-i", "operator-7")
    broker.wait_log("operator-7")
    broker.cli("status", "-I", "operator-")


def test_a_unix_socket_serves(start_broker):
    broker = start_broker(listeners={"unix": ""})
    assert sluice("status", "--unix", broker.socket_path, "--json").json["version"]


def test_tls_serves_with_and_without_a_client_certificate(start_broker, certificates):
    broker = start_broker(listeners={"tls": f"cafile {certificates['ca_certificate']}\n"
                                            f"certfile {certificates['server_certificate']}\n"
                                            f"keyfile {certificates['server_key']}"})
    port = broker.ports["tls"]
    trust = ("--cafile", certificates["ca_certificate"])
    assert sluice("status", "-h", "localhost", "-p", port, *trust).code == 0
    assert sluice("status", "-h", "127.0.0.1", "-p", port, *trust, "--cert", certificates["client_certificate"],
                  "--key", certificates["client_key"], "--tls-version", "tlsv1.2").code == 0
    result = sluice("status", "-L", f"mqtts://localhost:{port}", check=False)
    assert result.code == 4 and f"localhost:{port}" in result.err
    assert sluice("status", "-h", "localhost", "-p", port, "--cafile", "/nonexistent", check=False).code == 2


def test_a_url_with_a_password_serves(start_broker):
    broker = start_broker(users={"ann": "p@ss:w"})
    assert sluice("status", "-L", f"mqtt://ann:p%40ss%3aw@127.0.0.1:{broker.port}").code == 0


def test_a_wrong_password_is_told(start_broker):
    broker = start_broker(users={"ann": "secret"})
    result = sluice("status", "-h", "127.0.0.1", "-p", broker.port, "-u", "ann", "-P", "wrong", check=False)
    assert result.code == 4
    assert "refused the connection" in result.err and "uthori" in result.err


def test_the_gate_that_refuses_is_named(start_broker):
    broker = start_broker(options={"control_access": "none"})
    result = broker.cli("rule", "list", check=False)
    assert result.code == 4 and "plugin_opt_control_access" in result.err


def test_an_acl_that_refuses_is_told(start_broker):
    broker = start_broker(users={"ann": "secret"}, acl="user ann\ntopic readwrite a/#\ntopic $CONTROL/sluice-view/v1\n")
    assert broker.cli("rule", "list").code == 0
    result = broker.cli("rule", "delete", "a", "--timeout", 2, check=False)
    assert result.code == 4
    assert "$CONTROL/sluice/v1" in result.err


def test_a_broker_without_the_plugin_is_told_after_the_timeout(start_broker):
    broker = start_broker(plugin=None)
    began = time.monotonic()
    result = broker.cli("rule", "list", "--timeout", 1, check=False)
    assert time.monotonic() - began < 8
    assert result.code == 4
    assert "mosquitto_sluice.so" in result.err


# --- the store under a running broker ---

def test_backup_and_restore_while_the_broker_runs(broker, write, directory):
    broker.cli("rule", "import", write(rule("a"), rule("b")))
    broker.offline("backup", directory / "copy.db")
    broker.cli("rule", "import", write(rule("c")), "--replace")
    broker.offline("restore", directory / "copy.db")
    wait_until(lambda: broker.cli("status", "--json").json["rules_in_force"] == 2, 3, "the backup's rules in force")
    assert names(broker) == ["a", "b"]


def test_what_is_put_into_the_store_is_in_force_within_a_second(broker, write):
    broker.offline("rule", "import", write(rule("a")))
    wait_until(lambda: broker.cli("status", "--json").json["rules_in_force"] == 1, 1.5, "the rule in force")


def test_a_store_that_is_gone_is_not_a_rule_that_is_not_there(broker, write):
    broker.cli("rule", "put", write(rule("r")))
    broker.db.unlink()
    wait_until(lambda: broker.status()["store"]["state"] != "ok", 5, "the plugin to miss its store")
    for arguments in (["get", "r"], ["list"], ["delete", "r"], ["put", write(rule("r", 2))], ["export"]):
        result = broker.cli("rule", *arguments, check=False)
        assert result.code == 5 and "the file is gone" in result.err, (arguments, result)
