"""Pushes to real agents, hurt in every way: old plan or new one on each controller, and the journal says which.

`street` and `scripted` are snmpd with a controller of our reading of the standard; `plain_street` is snmpd alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from benchmarks import _push_wire as wire
from benchmarks._push_street import KINDS, STEPPED, STEPS, Fault, Street, fresh_street
from its.push import objects as o
from its.push.corridor import CorridorPush
from its.push.driver import Change
from its.push.journal import open_journals, read_journal
from its.push.ntcip import NtcipDriver
from tests.its.push.conftest import need_snmpd

QUICK = [
    Fault("none"),
    Fault("kill -9", 16, 0),
    Fault("kill -9", 31, 1),
    Fault("doubled packets"),
    Fault("second client in a transaction"),
    Fault("wrong key"),
    Fault("read-only user"),
    Fault("read-only cell", victim=1),
    Fault("partial store"),
    Fault("verify error", victim=1),
    Fault("disk full", 22),
    Fault("second writer", 30),
    Fault("asked to stop", 12),
]
EXPECTED = {"none": "new", "doubled packets": "new"}
"""All others here must leave the old plan, except where the fault comes too late."""


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: f"{fault.kind} at {fault.step}")
def test_a_hurt_push_leaves_old_or_new(street: Street, fault: Fault) -> None:
    """With a database transaction (our reading of it): the invariant holds, and the fault did strike."""
    outcome = street.push(fault)
    assert outcome.wrong == []
    assert outcome.hit or fault.kind == "none"
    assert len(set(outcome.resolved.values())) == 1
    if fault.kind in EXPECTED:
        assert set(outcome.resolved.values()) == {EXPECTED[fault.kind]}
    elif fault.kind not in STEPPED:
        assert set(outcome.resolved.values()) == {"old"}
        assert outcome.reasons


def test_a_command_of_somebody_else_is_left_alone(street: Street) -> None:
    """Given after ours: the controller runs what they want, says `elsewhere`, and its neighbour goes back."""
    street.push(Fault("none"))  # else their command may be what ran before
    outcome = street.push(Fault("second commander", 34, 0))
    assert outcome.wrong == []
    assert outcome.resolved == {"J1": "elsewhere", "J2": "old"}


def test_the_witness_is_no_rubber_stamp(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push that does not read back would put a partly stored row in force, and the witness sees it."""

    async def believe(*_: object) -> None:
        pass

    async def switch(driver: NtcipDriver, change: Change) -> None:
        await driver._absolute(list(change.switch.items()), driver._permit)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(CorridorPush, "_reads", believe)
        patch.setattr(NtcipDriver, "switch", switch)
        outcome = street.push(Fault("partial store"))
    assert any("neither the old" in text for text in outcome.wrong)
    assert street.push(Fault("none")).wrong == []


@pytest.mark.parametrize(
    "fault",
    [Fault("none"), Fault("kill -9", 15), Fault("kill -9", 24), Fault("doubled packets"), Fault("read-only user")],
    ids=lambda fault: f"{fault.kind} at {fault.step}",
)
def test_devices_without_transaction(plain_street: Street, fault: Fault) -> None:
    """snmpd alone: the row that is not in use is the shelter."""
    outcome = plain_street.push(fault)
    assert outcome.wrong == []


def test_a_row_that_was_rolled_back_reads_as_before(street: Street) -> None:
    """After a fault past the writing, every cell of both rows is what it was."""
    names = [f"{o.PATTERN}.{c}.{n}" for c in (2, 3, 4, 5) for n in (1, 2, 3)]
    names += [f"{o.SPLIT}.{c}.{n}.{p}" for c in (3, 4, 5) for n in (1, 2, 3) for p in (1, 2, 3)]
    for _ in range(2):  # both rows sound: the controller takes nothing back that its verify refuses
        assert set(street.push(Fault("none")).states.values()) == {"new"}
    before = [wire.read(agent.port, names) for agent in street.agents]
    outcome = street.push(Fault("kill -9", 30))
    assert outcome.wrong == []
    assert set(outcome.resolved.values()) == {"old"}
    assert [wire.read(agent.port, names) for agent in street.agents] == before


def test_yellow_and_conflicts_are_never_written(street: Street) -> None:
    """The phase table of every controller is as it was after all that was done to it."""
    names = [f"{o.PHASE}.{column}.{phase}" for column in (4, 8, 9, 21, 22) for phase in (1, 2, 3)]
    want = [5] * 3 + [30] * 3 + [20] * 3 + [1] * 6
    for agent in street.agents:
        assert list(wire.read(agent.port, names).values()) == want


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """A single controller."""
    need_snmpd()
    made = fresh_street(tmp_path_factory.mktemp("one") / "s", n=1)
    yield made
    made.close()


@pytest.mark.slow
def test_killed_at_every_step(one: Street) -> None:
    """kill -9 before and after every line of the journal and every SET: a rerun brings a known state each time."""
    seen = set()
    step = 0
    while True:
        step += 1
        outcome = one.push(Fault("kill -9", step))
        assert outcome.wrong == []
        finished = [p for p in one.journal.glob("*.jsonl") if not any(e.step == "resumed" for e in read_journal(p))]
        if step > 4 and len(finished) > len(seen):
            break  # the push ended before this step
        seen = set(finished)
        assert step < STEPS
    assert step > 20
    assert open_journals(one.journal) == []


@pytest.mark.slow
def test_loss_reboot_death_and_hang(street: Street) -> None:
    """30 % of packets lost, late copies, and agents that die, restart or hang at a step."""
    faults = [Fault("30 % loss"), Fault("loss, doubled and late"), Fault("wrong privacy key")]
    faults += [Fault(kind, step) for kind in ("agent dies", "agent reboots", "agent hangs") for step in (16, 30)]
    for fault in faults:
        outcome = street.push(fault)
        assert outcome.wrong == [], outcome
        assert outcome.hit


def test_an_agent_that_woke_up_is_found_out(street: Street) -> None:
    """A hung agent does what it was sent when it wakes: unknown until then, resolved by reading after."""
    outcome = street.push(Fault("agent hangs", 24, 1))
    assert outcome.states["J2"] == "unknown"
    assert outcome.resolved == {"J1": "old", "J2": "old"}
    assert outcome.wrong == []


class Pushes(RuleBasedStateMachine):
    """Any sequence of pushes, each hurt in any way at any step, over the same two controllers."""

    street: Street
    n_faults = 0

    @rule(kind=st.sampled_from(KINDS), step=st.integers(1, 48), victim=st.integers(0, 1))
    def push(self, kind: str, step: int, victim: int) -> None:
        """Push the next plan."""
        outcome = self.street.push(Fault(kind, step, victim))
        type(self).n_faults += outcome.hit
        assert outcome.wrong == []

    @rule(victim=st.integers(0, 1))
    def power_cut(self, victim: int) -> None:
        """Between pushes, a controller restarts."""
        agent = self.street.agents[victim]
        before = self.street.truth()
        agent.stop()
        self.street.heal()
        assert self.street.truth() == before

    @invariant()
    def nothing_is_open(self) -> None:
        """No journal waits for its end."""
        assert open_journals(self.street.journal) == []


@pytest.mark.slow
def test_any_sequence_of_hurt_pushes(tmp_path: Path) -> None:
    """hypothesis looks for a sequence that tears a plan or leaves the journal wrong."""
    need_snmpd()
    Pushes.street = fresh_street(tmp_path / "s")
    Pushes.TestCase.settings = settings(
        max_examples=4,
        stateful_step_count=6,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    begin_s = time.monotonic()
    try:
        Pushes.TestCase("runTest").runTest()
    finally:
        Pushes.street.close()
    assert Pushes.n_faults > 5, time.monotonic() - begin_s
