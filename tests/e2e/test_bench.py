# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The bench of the broker runs, and measures what it says: not how fast anything is."""
import pytest

import harness

pytestmark = pytest.mark.skipif(harness.VALGRIND or bool(harness.ROOT), reason="it measures this machine's broker")


@pytest.fixture(scope="module")
def report():
    result = harness.run("/usr/bin/python3", harness.REPOSITORY / "tests/bench/broker", "--rounds", 1, "--turn", 0.02,
                         "--many", 200, "--json", timeout=180)
    return result.json


def test_the_bench_loads_each_broker_in_each_way(report):
    assert report["rounds"] == 1
    assert {(turn["broker"], turn["way"]) for turn in report["turns"]} >= {
        ("no plugin", "nobody"), ("no plugin", "direct"), ("a plugin that does nothing", "direct"),
        ("Sluice, 1,000 rules", "nobody"), ("Sluice, 10 rules", "routed"), ("Sluice, 200 rules", "routed"),
        ("a router outside, 10 rules", "routed")}
    for turn in report["turns"]:
        assert turn["cpu_us"] > 0 and turn["per_second"] > 0, turn
        assert (turn["max_us"] >= turn["p50_us"] > 0) == (turn["way"] != "nobody"), turn


def test_the_bench_holds_its_goals_beside_ratios_of_one_round(report):
    goals = [row for row in report["ratios"] if row["goal"]]
    assert {row["qos"] for row in goals} == {0, 1}
    for row in report["ratios"]:
        middle, low, high = row["ratio"]
        assert 0 < low <= middle <= high, row


def test_the_bench_tells_the_longest_callback(report):
    assert [row["rules"] for row in report["callbacks"]] == [10, 1000, 200]
    for row in report["callbacks"]:
        assert row["max_us"] >= row["p99_us"] >= row["p50_us"], row
        assert row["max_us"] > 0, row


def test_the_bench_tells_what_of_a_publish_is_the_plugins_own(report):
    assert {(row["rules"], row["status"]): row["deliveries"] for row in report["alone"]} == {
        (rules, status): 1 if status == "hot" else 0 for rules in (10, 1000, 200) for status in ("ok", "hot")}
    for row in report["alone"]:
        assert 0 < row["tick_ns"] < row["publish_ns"], row
        assert row["turn_ns"] > 0, row
