# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A mail server in the test's own process (aiosmtpd), and one that keeps silent where a good one would say good-bye."""
import email
import email.policy
import socket
import ssl
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from harness import free_port, wait_until


class Mail:
    """What a server got: envelope and message, `raw` as it came."""

    def __init__(self, envelope):
        self.sender, self.recipients, self.raw = envelope.mail_from, envelope.rcpt_tos, envelope.content
        self.message = email.message_from_bytes(self.raw, policy=email.policy.default)

    def __getitem__(self, header):
        return self.message[header]

    @property
    def text(self):
        return self.message.get_content().replace("\r\n", "\n")


class MailServer:
    """MailServer(user=("ann", "secret"), tls=certificates): `mails` is what was taken, `tried` what was offered."""

    def __init__(self, user=None, tls=None, smtps=False):
        self.port, self.user = free_port(), user
        self.mails, self.tried, self.tls_seen = [], [], []
        self.refuse = {}  # recipient → reply
        self.replies = []  # to the next DATA, one each
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls["server_certificate"], tls["server_key"])
        self.smtps = smtps
        self.controller = None

    @property
    def url(self):
        return f"{'smtps' if self.smtps else 'smtp'}://localhost:{self.port}"

    def start(self):
        options = {}
        if self.user:
            options = {"authenticator": self._login, "auth_required": True, "auth_require_tls": self.context is not None}
        if self.context:
            options["ssl_context" if self.smtps else "tls_context"] = self.context
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, **options)
        self.controller.start()
        return self

    def stop(self):
        if self.controller:
            self.controller.stop()
            self.controller = None

    def _login(self, _server, _session, _envelope, _mechanism, data):
        return AuthResult(success=(data.login.decode(), data.password.decode()) == self.user, handled=False)

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, session, envelope):
        mail = Mail(envelope)
        self.tried.append(mail)
        if self.replies:
            return self.replies.pop(0)
        self.tls_seen.append(session.ssl is not None)
        self.mails.append(mail)
        return "250 OK"

    def wait(self, count=1, timeout=15):
        return wait_until(lambda: len(self.mails) >= count and list(self.mails), timeout,
                          lambda: f"{count} mails, there are {len(self.mails)} of {len(self.tried)}")


class SilentServer:
    """Takes mails, refuses those to "nobody@…", and never answers a QUIT nor closes a connection."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"smtp://127.0.0.1:{self.socket.getsockname()[1]}"
        self.quits = 0
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            connection.sendall(b"220 here\r\n")
            data = False
            for line in connection.makefile("rb"):
                command = line[:4].upper()
                if data:
                    if line == b".\r\n":
                        data = False
                        connection.sendall(b"250 taken\r\n")
                elif command == b"QUIT":
                    self.quits += 1
                elif command == b"DATA":
                    data = True
                    connection.sendall(b"354 go on\r\n")
                else:
                    connection.sendall(b"550 not here\r\n" if b"nobody@" in line else b"250 well\r\n")
        except OSError:
            pass

    def close(self):
        self.socket.close()
        for connection in self.connections:
            connection.close()
