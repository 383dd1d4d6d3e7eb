# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""nats-server, and as much of a client as the tests need: its protocol is lines of text."""
import itertools
import json
import os
import signal
import socket
import subprocess
import threading

from harness import PATIENCE, free_port, wait_until


class Message:
    def __init__(self, subject, reply, headers, payload):
        self.subject, self.reply, self.headers, self.payload = subject, reply, headers, payload

    @property
    def json(self):
        return json.loads(self.payload)

    def __repr__(self):
        return f"<{self.subject} {self.headers} {self.payload[:80]!r}>"


def read_headers(text):
    """[("name", "value")], the status of the first line as "Status"."""
    first, *lines = text.decode().split("\r\n")
    status = first.split(" ", 1)[1:]
    return [("Status", word) for word in status] + [
        tuple(part.strip() for part in line.split(":", 1)) for line in lines if ":" in line]


class Nats:
    """A connection. Messages of subscriptions are in .messages, in order."""

    def __init__(self, port, options=None):
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.file = self.socket.makefile("rb")
        self.info = json.loads(self.file.readline().split(b" ", 1)[1])
        self.messages, self.arrived, self.numbers = [], threading.Condition(), itertools.count(1)
        self.inbox = f"_INBOX.test{os.getpid()}.{id(self)}"
        connect = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, **(options or {})}
        self.send(f"CONNECT {json.dumps(connect)}\r\nPING\r\n".encode())
        line = self.file.readline()
        assert line.startswith(b"PONG"), line
        self.socket.settimeout(None)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        self.subscribe(f"{self.inbox}.*")

    def send(self, data):
        self.socket.sendall(data)

    def _read(self):
        try:
            for line in self.file:
                words = line.decode().split()
                if words[0] == "PING":
                    self.send(b"PONG\r\n")
                elif words[0] in ("MSG", "HMSG"):
                    sizes = 1 if words[0] == "MSG" else 2
                    data = self.file.read(int(words[-1]) + 2)[:-2]
                    head = int(words[-2]) if sizes == 2 else 0
                    reply = words[3] if len(words) == 3 + sizes + 1 else None
                    with self.arrived:
                        self.messages.append(Message(words[1], reply, read_headers(data[:head]), data[head:]))
                        self.arrived.notify_all()
        except (OSError, ValueError):
            pass

    def subscribe(self, subject):
        self.send(f"SUB {subject} {next(self.numbers)}\r\n".encode())

    def publish(self, subject, payload, headers=(), reply=""):
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        if head:
            head = f"NATS/1.0\r\n{head}\r\n".encode()
            start = f"HPUB {subject} {reply} {len(head)} {len(head) + len(payload)}\r\n".encode()
            self.send(start + head + payload + b"\r\n")
        else:
            self.send(f"PUB {subject} {reply} {len(payload)}\r\n".encode() + payload + b"\r\n")

    def request(self, subject, document=None, payload=b"", headers=()):
        """The answer, JSON."""
        reply = f"{self.inbox}.{next(self.numbers)}"
        self.publish(subject, json.dumps(document).encode() if document is not None else payload, headers, reply)
        with self.arrived:
            assert self.arrived.wait_for(lambda: any(message.subject == reply for message in self.messages),
                                         10 * PATIENCE), f"no answer to {subject}"
            (found,) = [message for message in self.messages if message.subject == reply]
            self.messages.remove(found)
        return found.json

    def wait_for(self, count, timeout=10):
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.messages) >= count, timeout * PATIENCE), \
                f"waited for {count}, got {self.messages}"
            return self.messages[:count]

    # --- JetStream ---

    def add_stream(self, name, *subjects, **config):
        answer = self.request(f"$JS.API.STREAM.CREATE.{name}",
                              {"name": name, "subjects": list(subjects), "retention": "limits", "storage": "file",
                               "discard": "old", "num_replicas": 1, "max_msgs": -1, "max_bytes": -1, "max_age": 0,
                               "max_consumers": -1, "duplicate_window": 120000000000, **config})
        assert "error" not in answer, answer

    def stream_count(self, name):
        return self.request(f"$JS.API.STREAM.INFO.{name}", {})["state"]["messages"]

    def stream_message(self, name, sequence):
        """Its base64 members, as the server has them."""
        return self.request(f"$JS.API.STREAM.MSG.GET.{name}", {"seq": sequence})["message"]

    def consumer(self, stream, name):
        return self.request(f"$JS.API.CONSUMER.INFO.{stream}.{name}", {})

    def close(self):
        self.socket.close()


class Server:
    """nats-server with JetStream, in a directory of its own, on a free port."""

    def __init__(self, directory, config=""):
        self.directory, self.port = directory, free_port()
        self.config = directory / "nats.conf"
        self.config.write_text(f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: "{directory}/js" }}\n{config}')
        self.log_path = directory / "nats.log"
        self.process, self.options = None, None

    def start(self):
        self.process = subprocess.Popen(["nats-server", "-c", self.config, "-l", self.log_path], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers():
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False

        wait_until(answers, 10, "nats-server to listen")
        return self

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
            self.process = None

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def client(self, **options):
        return Nats(self.port, options)
