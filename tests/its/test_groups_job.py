"""`its groups`: which signals of a network belong together, as a table and as JSON."""

from __future__ import annotations

from pathlib import Path

from tests.its.jobs import NETWORK, its, strict_json


def test_groups_by_traffic(turns: Path) -> None:
    """With a demand the own cycles are Webster's and the couplings in vehicles; bounds hold."""
    result = its("groups", NETWORK, "--turns", turns, "--most-signals", "5", "--json")
    assert result.exit_code == 0, result.output
    said = strict_json(result.stdout)
    assert said["measured"] is True
    assert max(len(g["signals"]) for g in said["groups"]) <= 5
    assert sorted(s for g in said["groups"] for s in g["signals"]) == sorted(said["signals"])
    assert all(one["flow_ratio"] > 0 for one in said["signals"].values())
    assert all(0 <= c["coupling"] <= 1 for c in said["couplings"])


def test_groups_by_lanes() -> None:
    """Without a demand it says what stands in."""
    result = its("groups", NETWORK)
    assert result.exit_code == 0, result.output
    assert "g1" in result.stdout
    assert "lanes stand in for flows" in result.stdout
    assert "stays within groups" in result.stdout


def test_rules_that_contradict() -> None:
    """More signals at least than at most end with 2."""
    result = its("groups", NETWORK, "--most-signals", "3", "--least-signals", "5")
    assert result.exit_code == 2
    assert "least_signals" in result.stderr
