# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Sets made to hurt: rules(count, chance) gives patterns, events(count, chance) the text of events. Nothing in them is likely, all of it
is allowed."""
import json

from .families import FAMILIES


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class OneValue:
    """All rules want the same value and nothing else: each event that has it matches all of them."""
    count = 100000

    def rules(self, count, chance):
        return ({"status": ["ok"]} for _ in range(count))

    def events(self, count, chance):
        return (compact({"status": "ok", "site": "berlin", "n": n}) for n in range(count))


class OneValueVerified:
    """All rules want the same value and two things more that most events have, of which no rule finds the last: whichever field leads to a
    rule, all of them are candidates and none matches."""
    count = 100000
    others = 1

    def rules(self, count, chance):
        return ({"status": ["ok"], "n": [{"numeric": ["<", chance.randrange(10 ** 6, 10 ** 9)]}],
                 "site": [{"anything-but": ["berlin", *(f"x{chance.randrange(10 ** 6)}" for _ in range(self.others))]}]}
                for _ in range(count))

    def events(self, count, chance):
        return (compact({"status": "ok", "site": "berlin", "n": n}) for n in range(count))


class OneValueLookedAt(OneValueVerified):
    """The same with more than a check has room for: each rule must be looked at."""
    others = 2


class Wildcards:
    """Leading stars, and pieces over two letters that overlap each other and the text everywhere; every other rule fails at its end."""
    count = 10000

    def rules(self, count, chance):
        for n in range(count):
            pieces = ["".join(chance.choices("ab", (9, 1), k=chance.randint(1, 9))) for _ in range(chance.randint(2, 6))]
            yield {"path": [{"wildcard": "*" + "*".join(pieces) + ("*" if n % 2 else "*bb")}]}

    def events(self, count, chance):
        return (compact({"path": "".join(chance.choices("ab", (9, 1), k=200))}) for _ in range(count))


class Or:
    """Ten `$or` of two branches each, multiplied out: 1,024 conjunctions a rule, which is the limit."""
    count = 200

    def rules(self, count, chance):
        for _ in range(count):
            yield {f"f{n}": {"$or": [{"a": [chance.randrange(4)]}, {"b": [{"numeric": ["<", chance.randrange(1, 4)]}]}]} for n in range(10)}

    def events(self, count, chance):
        return (compact({f"f{n}": {"a": chance.randrange(4), "b": chance.randrange(4)} for n in range(10)}) for _ in range(count))


class Leaves:
    """Events of 100,000 leaves, half of which stand where rules look."""
    count = 1000
    few_events = 8

    def rules(self, count, chance):
        for n in range(count):
            yield {"v": [chance.choice((n * 7, {"numeric": [">", 10 ** 6 + n]}, {"prefix": f"p{n}-"}, {"suffix": f"-{n}s"},
                                        {"wildcard": f"*w{n}*"}))]}

    def events(self, count, chance):
        for _ in range(count):
            yield compact({"v": [chance.choice((chance.randrange(10 ** 6), f"v{chance.randrange(10 ** 6)}")) for _ in range(50000)],
                           "rest": {f"k{n}": n for n in range(50000)}})


class TooManyLeaves(Leaves):
    """100,000 leaves where rules look, which is more than an event may have: it is read and left undecided."""

    def events(self, count, chance):
        return (compact({"v": [chance.randrange(10 ** 6) for _ in range(100000)]}) for _ in range(count))


class Arrays:
    """Arrays in arrays, and rules of two fields that are never met in one element, however many have one of them."""
    count = 1000
    few_events = 8

    def rules(self, count, chance):
        for n in range(count):
            yield {"a": {"x": [n % 10], "y": [{"numeric": ["<", n % 7 + 1]}], "z": [n % 3]}}

    def events(self, count, chance):
        def nest(depth):
            if depth == 0:
                return {chance.choice("xyz"): chance.randrange(10)}
            return [nest(depth - 1) for _ in range(4)]
        return (compact({"a": nest(6)}) for _ in range(count))


class Deep:
    """As deep as an event may be, in arrays and objects."""
    count = 1000

    def rules(self, count, chance):
        return ({"a": {"x": [n]}} for n in range(count))

    def events(self, count, chance):
        for _ in range(count):
            yield ('{"a":' + "[" * 500 + compact({"x": chance.randrange(2000)}) + "]" * 500 + ',"b":' + '{"b":' * 500 + "1" + "}" * 501)


class Escapes:
    """The sensor's events with every character of every string an escape, keys too, and rules that look at all of them."""
    count = 1000

    def __init__(self):
        self.family = FAMILIES["sensor"](3)

    def rules(self, count, chance):
        from .rules import Maker
        maker = Maker(self.family, "mixed", chance)
        return (maker.pattern(0.7 / count)[0] for _ in range(count))

    def events(self, count, chance):
        def escaped(value):
            return '"' + "".join(f"\\u{ord(char):04x}" for char in value) + '"' if isinstance(value, str) else json.dumps(value)
        for _ in range(count):
            yield "{" + ",".join(f"{escaped(key)}:{escaped(value)}" for key, value in self.family.event(chance).items()) + "}"


WORST = {"one-value": OneValue, "one-value-verified": OneValueVerified, "one-value-looked-at": OneValueLookedAt, "wildcards": Wildcards,
         "or": Or, "leaves": Leaves, "too-many-leaves": TooManyLeaves, "arrays": Arrays, "deep": Deep, "escapes": Escapes}
