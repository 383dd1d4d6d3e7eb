# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Families of events. Of each there are two of different shape, so that nobody makes the matcher fast for one."""
import math
import statistics

from .fields import Address, Count, Digits, Flag, Number, Several, Sometimes, Text, Words

CITIES = ["berlin", "paris", "lyon", "madrid", "turin", "gent", "oslo", "porto", "graz", "brno", "kiel", "cork", "riga", "split",
          "basel", "delft", "lund", "pisa", "vigo", "bergen"]
COUNTRIES = ["DE", "FR", "IT", "ES", "NL", "BE", "AT", "CH", "PL", "CZ", "DK", "SE", "NO", "FI", "IE", "PT", "GR", "HU", "RO", "BG"]
NAMES = ["ada", "bert", "cleo", "dora", "emil", "fritz", "greta", "hanna", "igor", "jana", "karl", "lena", "max", "nora", "otto"]
HEX = "0123456789abcdef"


def uniform(low, high):
    return lambda u: low + (high - low) * u


def normal(mean, deviation):
    curve = statistics.NormalDist(mean, deviation)
    return lambda u: curve.inv_cdf(min(max(u, 1e-9), 1 - 1e-9))


def exponential(mean):
    return lambda u: -mean * math.log(1 - min(u, 1 - 1e-9))


class Family:
    """fields: {path: field}, a path as "a.b"; in the order in which an event has them. arrays: {path: (fewest, most elements)}, and the
    fields below such a path are those of an element. constants: what no rule looks at, as functions of chance."""

    def __init__(self, fields, arrays=None, constants=None, order=None):
        self.fields, self.arrays, self.constants = fields, arrays or {}, constants or {}
        self.order = order or [*fields, *self.constants]

    def array_of(self, path):
        return next((array for array in self.arrays if path.startswith(array + ".")), None)

    def elements(self, array):
        """How many there are on average."""
        return sum(self.arrays[array]) / 2

    def event(self, chance):
        event, filled = {}, set()
        for path in self.order:
            array = self.array_of(path)
            if array and array not in filled:
                filled.add(array)
                inside = [(p, p[len(array) + 1:]) for p in self.fields if self.array_of(p) == array]
                put(event, array, [self.element(inside, chance) for _ in range(chance.randint(*self.arrays[array]))])
            elif not array:
                value = self.fields[path].draw(chance) if path in self.fields else self.constants[path](chance)
                if value is not None:
                    put(event, path, value)
        return event

    def element(self, inside, chance):
        element = {}
        for path, below in inside:
            value = self.fields[path].draw(chance)
            if value is not None:
                put(element, below, value)
        return element


def put(event, path, value):
    *folders, last = path.split(".")
    for folder in folders:
        event = event.setdefault(folder, {})
    event[last] = value


def sensor(digits):
    """A flat reading of 11 fields, about 200 bytes."""
    return Family({
        "device": Text(Words(["press", "pump", "oven", "drill", "valve", "lathe"], skew=0.5), "-", Digits(digits - 1), "-a"),
        "site": Text("plant-", Words(CITIES, skew=0.8), "-", Digits(1)),
        "status": Words(["ok", "idle", "warn", "error", "offline"], [80, 11, 6, 2.5, 0.5]),
        "mode": Words(["auto", "manual", "service", "eco", "boost"], [60, 20, 10, 7, 3]),
        "temperature": Number(normal(24, 8), 3),
        "pressure": Number(uniform(90, 110), 3),
        "load": Number(exponential(20), 2),
        "cycle": Count(10 ** digits),
        "active": Flag(0.85),
        "ip": Address(),
        "fw": Sometimes(Words([f"{a}.{b}.{c}" for a in (3, 2) for b in (11, 4, 0) for c in (2, 0, 7)], skew=1.2), 0.94),
        "alarm": Sometimes(Words(["overheat", "vibration", "leak", "door", "fuse"], skew=0.7), 0.06),
    })


def sensor2(digits):
    """Flat too, with long texts, addresses of IPv6, small integers and a skewed serial number."""
    return Family({
        "ok": Flag(0.97),
        "ts": Number(uniform(1.7e12, 1.71e12), 0),
        "sn": Text("SN", Digits(digits - 1, "0123456789ABCDEFGHJK", power=1.5)),
        "loc": Text("hall/", Digits(1), "/", Words(["north", "south", "east", "west"], skew=0.3), "/rack-", Digits(2)),
        "kind": Words(["reading", "heartbeat", "boot", "config", "fault", "update", "trace"], skew=1.6),
        "rssi": Number(normal(-70, 9), 0),
        "ratio": Number(uniform(0, 1), 6),
        "unit": Words(["°C", "kPa", "%", "m/s", "lx"], skew=0.4),
        "host": Text(Words(["gw", "edge", "relay"], skew=0.5), "-", Digits(3), ".",
                     Words(["eu-west", "eu-north", "us-east", "ap-south"], skew=0.9), ".example.net"),
        "code": Words([0, 1, 2, 7, 21, 40, 99, 404], skew=2.2),
        "addr": Sometimes(Address(six=True), 0.9),
        "err": Sometimes(Words(["E-TIMEOUT", "E-CRC", "E-RANGE", "E-PARITY"], skew=0.5), 0.08),
    })


def order(digits):
    """A shop's order of about 650 bytes: nested objects, and an array of items."""
    return Family({
        "id": Text("ord-", Digits(digits)),
        "placed": Number(uniform(1.7e9, 1.71e9), 0),
        "channel": Words(["web", "app", "store", "phone", "partner"], skew=1.1),
        "customer.id": Text("c", Digits(digits, power=2)),
        "customer.tier": Words(["none", "bronze", "silver", "gold", "platinum"], [55, 20, 14, 8, 3]),
        "customer.email": Text(Words(NAMES, skew=0.4), ".", Digits(2), "@", Words(["mail", "post", "inbox", "corp"], skew=0.8), ".example"),
        "customer.country": Words(COUNTRIES, skew=1.0),
        "total": Number(exponential(90), 2),
        "currency": Words(["EUR", "CHF", "PLN", "SEK", "CZK"], skew=1.8),
        "payment.method": Words(["card", "invoice", "wallet", "transfer", "voucher"], skew=0.9),
        "payment.status": Words(["captured", "authorised", "pending", "refused"], [75, 14, 8, 3]),
        "payment.ip": Address(),
        "shipping.express": Flag(0.2),
        "shipping.address.city": Words(CITIES, skew=0.6),
        "shipping.address.zip": Text(Digits(5)),
        "items.sku": Text(Words(["TOY", "BOOK", "TOOL", "HOME", "FOOD", "GAME"], skew=0.5), "-", Digits(digits - 1)),
        "items.name": Text(Words(["small", "large", "red", "blue", "wooden"], skew=0.3), " ",
                           Words(["hammer", "train", "novel", "lamp", "cheese", "chess"], skew=0.3)),
        "items.qty": Words([1, 2, 3, 4, 6, 12, 24], skew=1.5),
        "items.price": Number(exponential(30), 2),
        "items.category": Text(Words(["toys", "books", "tools", "home", "food", "games"], skew=0.5), "/", Digits(2)),
        "items.gift": Sometimes(Flag(0.5), 0.1),
        "paid": Flag(0.9),
        "coupon": Sometimes(Text(Words(["SPRING", "SUMMER", "VIP", "BACK"], skew=0.6), Digits(2)), 0.12),
    }, arrays={"items": (2, 4)}, constants={
        "reference": lambda chance: f"{chance.getrandbits(96):024x}",
        "updated": lambda chance: f"2024-05-{chance.randint(1, 28):02}T{chance.randint(0, 23):02}:40:00Z",
    })


def order2(digits):
    """What a cloud tells of itself: a deep object, an array of resources, an array of texts."""
    return Family({
        "version": Words(["1.09", "1.08"], [95, 5]),
        "account": Count(10 ** max(digits, 4), first=200000000000),
        "region": Words(["eu-west-1", "us-east-1", "eu-central-1", "us-west-2", "ap-south-1", "sa-east-1"], skew=1.0),
        "source": Text("app.", Words(["billing", "search", "auth", "mail", "render", "batch"], skew=0.7)),
        "detail.name": Text(Words(["Create", "Delete", "Describe", "Put", "Get", "List"], skew=0.9),
                            Words(["Instance", "Bucket", "Volume", "Role", "Queue", "Key", "Table"], skew=0.5)),
        "detail.error": Sometimes(Words(["AccessDenied", "Throttled", "NotFound", "Timeout"], skew=0.8), 0.07),
        "detail.user.name": Text(Words(NAMES, skew=0.2), "-", Digits(digits - 1)),
        "detail.user.mfa": Flag(0.6),
        "detail.request.bytes": Number(exponential(40000), 0),
        "detail.request.ms": Number(exponential(12), 3),
        "detail.request.ip": Address(),
        "detail.request.agent": Text(Words(["cli", "sdk-go", "sdk-java", "console"], skew=0.6), "/", Digits(1), ".", Digits(2)),
        "detail.request.target.zone": Words(["a", "b", "c"], skew=0.3),
        "resources.arn": Text("arn:x:", Words(["store", "queue", "host"], skew=0.4), ":", Digits(digits, HEX), "/",
                              Words(["data", "logs", "tmp", "img"], skew=0.7)),
        "resources.state": Words(["ready", "busy", "gone"], [85, 12, 3]),
        "resources.size": Number(exponential(900), 1),
        "tags": Several(Text(Words(["team", "env", "cost"], skew=0.2), "=", Digits(3)), 3),
    }, arrays={"resources": (1, 5)}, constants={
        "detail.id": lambda chance: f"{chance.getrandbits(128):032x}",
        "detail.time": lambda chance: f"2024-05-{chance.randint(1, 28):02}T{chance.randint(0, 23):02}:11:09Z",
    })


def ring(chance, points, decimals):
    east, north = chance.uniform(5, 15), chance.uniform(45, 54)
    found = [[round(east + chance.uniform(-0.01, 0.01), decimals), round(north + chance.uniform(-0.01, 0.01), decimals), 0.0]
             for _ in range(points)]
    return [[*found, found[0]]]


def polygon(digits):
    """A GeoJSON feature of about 1 KB, most of it coordinates, which no rule looks at."""
    return Family({
        "properties.parcel": Text(Digits(digits)),
        "properties.street": Text(Words(["LINDEN", "HAUPT", "BERG", "SEE", "KIRCH", "MARKT", "WALD", "PARK"], skew=0.5),
                                  Words(["STR", "WEG", "PLATZ", "GASSE"], skew=0.8)),
        "properties.block": Text(Digits(digits - 1), Words(["A", "B", "C", "D"], skew=0.6)),
        "properties.number": Count(240, first=1),
        "properties.zone": Words(["R1", "R2", "C1", "C2", "M1", "P", "I"], skew=0.9),
        "properties.area": Number(exponential(700), 2),
        "properties.floors": Words([1, 2, 3, 4, 5, 8, 12, 20], skew=1.1),
        "properties.listed": Flag(0.05),
        "properties.owner": Sometimes(Words(["private", "city", "church", "company", "state"], skew=1.2), 0.9),
    }, constants={"type": lambda chance: "Feature", "geometry": lambda chance: {
        "type": "Polygon", "coordinates": ring(chance, chance.randint(24, 30), 8)}},
        order=["type", "properties.parcel", "properties.street", "properties.block", "properties.number", "properties.zone",
               "properties.area", "properties.floors", "properties.listed", "properties.owner", "geometry"])


def polygon2(digits):
    """The geometry stands first, is a line of short numbers, and the properties nest."""
    return Family({
        "properties.way.id": Count(10 ** digits),
        "properties.way.name": Text("B ", Digits(3), " ", Words(CITIES, skew=0.5)),
        "properties.way.lanes": Words([2, 1, 4, 3, 6], skew=1.3),
        "properties.way.lit": Flag(0.4),
        "properties.speed": Words([50, 30, 100, 70, 120, 7], skew=0.8),
        "properties.surface": Words(["asphalt", "gravel", "paved", "cobble", "dirt"], skew=1.4),
        "properties.length": Number(exponential(1500), 1),
        "properties.ref": Sometimes(Text(Words(["A", "B", "K", "L"], skew=0.5), Digits(digits, power=1.5)), 0.8),
    }, constants={
        "geometry": lambda chance: {"coordinates": [[chance.randrange(-20000, 20000), chance.randrange(-20000, 20000)]
                                                    for _ in range(chance.randint(45, 60))], "type": "LineString"},
        "bbox": lambda chance: [-1.5e-3, 2.0e+1, 1.25, 4],
        "type": lambda chance: "Feature"},
        order=["geometry", "bbox", "type", "properties.way.id", "properties.way.name", "properties.way.lanes", "properties.way.lit",
               "properties.speed", "properties.surface", "properties.length", "properties.ref"])


FAMILIES = {family.__name__: family for family in (sensor, sensor2, order, order2, polygon, polygon2)}
