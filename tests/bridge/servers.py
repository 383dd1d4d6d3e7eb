# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""An HTTP server that answers as a test tells it to, and remembers what it was asked; and nginx."""
import collections
import http.server
import json
import pathlib
import socket
import subprocess
import threading
import urllib.parse

import harness
from environment import PATIENCE, free_port

Answer = collections.namedtuple("Answer", "status headers body", defaults=(200, {}, b""))
CUT = object()  # an answer: the connection is closed without one


class Request:
    def __init__(self, handler, body):
        self.method, self.path, self.body = handler.command, handler.path, body
        self.headers = handler.headers
        self.connection = handler.client_address

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def query(self):
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True))

    @property
    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))

    def __repr__(self):
        return f"<{self.method} {self.path} {self.body[:80]!r}>"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self, body)
        owner = self.server.owner
        with owner.lock:
            owner.requests.append(request)
        answer = owner.answer(request)
        if answer is CUT:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def log_message(self, *_):
        pass


class Threads(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass  # a client that is gone


class HttpServer:
    """server.answer is asked for each request's Answer, on a thread of its own: it may take its time."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = []
        self.answer = lambda request: Answer()
        self.server = Threads(("127.0.0.1", 0), Handler)
        self.server.owner = self
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def script(self, *answers):
        """These one after the other, the last for all that come later."""
        left = list(answers)

        def answer(_request):
            with self.lock:
                return left.pop(0) if len(left) > 1 else left[0]

        self.answer = answer

    def reset(self):
        with self.lock:
            self.requests = []
        self.answer = lambda request: Answer()

    def wait(self, count, timeout=10):
        """So many requests, those that came so far; fails when there are more."""
        harness.wait_until(lambda: len(self.requests) >= count, timeout, lambda: f"{count} requests: {self.requests}")
        with self.lock:
            assert len(self.requests) == count, self.requests
            return list(self.requests)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Nginx:
    """TLS and HTTP/2, in front of an HttpServer."""

    def __init__(self, directory, certificates, backend):
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.log_path = self.directory / "access.log"
        config = self.directory / "nginx.conf"
        temporary = "".join(f"    {kind}_temp_path {self.directory}/{kind};\n"
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config.write_text(f"""daemon off; master_process off; pid {self.directory}/pid; error_log stderr;
events {{}}
http {{
{temporary}
    log_format kept '$server_protocol $connection $ssl_client_s_dn';
    access_log {self.log_path} kept;
    server {{
        listen 127.0.0.1:{self.port} ssl http2;
        ssl_certificate {certificates["server_certificate"]};
        ssl_certificate_key {certificates["server_key"]};
        ssl_client_certificate {certificates["ca_certificate"]};
        ssl_verify_client optional;
        location / {{ proxy_pass {backend.url}; proxy_http_version 1.1; }}
    }}
}}
""")
        self.process = subprocess.Popen(["nginx", "-c", config, "-p", self.directory], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        harness.wait_until(self.listens, 10 * PATIENCE, lambda: "nginx to listen")

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def lines(self):
        return self.log_path.read_text().splitlines()

    def close(self):
        self.process.terminate()
        self.process.wait(10)
