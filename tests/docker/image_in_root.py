# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The Dockerfile carried out without an engine, and its result run. Started by scripts/test-docker, in a mount namespace
of its own, with SLUICE_DOCKER_BASE (a clean root directory of Debian's) and SLUICE_DOCKER_WORK (an empty folder).

Each stage's root is a copy of the base. The "container" is the final stage's root, mounted read-only but for its volumes
and /tmp as compose.yaml has it, in a network namespace with a loopback and one outside address."""
import json
import os
import pathlib
import shutil
import subprocess
import time

import pytest

import dockerfile
from dockerfile import ROOT

BASE = pathlib.Path(os.environ["SLUICE_DOCKER_BASE"])
WORK = pathlib.Path(os.environ["SLUICE_DOCKER_WORK"])
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OUTSIDE = "172.30.0.2"  # as a container's own address: a client that comes from it is not on loopback
RULE = {"name": "hot", "pattern": {"temperature": [{"numeric": [">", 30]}]},
        "targets": [{"id": "crew", "consumer": "maintenance"}]}


def run(*command, check=True, **options):
    done = subprocess.run([str(word) for word in command], text=True, capture_output=True, timeout=600, **options)
    if check and done.returncode != 0:
        pytest.fail(f"{command} exited with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done


class Image:
    """What the instructions of a stage made."""

    def __init__(self, stage, earlier):
        self.root = WORK / (stage.name or "final")
        self.stage, self.earlier = stage, earlier
        self.env, self.user, self.folder = {"PATH": PATH}, None, "/"
        run("cp", "-a", "--reflink=auto", BASE, self.root)
        for name in ("dev", "proc"):
            run("mount", "--rbind", f"/{name}", self.root / name)
        for instruction in stage.instructions:
            getattr(self, f"do_{instruction.name.lower()}")(instruction)

    def command(self, *words, root=None):
        return ["chroot", *([f"--userspec={self.user}", "--groups="] if self.user else []), str(root or self.root), "env", "-i",
                f"--chdir={self.folder}", *(f"{key}={value}" for key, value in self.env.items()), *words]

    def do_workdir(self, instruction):
        self.folder = os.path.join(self.folder, instruction.text)
        (self.root / self.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def do_run(self, instruction):
        run(*self.command("/bin/sh", "-c", instruction.text))

    def do_copy(self, instruction):
        *sources, target = instruction.words()
        into = self.root / os.path.join(self.folder, target).lstrip("/")
        for source in sources:
            if "from" in instruction.flags:
                # A folder's contents are copied, over what is there.
                run("cp", "-a", f"{self.earlier[instruction.flags['from']].root}{source.rstrip('/')}/.", into)
                continue
            for path in dockerfile.context_files(source):
                end = into / path.relative_to(source) if (ROOT / source).is_dir() else into
                end.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, end)
                os.chown(end, 0, 0)

    def do_env(self, instruction):
        for word in instruction.text.split():
            key, _, value = word.partition("=")
            self.env[key] = value

    def do_user(self, instruction):
        for line in (self.root / "etc/passwd").read_text().splitlines():
            name, _, user, group, *_ = line.split(":")
            if name == instruction.text:
                self.user = f"{user}:{group}"
        assert self.user, instruction

    def do_nothing(self, instruction):
        """Says something of the image, and does nothing to the files."""

    do_volume = do_expose = do_healthcheck = do_cmd = do_nothing


class Container:
    def __init__(self, image, name, mounts=None):
        self.image, self.process = image, None
        self.root, home = WORK / f"{name}-root", WORK / name
        self.root.mkdir()
        home.mkdir()
        self.log = home / "log"
        run("mount", "--rbind", image.root, self.root)
        run("mount", "-o", "remount,bind,ro", self.root)
        run("mount", "-t", "tmpfs", "tmpfs", self.root / "tmp")
        # An engine writes this file for each container.
        (home / "hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n{OUTSIDE} container\n")
        run("touch", image.root / "etc/hosts")
        run("mount", "--bind", home / "hosts", self.root / "etc/hosts")
        for volume in image.stage.volumes():
            # As a new named volume is: what the image has there, and whose it is.
            run("cp", "-a", image.root / volume.lstrip("/"), home)
            run("mount", "--bind", home / pathlib.Path(volume).name, self.root / volume.lstrip("/"))
        for at, folder in (mounts or {}).items():
            run("mount", "--bind", folder, self.root / at)

    def start(self):
        inside = self.image.command(*self.image.stage.last("CMD").json(), root=self.root)
        setup = f"ip link set lo up && ip address add {OUTSIDE}/32 dev lo && exec \"$@\""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", setup, "sh", *inside], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while os.readlink(f"/proc/{self.process.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            assert time.monotonic() < deadline and self.process.poll() is None, self.log.read_text()
            time.sleep(0.01)
        while self.health().returncode != 0:
            assert time.monotonic() < deadline and self.process.poll() is None, self.log.read_text()
            time.sleep(0.2)

    def stop(self):
        if self.process:
            self.process.terminate()
            assert self.process.wait(10) == 0, self.log.read_text()
            self.process = None

    def inside(self, *words):
        """The command that runs words as `docker exec` does."""
        return ["nsenter", f"--net=/proc/{self.process.pid}/ns/net", *self.image.command(*words, root=self.root)]

    def run(self, *words, **options):
        return run(*self.inside(*words), **options)

    def health(self):
        return self.run(*self.image.stage.health_command(), check=False)


@pytest.fixture(scope="module")
def image():
    images = {}
    for stage in dockerfile.parse():
        made = images[stage.name] = Image(stage, dict(images))
    return made


@pytest.fixture
def container(image, request, tmp_path):
    made = Container(image, request.node.name[:40])
    made.start()
    yield made
    if made.process:
        made.process.kill()
        made.process.wait()


def test_every_step_of_the_dockerfile_works(image):
    assert (image.root / "usr/lib/mosquitto_sluice.so").is_file()
    assert run(*image.command("sluice", "--version")).stdout.startswith("sluice ")


def test_the_compiler_stays_in_the_build_stage(image):
    assert not (image.root / "usr/bin/gcc").exists() and not (image.root / "src").exists()


def test_the_broker_runs_as_the_user(container):
    status = pathlib.Path(f"/proc/{container.process.pid}/status").read_text()
    assert [line.split()[1:] for line in status.splitlines() if line[:4] in ("Uid:", "Gid:")] == [["1883"] * 4] * 2


def test_an_event_is_routed_by_its_content(container):
    container.run("sluice", "rule", "put", "-", input=json.dumps(RULE))
    consumer = ("mosquitto_sub", "-v", "-c", "-i", "crew", "-q", "1", "-t", "consumers/maintenance/#")
    container.run(*consumer, "-E")  # leaves once it has subscribed: what comes is kept for it
    for temperature in (21.5, 31.5, 40):
        container.run("mosquitto_pub", "-q", "1", "-t", "plants/berlin", "-m", json.dumps({"temperature": temperature}))
    received = container.run(*consumer, "-C", "2", "-W", "10").stdout.splitlines()
    assert received == [f'consumers/maintenance/plants/berlin {{"temperature": {value}}}' for value in ("31.5", "40")]


def test_the_health_check_passes_only_while_the_broker_answers(container):
    assert container.health().returncode == 0
    broker = container.process
    broker.send_signal(19)  # SIGSTOP: there, and says nothing
    began = time.monotonic()
    try:
        assert run("timeout", "5", *container.inside(*container.image.stage.health_command()), check=False).returncode != 0
    finally:
        broker.send_signal(18)
    assert time.monotonic() - began < 6
    assert container.health().returncode == 0


def test_rules_and_retained_messages_outlive_the_container(container):
    container.run("sluice", "rule", "put", "-", input=json.dumps(RULE))
    container.run("mosquitto_pub", "-q", "1", "-r", "-t", "kept", "-m", "x")
    container.stop()
    container.start()
    assert "hot" in container.run("sluice", "rule", "list").stdout
    assert container.run("mosquitto_sub", "-t", "kept", "-C", "1", "-W", "5").stdout == "x\n"


def test_a_client_from_outside_publishes_and_changes_no_rules(container):
    container.run("mosquitto_pub", "-h", OUTSIDE, "-q", "1", "-t", "a", "-m", "{}")
    refused = container.run("sluice", "rule", "put", "-h", OUTSIDE, "-", input=json.dumps(RULE), check=False)
    assert refused.returncode != 0
    assert "control_access" in refused.stderr
    assert "hot" not in container.run("sluice", "rule", "list").stdout


def test_the_readme_s_way_to_ask_for_passwords(image, tmp_path):
    etc, config = tmp_path / "etc", tmp_path / "config"
    etc.mkdir()
    config.mkdir()
    tmp_path.chmod(0o755)
    conf = (ROOT / "docker/mosquitto.conf").read_text()
    assert "allow_anonymous true\n" in conf
    conf = conf.replace("allow_anonymous true\n", "allow_anonymous false\npassword_file /etc/mosquitto/passwords\n")
    (etc / "mosquitto.conf").write_text(conf + "plugin_opt_control_users alice\n")
    (etc / "passwords").write_text("health:secret\nalice:wonder\n")
    run("mosquitto_passwd", "-U", etc / "passwords")
    (etc / "passwords").chmod(0o644)
    (config / "sluice").write_text("-u health\n-P secret\n")
    container = Container(image, "passwords", {"etc/mosquitto": etc, "etc/sluice": config})
    container.start()
    try:
        anonymous = container.run("mosquitto_pub", "-t", "a", "-m", "{}", check=False)
        assert anonymous.returncode != 0
        alice = ("-h", OUTSIDE, "-u", "alice", "-P", "wonder")
        container.run("sluice", "rule", "put", *alice, "-", input=json.dumps(RULE))
        health = ("-h", OUTSIDE, "-u", "health", "-P", "secret")
        assert container.run("sluice", "rule", "delete", *health, "hot", check=False).returncode != 0
    finally:
        container.process.kill()
        container.process.wait()
