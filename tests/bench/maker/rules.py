# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Kinds of rules. However many there are, an event shall match about as many of them: so each is made to match a share of the events
that gets smaller with their number, by one selective field (a key), or by some that are selective only together (a conjunction)."""
import collections
import math

from .families import put
from .fields import distance, swapped

MATCHES = 0.7  # an event, on average
MAX_FIELDS = 4
ATTEMPTS = 200
ALIKE = 2  # rules of a chunk that may say the very same: a few fields of a few values each would be told over and over

# What finds a rule by itself, what it asks beside that, and what it asks when no field is selective; with their weights. "together"
# is how many rules are made so.
KINDS = {
    "exact": {"key": {"exact": 1}, "beside": {"exact": 1}, "pieces": {"exact": 1}, "together": 0.3},
    "prefix": {"key": {"prefix": 1}, "beside": {"exact": 1, "prefix": 1}, "pieces": {"prefix": 3, "exact": 1}, "together": 0.2},
    "suffix": {"key": {"suffix": 1}, "beside": {"exact": 1, "suffix": 1}, "pieces": {"suffix": 3, "exact": 1}, "together": 0.2},
    "wildcard": {"key": {"wildcard": 1}, "beside": {"exact": 1, "wildcard": 1}, "pieces": {"wildcard": 3, "exact": 1}, "together": 0.3},
    "numeric": {"key": {"numeric": 1}, "beside": {"exact": 1, "numeric": 1}, "pieces": {"numeric": 4, "exact": 1}, "together": 0.4},
    "anything-but": {"key": {"exact": 1}, "beside": {"but": 1}, "pieces": {"but": 4, "numeric": 1, "prefix": 1}, "together": 0.4},
    "mixed": {"key": {"exact": 30, "prefix": 10, "suffix": 9, "fold": 8, "wildcard": 12, "numeric": 15, "cidr": 5},
              "beside": {"but": 25, "exists": 9, "absent": 9, "numeric": 15, "wildcard": 10, "exact": 18, "fold": 5, "cidr": 4,
                         "prefix": 5},
              "pieces": {"numeric": 32, "exact": 18, "cidr": 9, "wildcard": 10, "prefix": 8, "suffix": 5, "but": 12, "absent": 3,
                         "fold": 3},
              "together": 0.3},
}
NEEDS_KIND = {"prefix": "prefix", "suffix": "suffix", "wildcard": "wildcard", "numeric": "numeric", "anything-but": "but"}


class Maker:
    """Makes rules of a kind about the events of a family."""

    def __init__(self, family, kind, chance):
        self.family, self.kind, self.chance = family, kind, chance
        self.made = collections.Counter()
        self.weights = {role: (list(KINDS[kind][role]), list(KINDS[kind][role].values())) for role in ("key", "beside", "pieces")}
        # Which operators a field has, so that none is asked in vain.
        self.fields_of = {op: [path for path, field in family.fields.items() if field.test(op, 0.1, chance)]
                          for op in ("exact", "fold", "prefix", "suffix", "wildcard", "numeric", "but", "exists", "absent", "cidr")}

    def test(self, role, share, taken, most_off):
        """(operator, path, alternatives, share) of a field that was not taken yet, about as selective as asked; None when none is found."""
        best = None
        for _ in range(10):
            op = self.chance.choices(*self.weights[role])[0]
            if not self.fields_of[op]:
                continue
            path = self.chance.choice(self.fields_of[op])
            if path in taken:
                continue
            array = self.family.array_of(path)
            many = self.family.elements(array) if array and not any(self.family.array_of(other) == array for other in taken) else 1
            found = self.family.fields[path].test(op, share / many, self.chance)
            real = min(found[1] * many, 1.0)
            if best is None or distance(real, share) < distance(best[3], share):
                best = (op, path, found[0], real)
            if distance(best[3], share) < most_off:
                break
        return best

    def keyed(self, share, before):
        """Some fields that let much through, then one that finds the rule."""
        tests = []
        for _ in range(self.chance.choices((0, 1, 2, 3), (30, 35, 22, 13))[0]):
            found = self.test("beside", self.chance.choice((0.15, 0.4, 0.6, 0.8, 0.95)), before | {test[1] for test in tests}, 0.7)
            if found and found[3] > 0.02:
                tests.append(found)
        rest = share / math.prod(test[3] for test in tests)
        if rest < 1:
            found = self.test("key", rest, before | {test[1] for test in tests}, 1.0)
            if found:
                tests.append(found)
        self.chance.shuffle(tests)
        return tests

    def together(self, share, before):
        """Two to four fields, none of which is selective."""
        tests, rest, count = [], share, self.chance.choices((2, 3, 4), (4, 4, 2))[0]
        for left in range(count, 0, -1):
            part = rest ** (1 / left)
            found = self.test("pieces", min(part * math.exp(self.chance.uniform(-0.5, 0.5)) if left > 1 else part, 0.9),
                              before | {test[1] for test in tests}, 0.7)
            if found:
                tests.append(found)
                rest = min(rest / found[3], 0.9)
        return tests

    def good(self, tests, share, most, whole):
        """Whether these are what was asked for, of which a whole rule may not be made too often; each is asked about once."""
        if not tests or len(tests) > most or distance(math.prod(test[3] for test in tests), share) > math.log(4):
            return False
        if self.kind in NEEDS_KIND and not any(test[0] == NEEDS_KIND[self.kind] for test in tests):
            return False
        if not whole:
            return True
        said = str(sorted((path, str(alternatives)) for _, path, alternatives, _ in tests))
        self.made[said] += 1
        return self.made[said] <= ALIKE

    def tests(self, share, before=frozenset(), most=MAX_FIELDS):
        """At most so many fields for a rule, and the share of events that fit them. What can't be had at once is tried again."""
        for attempt in range(ATTEMPTS):
            make = self.together if self.chance.random() < KINDS[self.kind]["together"] and attempt < ATTEMPTS / 8 else self.keyed
            tests = make(share, set(before))
            if self.good(tests, share, most, whole=not before):
                return tests, math.prod(test[3] for test in tests)
        raise ValueError(f"no {self.kind} rule matches as little as {share:.1e} of the events")

    def pattern(self, share):
        """(pattern, share)"""
        if self.kind == "mixed" and self.chance.random() < 0.08:
            return self.either(share)
        tests, real = self.tests(share)
        pattern = {}
        for _, path, alternatives, _ in tests:
            put(pattern, path, alternatives)
        return pattern, real

    def either(self, share):
        """An `$or` of two or three branches, now and then with a field beside it."""
        pattern, beside, taken = {}, 1.0, set()
        if self.chance.random() < 0.5:
            found = self.test("beside", 0.5, taken, 0.7)
            if found and found[3] > 0.02:
                put(pattern, found[1], found[2])
                beside, taken = found[3], {found[1]}
        branches, total = [], 0.0
        for _ in range(self.chance.choice((2, 2, 3))):
            tests, real = self.tests(share / beside / 2.3, taken, MAX_FIELDS - len(taken))
            branch = {}
            for _, path, alternatives, _ in tests:
                put(branch, path, alternatives)
            branches.append(branch)
            total += real
        pattern["$or"] = branches
        return pattern, total * beside


def on_devices(maker, key, share):
    """A rule about one device (now and then two), which it names, and what else it wants of it."""
    chance, field = maker.chance, maker.family.fields[key]
    device, part = field.draw(chance), 1 / len(field.texts)
    form = chance.random()
    if form < 0.9:
        alternatives = [device]
    elif form < 0.95:
        alternatives = [{"equals-ignore-case": swapped(device)}]
    else:
        alternatives, part = sorted({device, field.draw(chance)}), 2 * part
    pattern = {}
    tests, real = maker.tests(min(share / part, 0.6), {key}, MAX_FIELDS - 1)
    put(pattern, key, alternatives)
    for _, path, wanted, _ in tests:
        put(pattern, path, wanted)
    return pattern, part * real
