# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Who may use the control topics: plugin_opt_control_access, each way in and out."""
import json
import socket
import subprocess

import pytest

from harness import run

CONTROL = "$CONTROL/sluice/v1"
VIEW = "$CONTROL/sluice-view/v1"


def ask(client, topic=CONTROL):
    """The answer to a command that everybody who gets in may give."""
    (answer,) = client.command({"command": "listRules"}, topic=topic)
    return answer


def refused(client, topic=CONTROL):
    client.publish(topic, json.dumps({"commands": [{"command": "listRules"}]}))
    client.wait_for(lambda message: message.topic == topic + "/response")
    (answer,) = client.messages[-1].json["responses"]
    return answer


def own_address():
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0]


def unix_request(path, username=None):
    """What mosquitto_rr gets over a unix socket."""
    command = ["mosquitto_rr", "--unix", path, "-t", CONTROL, "-e", CONTROL + "/response", "-W", "5",
               "-m", '{"commands":[{"command":"listRules"}]}']
    return json.loads(run(*command, *(["-u", username] if username else [])).out)["responses"][0]


def test_loopback_gets_in(broker):
    assert "data" in ask(broker.client())
    assert "data" in ask(broker.client(), VIEW)


def test_a_unix_socket_gets_in(start_broker):
    broker = start_broker(listeners={"unix": ""})
    assert "data" in unix_request(broker.socket_path)


@pytest.fixture
def remote(start_broker):
    """Starts a broker and gives a client that comes from another address than loopback."""
    address = own_address()
    if not address or address.startswith("127."):
        pytest.skip("this machine has only loopback")

    class Remote:
        def start(self, **arguments):
            config = f"listener {self.port()} {address}"
            self.broker = start_broker(config=config, **arguments)
            return self.broker

        def port(self):
            with socket.socket() as probe:
                probe.bind((address, 0))
                self.number = probe.getsockname()[1]
            return self.number

        def request(self, *arguments):
            out = run("mosquitto_rr", "-h", address, "-p", self.number, "-t", CONTROL, "-e", CONTROL + "/response",
                      "-W", "5", "-m", '{"commands":[{"command":"listRules"}]}', *arguments).out
            return json.loads(out)["responses"][0]
    return Remote()


def test_another_address_is_refused_and_told_the_option(remote):
    broker = remote.start()
    answer = remote.request("-i", "stranger")
    assert answer["code"] == "refused" and "plugin_opt_control_access" in answer["error"]
    broker.wait_log(r"client stranger \(username -, address .*\) may not use \$CONTROL/sluice/v1")
    assert broker.status()["refused"] == 1


def test_a_username_that_nobody_listed_is_refused(remote):
    remote.start()
    assert remote.request("-u", "ann")["code"] == "refused"


def test_a_listed_username_gets_in(remote):
    remote.start(options={"control_users": "bob, ann"}, users={"ann": "secret", "eve": "secret"})
    assert "data" in remote.request("-u", "ann", "-P", "secret")
    assert remote.request("-u", "eve", "-P", "secret")["code"] == "refused"


def test_a_listed_username_can_be_claimed_where_there_are_no_passwords(remote):
    remote.start(options={"control_users": "ann"})
    assert "data" in remote.request("-u", "ann")


def tls_lines(certificates, *more):
    return "\n".join((f"cafile {certificates['ca_certificate']}", f"certfile {certificates['server_certificate']}",
                      f"keyfile {certificates['server_key']}", *more))


def test_a_verified_certificate_gets_in(remote, certificates):
    address = own_address()
    port = remote.port()
    remote.start(listeners={}, users=None)
    broker = remote.broker
    broker.stop()
    broker.config = f"listener {port} {address}\n{tls_lines(certificates, 'require_certificate true')}"
    broker.start()
    remote.number = port
    files = ["--cafile", certificates["ca_certificate"], "--insecure"]
    assert "data" in remote.request(*files, "--cert", certificates["client_certificate"],
                                    "--key", certificates["client_key"])
    done = subprocess.run(["mosquitto_rr", "-h", address, "-p", str(port), "-t", CONTROL, "-e", CONTROL + "/response",
                           "-W", "3", "-m", "x", *map(str, files)], capture_output=True, check=False)
    assert done.returncode != 0


def test_tls_without_a_client_certificate_proves_nothing(remote, certificates):
    address = own_address()
    port = remote.port()
    broker = remote.start()
    broker.stop()
    broker.config = f"listener {port} {address}\n{tls_lines(certificates)}"
    broker.start()
    remote.number = port
    assert remote.request("--cafile", certificates["ca_certificate"], "--insecure")["code"] == "refused"


def test_a_websockets_client_is_refused_wherever_it_says_it_is(start_broker, broker_version):
    if broker_version < (2, 0, 12):
        pytest.skip("this broker has no websockets")
    broker = start_broker(listeners={"websockets": ""})
    assert refused(broker.client(listener="websockets"))["code"] == "refused"


def test_with_acl_the_broker_alone_decides(remote):
    remote.start(options={"control_access": "acl"}, users={"ann": "secret", "eve": "secret"},
                 acl="user ann\ntopic readwrite $CONTROL/#\nuser eve\ntopic readwrite a/#\n")
    assert "data" in remote.request("-u", "ann", "-P", "secret")
    done = subprocess.run(["mosquitto_rr", "-h", own_address(), "-p", str(remote.number), "-u", "eve", "-P", "secret",
                           "-t", CONTROL, "-e", CONTROL + "/response", "-W", "2", "-m", "{}"],
                          capture_output=True, check=False)
    assert done.stdout == b""


def test_acls_tell_the_two_topics_apart(start_broker):
    broker = start_broker(users={"admin": "secret", "ann": "secret"},
                          acl=f"user admin\ntopic readwrite $CONTROL/#\nuser ann\ntopic write {VIEW}\n"
                              f"topic read {VIEW}/#\ntopic readwrite a/#\n")
    ann = broker.client(username="ann", password="secret")
    assert "data" in ask(ann, VIEW)
    ann.publish(CONTROL, json.dumps({"commands": [{"command": "deleteRule", "name": "r"}]}))
    ann.publish("a/b", "")
    assert all(not message.topic.startswith(CONTROL) for message in ann.messages)


def test_with_none_nobody_gets_in(start_broker):
    broker = start_broker(options={"control_access": "none"}, listeners={"unix": ""})
    assert refused(broker.client())["code"] == "refused"
    assert refused(broker.client(), VIEW)["code"] == "refused"
    assert unix_request(broker.socket_path)["code"] == "refused"
