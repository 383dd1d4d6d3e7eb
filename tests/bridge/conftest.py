# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The fixtures of tests/e2e, and a bridge beside the broker."""
import importlib.util
import pathlib

import pytest

from bridge_harness import Bridge

_path = pathlib.Path(__file__).resolve().parent.parent / "e2e" / "conftest.py"
_spec = importlib.util.spec_from_file_location("e2e_fixtures", _path)
_fixtures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_fixtures)

workspace = _fixtures.workspace
plugin = _fixtures.plugin
broker_version = _fixtures.broker_version
directory = _fixtures.directory
make_broker = _fixtures.make_broker
start_broker = _fixtures.start_broker
broker = _fixtures.broker
certificates = _fixtures.certificates
pytest_runtest_makereport = _fixtures.pytest_runtest_makereport


@pytest.fixture
def start_bridge(directory, request):
    """start_bridge(broker, "--no-sources", …) → a Bridge that runs; at the end of the test it is stopped, and has to stop
    well. wait=False: does not wait until it is connected."""
    bridges = []

    def start(broker, *arguments, wait=True, **options):
        options.setdefault("name", f"bridge-{len(bridges)}")
        bridge = Bridge(broker, directory, *arguments, **options)
        bridges.append(bridge)
        return bridge.start(wait)

    yield start
    for bridge in bridges:
        bridge.stop()


@pytest.fixture
def bridge(broker, start_bridge):
    """A bridge, and bridge.broker with it."""
    return start_bridge(broker)
