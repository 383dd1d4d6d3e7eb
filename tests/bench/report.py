# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""tests/bench/run [ROW…]: measures the rows whose names begin so, or all of them, and prints what was reached beside the goal."""
import argparse
import datetime
import fnmatch
import os
import pathlib
import platform

import rows


def arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="a row's name, its beginning, or a pattern with stars")
    parser.add_argument("--list", action="store_true", help="only print the names of the rows")
    parser.add_argument("--quick", action="store_true", help="about a minute: short runs, no row with more than 10,000 rules")
    parser.add_argument("--seconds", type=float, help="how long a row is measured (2; quick: 0.5)")
    parser.add_argument("--seed", type=int, default=1, help="other rules and events of the same kinds")
    parser.add_argument("--other-shape", action="store_true", help="events of the second families: sensor2, order2, polygon2")
    parser.add_argument("--markdown", action="store_true", help="the tables of docs/performance.md")
    return parser.parse_args()


def wanted(row, args):
    if args.quick and not args.rows and (getattr(row, "slow", False) or isinstance(row, rows.Speed) and row.rules > 10000):
        return False
    names = {row.name for _, section in rows.SECTIONS for row in section}
    return not args.rows or any(row.name == name or name not in names and row.name.startswith(name) or fnmatch.fnmatch(row.name, name)
                                for name in args.rows)


def machine():
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return (f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release().split('-')[0]}; {datetime.date.today()}, "
            f"load {os.getloadavg()[0]:.1f} at the beginning")


def of_the_peer(result, multiple):
    return f"{multiple / result.peer:,.{1 if multiple < 10 * result.peer else 0}f}×"


class Plain:
    def title(self, text, peers):
        self.peers = peers
        print(f"\n{text}\n  {'':36}{'goal':>12}{'measured':>12}{'  best peer' if peers else ''}")

    def row(self, result):
        mark = "!" if result.reached is False else " "
        peer = f"{result.peer:>11g}" if self.peers else ""
        print(f"{mark} {result.what:36}{result.goal:>12}{result.measured:>12}{peer}  {result.beside}", flush=True)


class Markdown:
    def title(self, text, peers):
        self.peers = peers
        print(f"\n### {text}\n\n| | {'best peer | of the peer | ' if peers else ''}goal | measured | |\n"
              f"| --- |{' --- | --- |' if peers else ''} --- | --- | --- |")

    def row(self, result):
        measured = f"**{result.measured}**" if result.reached is False else result.measured
        peer = f"{result.peer:g} | {of_the_peer(result, float(result.measured))} | " if self.peers else ""
        print(f"| {result.what} | {peer}{result.goal} | {measured} | {result.beside} |", flush=True)


def main():
    args = arguments()
    settings = rows.Settings(args.seconds or (0.5 if args.quick else 2), args.seed, args.quick)
    out = Markdown() if args.markdown else Plain()
    chosen = [(title, [row for row in section if wanted(row, args)]) for title, section in rows.SECTIONS]
    if not any(section for _, section in chosen):
        raise SystemExit("no row has such a name: see tests/bench/run --list")
    if args.list:
        print("\n".join(row.name for _, section in chosen for row in section))
        return
    print(machine())
    below = 0
    for title, section in chosen:
        if section:
            out.title(title, any(isinstance(row, rows.Speed) for row in section))
        for row in section:
            if args.other_shape and hasattr(row, "family"):
                row.family += "2"
            for result in row.run(settings):
                out.row(result)
                below += result.reached is False
    if not args.markdown:
        print(f"\n{below} below the goal" if below else "\nall goals reached")
    else:
        print("\nBold: below the goal.")


main()
