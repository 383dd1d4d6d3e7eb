# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The image's files, read: what can be told without an engine. scripts/test-docker carries the steps out."""
import json
import re
import shlex
import shutil
import subprocess

import jsonschema
import pytest
import yaml

import dockerfile
from dockerfile import ROOT

STAGES = dockerfile.parse()
BUILD, FINAL = STAGES
CONF = (ROOT / "docker/mosquitto.conf").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
SHELL = [run for stage in STAGES for run in stage.all("RUN") if not run.text.startswith("[")]
DURATION = {"type": "string", "pattern": r"^(\d+(ms|s|m|h))+$"}
# As much of the Compose specification as the file uses; anything else in it is a slip or belongs in here.
COMPOSE_SCHEMA = {
    "type": "object", "additionalProperties": False, "required": ["services"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
        "services": {"type": "object", "minProperties": 1, "additionalProperties": {
            "type": "object", "additionalProperties": False, "required": ["image", "restart", "healthcheck"],
            "properties": {
                "build": {"type": "object", "additionalProperties": False, "required": ["context"],
                          "properties": {"context": {"type": "string"}, "dockerfile": {"type": "string"}}},
                "image": {"type": "string"},
                "restart": {"enum": ["no", "always", "on-failure", "unless-stopped"]},
                "ports": {"type": "array", "items": {"type": "string", "pattern": r"^([0-9.]+:)?\d+:\d+$"}},
                "volumes": {"type": "array", "items": {"type": "string", "pattern": "^[^:]+:/[^:]+(:ro)?$"}},
                "read_only": {"type": "boolean"},
                "command": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                "depends_on": {"type": "array", "items": {"type": "string"}},
                "network_mode": {"type": "string", "pattern": "^service:"},
                "tmpfs": {"type": "array", "items": {"type": "string", "pattern": "^/"}},
                "cap_drop": {"type": "array", "items": {"type": "string"}},
                "security_opt": {"type": "array", "items": {"type": "string"}},
                "healthcheck": {"type": "object", "additionalProperties": False, "required": ["test"], "properties": {
                    "test": {"type": "array", "items": {"type": "string"}, "minItems": 2},
                    "interval": DURATION, "timeout": DURATION, "start_period": DURATION,
                    "retries": {"type": "integer", "minimum": 1}}},
            }}},
        "volumes": {"type": "object", "additionalProperties": {"type": ["null", "object"]}},
    },
}


def conf_values(key):
    return [line.split(None, 1)[1] for line in CONF.splitlines() if line.split(None, 1)[:1] == [key]]


def test_both_stages_stand_on_the_debian_that_sluice_is_built_for():
    assert [stage.base for stage in STAGES] == ["debian:bookworm-slim"] * 2


def test_the_image_ends_as_a_user_without_privileges():
    assert FINAL.all("USER"), "no USER"
    assert FINAL.last("USER").text not in ("root", "0")
    order = [instruction.name for instruction in FINAL.instructions]
    assert not {"RUN", "COPY"} & set(order[order.index("USER"):]), "steps after USER would run without root's rights"


def test_the_image_has_a_health_check_and_one_command_without_a_shell():
    assert FINAL.health_command()[0] == "sluice"
    assert {"interval", "timeout", "retries"} <= set(FINAL.last("HEALTHCHECK").flags)
    assert len(FINAL.all("CMD")) == 1
    assert FINAL.last("CMD").json()[0] == "mosquitto"


@pytest.mark.parametrize("run", SHELL, ids=lambda run: f"line-{run.line}")
def test_a_step_is_sound_shell(run):
    subprocess.run(["sh", "-n", "-c", run.text], check=True)
    if shutil.which("shellcheck"):
        check = subprocess.run(["shellcheck", "--shell=sh", "--exclude=SC2016", "-"], input=run.text + "\n", text=True,
                               capture_output=True)
        assert check.returncode == 0, check.stdout


@pytest.mark.parametrize("run", [run for run in SHELL if "apt-get" in run.text], ids=lambda run: f"line-{run.line}")
def test_a_step_that_installs_leaves_nothing_behind(run):
    commands = [shlex.split(command) for command in run.text.split("&&")]
    text = [" ".join(command) for command in commands]
    assert "apt-get update" in text
    installs = [command for command in text if "apt-get install" in command]
    assert installs and all("-y" in install and "--no-install-recommends" in install for install in installs)
    assert "rm -rf /var/lib/apt/lists/*" in text


def test_what_is_copied_exists_and_is_not_ignored():
    for stage in STAGES:
        for copy in stage.all("COPY"):
            if "from" in copy.flags:
                earlier = [other.name for other in STAGES[:STAGES.index(stage)]]
                assert copy.flags["from"] in earlier, copy
                continue
            for source in copy.words()[:-1]:
                assert dockerfile.context_files(source), copy


def test_the_context_holds_what_the_build_reads_and_no_build_or_history():
    files = {str(path) for path in dockerfile.context_files()}
    assert {"CMakeLists.txt", "CMakePresets.json", "scripts/lib.sh", "docker/mosquitto.conf"} <= files
    cmake = (ROOT / "CMakeLists.txt").read_text()
    for folder in re.findall(r"^add_subdirectory\((\w+)\)", cmake, re.M):
        assert f"{folder}/CMakeLists.txt" in files, folder
    assert not [file for file in files if re.match(r"(\.git|build|tests)/", file) or "__pycache__" in file]


def test_the_broker_writes_into_volumes_alone():
    volumes = FINAL.volumes()
    written = [*conf_values("persistence_location"), *conf_values("plugin_opt_db_file")]
    assert len(written) == 2
    for path in written:
        assert any(path.startswith(volume + "/") for volume in volumes), path
    assert not conf_values("pid_file") and conf_values("log_dest") == ["stderr"]


def test_the_ports_agree():
    assert [port.text for port in FINAL.all("EXPOSE")] == conf_values("listener")
    assert COMPOSE["services"]["broker"]["ports"] == [f"127.0.0.1:{port}:{port}" for port in conf_values("listener")]


def test_the_configuration_names_options_that_the_plugin_has():
    source = (ROOT / "plugin/options.c").read_text()
    for option in re.findall(r"^plugin_opt_(\w+)", CONF, re.M):
        assert f'"{option}"' in source, option


def test_compose_says_only_what_compose_knows():
    jsonschema.validate(COMPOSE, COMPOSE_SCHEMA)


def test_the_bridge_stands_beside_the_broker_on_its_store():
    services = COMPOSE["services"]
    bridge = services["bridge"]
    assert bridge["image"] == services["broker"]["image"]
    assert bridge["network_mode"] == "service:broker" and bridge["depends_on"] == ["broker"]
    program, *arguments = bridge["command"]
    assert program == "sluice-bridge" and arguments[arguments.index("--db") + 1] == conf_values("plugin_opt_db_file")[0]
    assert set(bridge["volumes"]) <= set(services["broker"]["volumes"])


def test_compose_keeps_every_volume_of_the_image():
    service = COMPOSE["services"]["broker"]
    mounts = dict(mount.split(":")[:2] for mount in service["volumes"])
    assert sorted(mounts.values()) == sorted(FINAL.volumes())
    assert set(mounts) == set(COMPOSE["volumes"])


def test_compose_builds_this_dockerfile():
    build = COMPOSE["services"]["broker"]["build"]
    context = (ROOT / "docker" / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]) == ROOT / "docker/Dockerfile"


def test_compose_checks_health_as_the_image_does():
    check = dict(COMPOSE["services"]["broker"]["healthcheck"])
    assert check.pop("test") == ["CMD", *FINAL.health_command()]
    flags = {key.replace("-", "_"): value for key, value in FINAL.last("HEALTHCHECK").flags.items()}
    assert {key: str(value) for key, value in check.items()} == flags


def test_what_looks_like_an_exec_form_is_one():
    """A bad list would be taken for shell text by an engine."""
    for stage in STAGES:
        for instruction in stage.instructions:
            if instruction.text.startswith("["):
                assert json.loads(instruction.text), instruction
