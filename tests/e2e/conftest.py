# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The fixtures: a broker, clients, certificates. What they give is described in harness.py."""
import pathlib
import shutil
import tempfile

import pytest

import harness


@pytest.fixture(scope="session")
def workspace():
    """A directory that the broker's own user can enter. pytest's are the caller's alone."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="sluice-e2e-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def plugin(workspace):
    return harness.copy_plugin(workspace)


@pytest.fixture(scope="session")
def broker_version():
    """(2, 0, 11): the broker under test."""
    return harness.broker_version()


@pytest.fixture
def directory(workspace, request):
    """This test's own directory, which the broker can enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="t-", dir=workspace))
    path.chmod(0o755)
    yield path
    failed = getattr(request.node, "call_failed", False)
    if not failed:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def make_broker(directory, request):
    """make_broker(options={"sys_interval": 1}, users={"ann": "secret"}, …) → a Broker that is not started;
    at the end of the test it is stopped, and has to stop well."""
    brokers = []

    def make(**arguments):
        if "plugin" not in arguments:
            arguments["plugin"] = request.getfixturevalue("plugin")
        broker = harness.Broker(directory / f"broker-{len(brokers)}", **arguments)
        brokers.append(broker)
        return broker

    yield make
    for broker in brokers:
        broker.close()


@pytest.fixture
def start_broker(make_broker):
    """The same, started."""
    return lambda **arguments: make_broker(**arguments).start()


@pytest.fixture
def broker(start_broker):
    """A broker with the plugin, an empty store and no other configuration."""
    return start_broker()


@pytest.fixture(params=[4, 5], ids=["mqtt3", "mqtt5"])
def version(request):
    """Both versions of MQTT: Client(version=version)."""
    return request.param


@pytest.fixture(scope="session")
def certificates(workspace):
    """Paths to ca, server and client certificates and keys that openssl made."""
    path = workspace / "certificates"
    path.mkdir()

    def openssl(*arguments):
        harness.run("openssl", *arguments)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test authority",
            "-keyout", path / "ca.key", "-out", path / "ca.crt")
    for name, subject in (("server", "/CN=localhost"), ("client", "/CN=ann")):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject,
                "-keyout", path / f"{name}.key", "-out", path / f"{name}.csr")
        extensions = path / f"{name}.ext"
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", path / f"{name}.csr", "-CA", path / "ca.crt", "-CAkey", path / "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", path / f"{name}.crt")
    for file in path.iterdir():
        file.chmod(0o644)
    path.chmod(0o755)
    return {f"{name}_{kind}": path / f"{name}.{suffix}" for name in ("ca", "server", "client")
            for kind, suffix in (("certificate", "crt"), ("key", "key"))}


def build_tool(workspace, name):
    """A program of tools/, built."""
    program = workspace / name
    harness.run("gcc", "-std=c17", "-D_DEFAULT_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program,
                harness.REPOSITORY / f"tests/e2e/tools/{name}.c", "-lmosquitto", "-lpthread")
    return program


@pytest.fixture(scope="session")
def order_tool(workspace):
    return build_tool(workspace, "order")


@pytest.fixture(scope="session")
def queue_load_tool(workspace):
    return build_tool(workspace, "queue_load")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failing test prints the end of its broker's log."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    item.call_failed = True
    directory = item.funcargs.get("directory") if hasattr(item, "funcargs") else None
    if directory:
        for log in sorted(directory.glob("*/mosquitto.log")):
            report.sections.append((f"{log.parent.name}'s log", log.read_text(errors="replace")[-4000:]))
