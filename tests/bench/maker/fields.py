# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Kinds of fields. Each knows how its values are spread, and so how many events a test of it lets through.

`draw(chance)` gives a value for an event. `test(op, share, chance)` gives (alternatives, share): a test with that operator which
lets through about that share of the events, and the share that it really lets through; None where the field has no such test.
How near it comes is for the caller to judge."""
import bisect
import itertools
import math


def distance(share, wanted):
    """How many times too large or too small, as a logarithm."""
    return abs(math.log(max(share, 1e-12) / wanted))


def nearest(choices, wanted):
    """Of (thing, share)s the one whose share is nearest."""
    return min(choices, key=lambda choice: distance(choice[1], wanted))


def swapped(text):
    """The same text in another case, for equals-ignore-case."""
    return text.upper() if text != text.upper() else text.lower()


def matches_wildcard(pieces, text):
    """pieces are what stands between the stars."""
    if not text.startswith(pieces[0]):
        return False
    at = len(pieces[0])
    for piece in pieces[1:-1]:
        at = text.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return len(text) - at >= len(pieces[-1]) and text.endswith(pieces[-1])


class Words:
    """One of a few values, some more often than others: a status, a site, a code. All strings, or all numbers."""

    def __init__(self, values, weights=None, skew=1.0):
        """Without weights the n-th value is as frequent as n ** -skew (0: all alike)."""
        weights = weights or [(n + 1) ** -skew for n in range(len(values))]
        self.values, self.weights = values, [weight / sum(weights) for weight in weights]
        self.sums = list(itertools.accumulate(self.weights))
        self.tables = {op: sorted(table, key=lambda row: row[1]) for op, table in self.make_tables().items() if table}
        self.shares = {op: [row[1] for row in table] for op, table in self.tables.items()}

    def draw(self, chance):
        return self.values[min(bisect.bisect(self.sums, chance.random()), len(self.values) - 1)]

    def share(self, holds):
        return sum(weight for value, weight in zip(self.values, self.weights) if holds(value))

    def make_tables(self):
        """All the tests worth asking, by operator, as (alternatives, share)."""
        tables = {"exact": [], "fold": [], "prefix": [], "suffix": [], "wildcard": [], "but": [], "exists": [([{"exists": True}], 1)]}
        pairs = list(zip(self.values, self.weights))
        for n in range(len(pairs)):
            for size in (1, 2, 3, 4, 6):
                some = [pairs[(n + k * (size * 2 - 1)) % len(pairs)] for k in range(size)]
                if size <= len(pairs) / 2 and len({value for value, _ in some}) == size:
                    values, share = [value for value, _ in some], sum(weight for _, weight in some)
                    tables["exact"].append((values, share))
                    tables["but"].append(([{"anything-but": values if size > 1 else values[0]}], 1 - share))
        for most in range(1, len(pairs)):
            tables["but"].append(([{"anything-but": self.values[:most]}], 1 - sum(self.weights[:most])))
        if isinstance(self.values[0], str):
            self.add_texts(tables)
        return {op: [row for row in table if row[1] > 1e-9] for op, table in tables.items()}

    def add_texts(self, tables):
        for value, weight in zip(self.values, self.weights):
            tables["fold"].append(([{"equals-ignore-case": swapped(value)}], weight))
            tables["but"].append(([{"anything-but": {"equals-ignore-case": [swapped(value)]}}], 1 - weight))
            for cut in range(1, len(value)):
                head, tail = value[:cut], value[cut:]
                at_head, at_tail = self.share(lambda v: v.startswith(head)), self.share(lambda v: v.endswith(tail))
                tables["prefix"].append(([{"prefix": head}], at_head))
                tables["suffix"].append(([{"suffix": tail}], at_tail))
                tables["but"] += [([{"anything-but": {"prefix": head}}], 1 - at_head),
                                  ([{"anything-but": {"suffix": tail}}], 1 - at_tail)]
                tables["prefix"].append(([{"prefix": {"equals-ignore-case": swapped(head)}}],
                                         self.share(lambda v: v.lower().startswith(head.lower()))))
                tables["suffix"].append(([{"suffix": {"equals-ignore-case": swapped(tail)}}],
                                         self.share(lambda v: v.lower().endswith(tail.lower()))))
                for pieces in ([head[:2], tail[-2:]], ["", head[-2:], ""], ["", tail[:3], ""], ["", tail], [head, ""],
                               [head[:1], tail[:1], tail[-1:]]):
                    share = self.share(lambda v: matches_wildcard(pieces, v))
                    tables["wildcard"].append(([{"wildcard": "*".join(pieces)}], share))
                    tables["but"].append(([{"anything-but": {"wildcard": "*".join(pieces)}}], 1 - share))

    def test(self, op, share, chance):
        table = self.tables.get(op)
        if not table:
            return None
        first = bisect.bisect_left(self.shares[op], share / 1.6)
        last = bisect.bisect_right(self.shares[op], share * 1.6)
        return table[chance.randrange(first, last)] if first < last else nearest(table[max(first - 1, 0):last + 1], share)


class Digits:
    """A part of a Text: a number written with so many digits."""

    def __init__(self, count, alphabet="0123456789", power=1):
        """With a power above 1 small numbers are more frequent."""
        self.count, self.alphabet, self.power = count, alphabet, power
        self.base, self.range = len(alphabet), len(alphabet) ** count

    def text(self, number):
        digits = []
        for _ in range(self.count):
            number, digit = divmod(number, self.base)
            digits.append(self.alphabet[digit])
        return "".join(reversed(digits))

    def draw(self, chance):
        return self.text(int(self.range * chance.random() ** self.power))

    def pick(self, chance):
        """A value for a rule: every one is asked for alike, as every one has somebody who owns it."""
        number = chance.randrange(self.range)
        return self.text(number), [self.share_below(number, self.base ** (self.count - kept)) for kept in range(self.count + 1)]

    def share_below(self, number, width):
        low = number - number % width
        return ((low + width) / self.range) ** (1 / self.power) - (low / self.range) ** (1 / self.power)


class Text:
    """A string put together: constants, Words and Digits, as in "plants/berlin/press-0042"."""

    def __init__(self, *parts):
        self.parts = parts

    def draw(self, chance):
        return "".join(part if isinstance(part, str) else part.draw(chance) for part in self.parts)

    def pick(self, chance):
        """A value, as (text, shares of its heads) by part: shares[n] of all have the same first n characters, shares[-1] all of them."""
        found = []
        for part in self.parts:
            if isinstance(part, str):
                found.append((part, [1.0]))
            elif isinstance(part, Digits):
                found.append(part.pick(chance))
            else:
                word = part.draw(chance)
                found.append((word, [1.0, part.weights[part.values.index(word)]]))
        return found

    def exact(self, chance):
        picked = self.pick(chance)
        return "".join(text for text, _ in picked), math.prod(shares[-1] for _, shares in picked)

    def several(self, share, chance):
        one = self.exact(chance)
        some = [one] + [self.exact(chance) for _ in range(min(4, int(share / one[1])) - 1 if chance.random() < 0.4 else 0)]
        return sorted({text for text, _ in some}), sum(part for _, part in some)

    def heads(self, picked):
        """(beginning, share) for all the places to cut at."""
        text, share, found = "", 1.0, []
        for part, shares in picked:
            if len(shares) > 2:
                found += [(text + part[:kept], share * shares[kept]) for kept in range(1, len(part))]
            text, share = text + part, share * shares[-1]
            found.append((text, share))
        return [(head, part) for head, part in found[:-1]]

    def tails(self, picked):
        text, share, found = "", 1.0, []
        for part, shares in reversed(picked):
            if len(shares) > 2:
                found += [(part[-kept:] + text, share * shares[-1] ** (kept / len(part))) for kept in range(1, len(part))]
            text, share = part + text, share * shares[-1]
            found.append((text, share))
        return [(tail, part) for tail, part in found[:-1]]

    @staticmethod
    def wildcard(picked, chance):
        """Stars in the place of some parts, or of some digits of a part."""
        pieces, share = [], 1.0
        for text, shares in picked:
            digits = len(text) if len(shares) > 2 else 0
            if chance.random() < 0.4:
                pieces.append("*")
            elif digits < 2 or chance.random() < 0.4:
                pieces.append(text)
                share *= shares[-1]
            else:
                kept = chance.randrange(1, digits)
                share *= shares[-1] ** (kept / digits)
                form = chance.randrange(4)
                if form == 0:
                    pieces += [text[:kept], "*"]
                elif form == 1:
                    pieces += ["*", text[-kept:]]
                elif form == 2:
                    pieces += [text[:kept - 1], "*", text[digits - 1:]]
                else:
                    at = chance.randrange(digits - kept + 1)
                    pieces += ["*", text[at:at + kept], "*"]
                    share = min(share * (digits - kept + 1), 1.0)
        joined = "".join(pieces)
        while "**" in joined:
            joined = joined.replace("**", "*")
        return ("*" + joined if "*" not in joined else joined), share

    def test(self, op, share, chance):
        if op == "exact":
            return self.several(share, chance)
        if op == "exists":
            return [{"exists": True}], 1.0
        if op == "fold":
            text, part = self.exact(chance)
            return [{"equals-ignore-case": swapped(text)}], part
        if op in ("prefix", "suffix"):
            text, part = nearest(self.heads(self.pick(chance)) if op == "prefix" else self.tails(self.pick(chance)), share)
            return [{op: {"equals-ignore-case": swapped(text)} if chance.random() < 0.15 else text}], part
        if op == "wildcard":
            text, part = nearest([self.wildcard(self.pick(chance), chance) for _ in range(5)], share)
            return [{"wildcard": text}], part
        if op == "but":
            return self.but(chance)
        return None

    def but(self, chance):
        form = chance.randrange(5)
        if form == 0:
            texts, part = self.several(1, chance)
            return [{"anything-but": texts if len(texts) > 1 else texts[0]}], 1 - part
        if form == 1:
            text, part = self.exact(chance)
            return [{"anything-but": {"equals-ignore-case": [swapped(text)]}}], 1 - part
        if form == 2:
            text, part = self.wildcard(self.pick(chance), chance)
            return [{"anything-but": {"wildcard": text}}], max(1 - part, 0.01)
        cuts = self.heads(self.pick(chance)) if form == 3 else self.tails(self.pick(chance))
        text, part = nearest(cuts, 0.05)
        return [{"anything-but": {"prefix" if form == 3 else "suffix": text}}], max(1 - part, 0.01)


class Owners:
    """So many texts of a field, each as frequent: the devices that there are."""

    def __init__(self, text, count, chance):
        made = set()
        while len(made) < count:
            made.add(text.exact(chance)[0])
        self.texts = sorted(made)

    def draw(self, chance):
        return chance.choice(self.texts)

    def test(self, op, share, chance):
        return [self.draw(chance)], 1 / len(self.texts)


class Number:
    """A number; `quantile` of u, evenly spread in 0..1, is how the values are spread. With no decimals it is whole."""

    def __init__(self, quantile, decimals):
        self.quantile, self.decimals = quantile, decimals

    def rounded(self, value):
        return round(value, self.decimals) if self.decimals else int(value)

    def draw(self, chance):
        return self.rounded(self.quantile(chance.random()))

    def test(self, op, share, chance):
        if op == "exists":
            return [{"exists": True}], 1.0
        if op == "but":
            numbers = sorted({self.draw(chance) for _ in range(chance.randrange(1, 4))})
            return [{"anything-but": numbers if len(numbers) > 1 else numbers[0]}], 0.99
        if op != "numeric":
            return None
        if share > 0.05 and chance.random() < 0.5:
            edge = self.rounded(self.quantile(1 - share if chance.random() < 0.5 else share))
            above = self.quantile(0.5) < edge
            real = 1 - self.place(edge) if above else self.place(edge)
            return [{"numeric": [chance.choice((">", ">=")) if above else chance.choice(("<", "<=")), edge]}], max(real, 1e-6)
        start = chance.random() * (1 - share)
        low, high = self.quantile(start), self.quantile(start + share)
        step = 10 ** -self.decimals
        low = self.rounded(low)
        high = self.rounded(max(high, low + step))
        # Narrower than what the field can tell apart it can't be.
        width = max(share, self.place(low + step) - self.place(low))
        return [{"numeric": [">=", low, "<", high]}], width

    def place(self, value):
        """The share of values below, by halving: a quantile's other direction."""
        low, high = 0.0, 1.0
        for _ in range(30):
            middle = (low + high) / 2
            if self.quantile(middle) < value:
                low = middle
            else:
                high = middle
        return low


class Count:
    """A whole number below so many, each as frequent: a serial number, a port."""

    def __init__(self, count, first=0):
        self.count, self.first = count, first

    def draw(self, chance):
        return self.first + chance.randrange(self.count)

    def test(self, op, share, chance):
        if op == "exists":
            return [{"exists": True}], 1.0
        if op == "exact":
            some = sorted({self.draw(chance) for _ in range(max(1, min(4, round(share * self.count))))})
            return some, len(some) / self.count
        if op == "but":
            some = sorted({self.draw(chance) for _ in range(chance.randrange(1, 5))})
            return [{"anything-but": some if len(some) > 1 else some[0]}], max(1 - len(some) / self.count, 0.01)
        if op == "numeric":
            width = max(1, min(self.count - 1, round(share * self.count)))
            low = self.first + chance.randrange(self.count - width)
            if width == 1 and chance.random() < 0.5:
                return [{"numeric": ["=", low]}], 1 / self.count
            return [{"numeric": [">=", low, "<", low + width]}], width / self.count
        return None


class Flag:
    """true or false."""

    def __init__(self, share):
        self.share = share

    def draw(self, chance):
        return chance.random() < self.share

    def test(self, op, share, chance):
        if op != "exact":
            return ([{"exists": True}], 1.0) if op == "exists" else None
        value = distance(self.share, share) < distance(1 - self.share, share)
        return [value], self.share if value else 1 - self.share


class Address:
    """An IPv4 address of 10/8, or an IPv6 one of 2001:db8::/32, evenly spread."""

    def __init__(self, six=False):
        self.six, self.free, self.fixed = six, 32 if six else 24, 32 if six else 8

    def text(self, number):
        if self.six:
            return f"2001:db8:{number >> 16:x}:{number & 0xffff:x}::1"
        return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"

    def draw(self, chance):
        return self.text(chance.getrandbits(self.free))

    def test(self, op, share, chance):
        number = chance.getrandbits(self.free)
        if op == "cidr":
            bits = max(1, min(self.free, round(-math.log2(share))))
            return [{"cidr": f"{self.text(number)}/{self.fixed + bits}"}], 2.0 ** -bits
        if op == "exact":
            return [self.text(number)], 2.0 ** -self.free
        if op == "exists":
            return [{"exists": True}], 1.0
        if self.six:
            return None
        a, b, _ = number >> 16, number >> 8 & 255, number & 255
        if op == "prefix":
            return nearest([([{"prefix": f"10.{a}."}], 2.0 ** -8), ([{"prefix": f"10.{a}.{b}."}], 2.0 ** -16)], share)
        if op == "wildcard":
            return nearest([([{"wildcard": f"10.*.{b}.*"}], 2.0 ** -7), ([{"wildcard": f"10.{a}.*.{b}"}], 2.0 ** -16)], share)
        if op == "but":
            return [{"anything-but": {"prefix": [f"10.{a}.", f"10.{b}."]}}], 1 - 2.0 ** -7
        return None


class Sometimes:
    """A field that not every event has."""

    def __init__(self, field, present):
        self.field, self.present = field, present

    def draw(self, chance):
        return self.field.draw(chance) if chance.random() < self.present else None

    def test(self, op, share, chance):
        if op == "absent":
            return [{"exists": False}], 1 - self.present
        found = self.field.test(op, min(share / self.present, 1.0), chance)
        if not found:
            return None
        if op != "exists" and share > 1 - self.present and chance.random() < 0.2:
            return [*found[0], {"exists": False}], found[1] * self.present + 1 - self.present
        return found[0], found[1] * self.present


class Several:
    """An array of so many values of a field; a rule wants any of them."""

    def __init__(self, field, count):
        self.field, self.count = field, count

    def draw(self, chance):
        return [self.field.draw(chance) for _ in range(chance.randint(1, 2 * self.count - 1))]

    def test(self, op, share, chance):
        if op == "absent":
            return None
        found = self.field.test(op, max(1 - (1 - min(share, 0.999)) ** (1 / self.count), 1e-12), chance)
        return found and (found[0], max(1 - (1 - min(found[1], 1.0)) ** self.count, 1e-12))
