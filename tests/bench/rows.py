# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What is measured, and what is to be reached. A row has a name, and says of itself in a list of Results."""
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / os.environ.get("SLUICE_BENCH_BUILD", "bench")


@dataclasses.dataclass
class Result:
    what: str
    goal: str
    measured: str
    reached: bool | None  # None: nothing to reach
    beside: str = ""
    peer: float | None = None  # what the best public matcher reaches


@dataclasses.dataclass
class Settings:
    seconds: float
    seed: int
    quick: bool


def made_by(*names):
    """Names the data after the code that makes it, so that neither is ever older than the other."""
    text = b"".join((HERE / name).read_bytes() for name in ("generate", "maker/fields.py", "maker/families.py", "maker/rules.py", *names))
    return hashlib.sha256(text).hexdigest()[:12]


def data(settings, family, kind, rules, *more):
    """A folder with rules.jsonl and events.jsonl; what an older generator made is thrown away."""
    made = BUILD / "data" / ("worst" if family == "worst" else "likely") / made_by(*["maker/worst.py"] * (family == "worst"))
    folder = made / "-".join(str(part).lstrip("-") for part in (family, kind, rules, settings.seed, *more))
    if not folder.exists():
        for old in made.parent.glob("*"):
            if old != made:
                shutil.rmtree(old)
        print(f"making {rules:,} rules: {family} {kind} …", file=sys.stderr)
        unfinished = folder.with_suffix(".unfinished")
        subprocess.run([HERE / "generate", family, kind, str(rules), unfinished, "--seed", str(settings.seed), *map(str, more)],
                       check=True, stdout=subprocess.DEVNULL)
        unfinished.rename(folder)
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

    @property
    def name(self):
        return f"{self.family}-{self.kind}-{self.rules}"

    def run(self, settings):
        folder = data(settings, self.family, self.kind, self.rules)
        plain = ["--oracle"] if self.rules <= 10000 and not settings.quick else []
        found = compare(settings, folder, "--rules", folder / "rules.jsonl", *plain)
        multiple = found["engine"]["multiple"]
        oracle = f"; plain evaluator {short(found['oracle']['multiple'])}" if plain else ""
        return [Result(self.name, f"{self.goal:g}", short(multiple), multiple >= self.goal,
                       f"{short(found['engine']['low'])}–{short(found['engine']['high'])}, {found['engine']['ns_per_event']:,.0f} ns, "
                       f"{found['matches_per_event']:.2f} matches{oracle}", self.peer)]


class Scan:
    """What it costs to find that an event is well-formed and no rule is interested in it."""

    def __init__(self, family, goal):
        self.family, self.goal = family, goal

    @property
    def name(self):
        return f"scan-{self.family}"

    def run(self, settings):
        found = compare(settings, data(settings, self.family, "exact", 10))
        engine, simdjson = found["engine"], found["simdjson"]
        ratio = engine["multiple"] / simdjson["multiple"]
        speed = found["bytes_per_event"] / engine["ns_per_event"]
        return [Result(self.name, f"{self.goal:g}", short(engine["multiple"]), engine["multiple"] >= self.goal,
                       f"{short(engine['low'])}–{short(engine['high'])}, {engine['ns_per_event']:,.0f} ns, {speed:.2f} GB/s"),
                Result(self.name + " / simdjson", "1.5", short(ratio), ratio >= 1.5, f"simdjson {short(simdjson['multiple'])} × cJSON")]


class Million:
    """Whether a million rules are slower than ten that match as often."""
    name, slow = "million", True

    def __init__(self):
        self.family = "sensor"

    def run(self, settings):
        folder = data(settings, self.family, "devices", 1000000, "--events", 20000)
        twin = data(settings, self.family, "twin", 10, "--events", 1)
        found = compare(settings, folder, "--rules", folder / "rules.jsonl", "--beside", twin / "rules.jsonl")
        million, ten = found["engine"]["multiple"], found["beside"]["multiple"]
        return [Result("1,000,000 over 10,000 devices / 10", "0.5", short(million / ten), million >= ten / 2,
                       f"{short(million)} and {short(ten)} × cJSON, {found['matches_per_event']:.2f} and "
                       f"{found['beside_matches_per_event']:.2f} matches"),
                load_result(found)]


def load_result(found):
    seconds = found["compile_seconds"] + found["add_seconds"]
    return Result(f"{found['rules']:,} rules loaded", "5 s", f"{seconds:.1f} s", seconds <= 5,
                  f"{found['compile_seconds']:.1f} s to read and compile, {found['add_seconds']:.1f} s to add; "
                  f"{found['bytes_per_rule']:.0f} bytes a rule")


class Load:
    """Reading, compiling and adding a million mixed rules."""
    name, family, slow = "load", "sensor", True

    def run(self, settings):
        folder = data(settings, self.family, "mixed", 1000000)
        return [load_result(measure("compare", "--seconds", 0, "--events", folder / "events.jsonl", "--rules", folder / "rules.jsonl"))]


class Change:
    """Adding and removing one rule among many while events are matched."""
    name, family, slow = "change", "sensor", True

    def run(self, settings):
        folder = data(settings, self.family, "mixed", 1000000)
        found = measure("change", "--rules", folder / "rules.jsonl", "--events", folder / "events.jsonl", "--changes", 200000)
        results = []
        for what, goals in (("add", (None, 50, 2000)), ("remove", (None, 50, 2000)), ("match", (None, None, None))):
            times = found[what]
            for name, goal in zip(("p50", "p99", "max"), goals):
                time = times[f"{name}_us"]
                cpu = f", {times[f'cpu_{name}_us']:,.1f} µs of its own CPU time" if name == "max" else ""
                results.append(Result(f"{what}, {name}", f"{goal:,} µs" if goal else "", f"{time:,.1f} µs", time <= goal if goal else None,
                                      f"of {times['count']:,}{cpu}"))
        return results


class Memory:
    name = "memory"

    def run(self, settings):
        count = 100000 if settings.quick else 1000000
        found = measure("memory", "two-fields", "--rules", count)
        return [Result(what, "300 bytes", f"{found[key]:.0f} bytes", found[key] <= 300, f"a rule of {count:,}, beyond the text of its values")
                for what, key in (("two exact fields, values its own", "own_bytes"), ("two exact fields, one shared", "shared_bytes"))]


class GiveBack:
    name = "give-back"

    def run(self, settings):
        count, held = (500000, 20000) if settings.quick else (10000000, 100000)
        found = measure("memory", "give-back", "--rules", count, "--held", held)
        ratio, resident = found["last_bytes"] / found["first_bytes"], found["last_resident"] / found["first_resident"]
        emptied = found["emptied_bytes"] / found["first_bytes"]
        return [Result(f"size after {count:,} rules came and went", "1.05", f"{ratio:.3f}", ratio <= 1.05,
                       f"of that when {held:,} were there first, {found['first_bytes'] / 1e6:,.1f} MB"),
                Result("resident memory, likewise", "1.1", f"{resident:.3f}", resident <= 1.1, f"{found['first_resident'] / 1e6:,.1f} MB"),
                Result("size when the last has gone", "0.05", f"{emptied:.3f}", emptied <= 0.05, f"{found['emptied_bytes'] / 1e6:,.2f} MB")]


class Threads:
    """Threads that match on one matcher."""
    family = "sensor"

    def __init__(self, threads):
        self.threads, self.name = threads, f"threads-{threads}"

    def run(self, settings):
        folder = data(settings, self.family, "mixed", 10000)
        found = measure("threads", "--rules", folder / "rules.jsonl", "--events", folder / "events.jsonl", "--threads", self.threads,
                        "--seconds", max(settings.seconds, 1))
        # What one thread does on a core of its own, each of many shall do: to the twentieth part, which caches that are shared may cost.
        return [Result(f"{self.threads} threads, throughput", f"{self.threads * 0.95:g}", f"{found['throughput']:.2f}",
                       found["throughput"] >= self.threads * 0.95, "of one thread's; less where other work takes the cores"),
                Result(f"{self.threads} threads, by CPU time", "0.95", f"{found['of_each_core']:.2f}", found["of_each_core"] >= 0.95,
                       "events a CPU second, of one thread's")]


class Worst:
    """A set made to hurt, and the bound that it stays in."""

    def __init__(self, kind, rules, what, goal):
        self.kind, self.rules, self.what, self.goal, self.name = kind, rules, what, goal, f"worst-{kind}"

    def run(self, settings):
        folder = data(settings, "worst", self.kind, self.rules, "--events", "500")
        found = compare(settings, folder, "--rules", folder / "rules.jsonl")
        ns, cjson = found["engine"]["ns_per_event"], found["cjson"]["ns_per_event"]
        beside = (f"{ns / 1e6:,.3g} ms an event of {found['bytes_per_event']:,.0f} bytes, {short(found['engine']['multiple'])} × cJSON, "
                  f"{found['matches_per_event']:,.0f} matches, {found['undecided_per_event']:,.0f} undecided")
        if self.what == "cJSON":
            multiple = found["engine"]["multiple"]
            return [Result(self.name, f"{self.goal:g} × cJSON", short(multiple), multiple >= self.goal, beside)]
        if self.what == "event":
            return [Result(self.name, f"{self.goal:g} ms", f"{(ns - cjson) / 1e6:.3g} ms", ns - cjson <= self.goal * 1e6,
                           f"beyond cJSON's time; {beside}")]
        each = ns / (self.rules * (1024 if self.what == "conjunction" else 1))
        return [Result(self.name, f"{self.goal:g} ns", f"{each:.3g} ns", each <= self.goal, f"a {self.what}; {beside}")]


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
WORST = [
    Worst("one-value", 100000, "match", 50),
    Worst("one-value-verified", 100000, "candidate", 200),
    Worst("one-value-looked-at", 100000, "candidate", 200),
    Worst("wildcards", 10000, "rule", 500),
    Worst("or", 200, "conjunction", 20),
    Worst("leaves", 1000, "event", 50),
    Worst("too-many-leaves", 1000, "cJSON", 2),
    Worst("arrays", 1000, "event", 50),
    Worst("deep", 1000, "cJSON", 2),
    Worst("escapes", 1000, "cJSON", 0.75),
]
SECTIONS = [
    ("Multiples of cJSON's speed", SPEEDS),
    ("The scan alone, in multiples of cJSON's speed", SCANS),
    ("A million rules", [Million(), Load(), Change()]),
    ("Memory", [Memory(), GiveBack()]),
    ("Threads on one matcher", [Threads(2)]),
    ("Worst cases", WORST),
]
