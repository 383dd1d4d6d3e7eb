# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What is measured, and what is to be reached. A row has a name, and says of itself in a list of Results."""
import dataclasses
import hashlib
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "bench"


@dataclasses.dataclass
class Result:
    what: str
    goal: str
    measured: str
    reached: bool | None  # None: nothing to reach
    beside: str = ""


@dataclasses.dataclass
class Settings:
    seconds: float
    seed: int
    quick: bool


def made_by():
    """Names the data after the code that makes it, so that neither is ever older than the other."""
    text = b"".join(path.read_bytes() for path in sorted([HERE / "generate", *HERE.glob("maker/*.py")]))
    return hashlib.sha256(text).hexdigest()[:12]


def data(settings, family, kind, rules, *more):
    """A folder with rules.jsonl and events.jsonl."""
    folder = BUILD / "data" / made_by() / "-".join([family, kind, str(rules), str(settings.seed), *more]).replace("--", "")
    if not (folder / "events.jsonl").exists():
        print(f"making {rules:,} rules: {family} {kind} …", file=sys.stderr)
        subprocess.run([HERE / "generate", family, kind, str(rules), folder, "--seed", str(settings.seed), *more], check=True,
                       stdout=subprocess.DEVNULL)
    return folder


def measure(program, *arguments):
    done = subprocess.run([BUILD / "bench" / program, *map(str, arguments)], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def compare(settings, folder, *more):
    return measure("compare", "--seconds", settings.seconds, "--events", folder / "events.jsonl", *more)


def short(number):
    return f"{number:.2g}" if number < 1 else f"{number:.3g}"


class Speed:
    """How fast rules match, in multiples of cJSON's parse-and-free of the same events."""

    def __init__(self, family, kind, rules, goal, peer):
        self.family, self.kind, self.rules, self.goal, self.peer = family, kind, rules, goal, peer
        self.name = f"{family}-{kind}-{rules}"

    def run(self, settings):
        folder = data(settings, self.family, self.kind, self.rules)
        found = compare(settings, folder, "--rules", folder / "rules.jsonl")
        multiple = found["engine"]["multiple"]
        return [Result(self.name, f"{self.goal:g}", short(multiple), multiple >= self.goal,
                       f"{short(found['engine']['low'])}–{short(found['engine']['high'])}, {found['engine']['ns_per_event']:,.0f} ns, "
                       f"{found['matches_per_event']:.2f} matches; best peer {self.peer:g}")]


class Scan:
    """What it costs to find that an event is well-formed and no rule is interested in it."""

    def __init__(self, family, goal):
        self.family, self.goal, self.name = family, goal, f"scan-{family}"

    def run(self, settings):
        found = compare(settings, data(settings, self.family, "exact", 10))
        engine, simdjson = found["engine"], found["simdjson"]
        ratio = engine["multiple"] / simdjson["multiple"]
        speed = found["bytes_per_event"] / engine["ns_per_event"]
        return [Result(self.name, f"{self.goal:g}", short(engine["multiple"]), engine["multiple"] >= self.goal,
                       f"{short(engine['low'])}–{short(engine['high'])}, {engine['ns_per_event']:,.0f} ns, {speed:.2f} GB/s"),
                Result(self.name + " / simdjson", "1.5", short(ratio), ratio >= 1.5, f"simdjson {short(simdjson['multiple'])} × cJSON")]


def speeds(family, kind, **by_rules):
    return [Speed(family, kind, int(rules.lstrip("n")), goal, peer) for rules, (goal, peer) in by_rules.items()]


SPEEDS = [
    *speeds("sensor", "exact", n10=(6, 1.16), n1000=(4, 0.39), n100000=(2.5, 0.021)),
    *speeds("sensor", "prefix", n1000=(3, 0.23)),
    *speeds("sensor", "suffix", n1000=(3, 0.35)),
    *speeds("sensor", "numeric", n1000=(3, 0.069)),
    *speeds("sensor", "wildcard", n1000=(1, 0.015)),
    *speeds("sensor", "anything-but", n1000=(1, 0.017)),
    *speeds("sensor", "mixed", n10=(3, 0.12), n1000=(1.5, 0.0077), n10000=(0.8, 0.0017), n100000=(0.25, 0.00024)),
    *speeds("order", "exact", n10=(4.5, 0.86), n1000=(3.5, 0.16), n100000=(2, 0.0054)),
    *speeds("order", "mixed", n10=(2.5, 0.28), n1000=(0.8, 0.0062), n10000=(0.25, 0.0007), n100000=(0.06, 0.000085)),
    *speeds("polygon", "exact", n10=(12, 4.6), n1000=(10, 0.75)),
    *speeds("polygon", "mixed", n10=(8, 0.21), n1000=(4, 0.032)),
]
SCANS = [Scan("polygon", 14), Scan("sensor", 9)]
SECTIONS = [("Multiples of cJSON's speed", SPEEDS), ("The scan alone, in multiples of cJSON's speed", SCANS)]
