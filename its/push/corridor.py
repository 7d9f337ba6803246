"""One corridor, all or nothing: every controller gets the new plan, or every one keeps the old.

Presumed abort: until all have confirmed, whatever goes wrong takes all back; so does the next run after a crash.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from its.push.driver import Change, ChangedElsewhereError, Driver, NoAnswerError, RefusedError, Values
from its.push.journal import Entry, Journal, JournalFullError
from network_data.errors import InputError, SignalError
from network_data.plans import ControllerPlan

State = Literal["new", "old", "unknown", "elsewhere"]
"""What a controller holds: `elsewhere` is what somebody else gave it, which is left alone."""


@dataclass
class Member:
    """A controller of the corridor on its way."""

    driver: Driver
    plan: ControllerPlan | None = None
    change: Change | None = None
    switched: bool = False
    wrote: bool = False
    state: State = "old"
    reasons: list[str] = field(default_factory=list)
    read_back: Values = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The controller's id."""
        return self.driver.controller_id


Step = Callable[[Member], Awaitable[None]]


class CorridorPush:
    """Takes the members of one corridor through the steps, each written down before it is taken."""

    def __init__(
        self,
        members: Sequence[Member],
        journal: Journal,
        stopped: Callable[[], bool] = lambda: False,
        judge: Callable[[Member], None] = lambda _member: None,
    ) -> None:
        self.members, self._journal, self._stopped, self._judge = list(members), journal, stopped, judge
        self._failed = False

    async def run(self) -> list[Member]:
        """Prepare, write, switch and confirm all; at the first fault take all back."""
        for step in (self._prepare, self._write, self._switch, self._confirm):
            if self._stopped() and not self._failed:
                self._fail(self.members[0], "stopped from outside")
            if not self._failed:
                await self._each(step)
        if self._failed:
            await self._each(self._back)
        else:
            for member in self.members:
                member.state = "new"
        return self._close()

    async def resume(self, entries: Sequence[Entry]) -> list[Member]:
        """Bring a corridor whose run was killed, or ended unknown, to a known state.

        Where every controller reads as new, it stays so; else all go back.
        """
        by_id = {member.id: member for member in self.members}
        for entry in entries:
            member = by_id.get(entry.controller)
            if member is None:
                continue
            if entry.step == "kept":
                member.change = Change.from_json(entry.data["change"])
            member.wrote |= entry.step == "writing"
            member.switched |= entry.step == "switching"
        self._journal.note("resumed", back=True)
        await self._each(self._is_new)
        if not self._failed and self.members:
            await self._each(self._end_cleanly)
        if not self._failed and self.members:
            for member in self.members:
                member.state = "new"
        else:
            self._failed = False
            await self._each(self._back)
        return self._close()

    async def _each(self, step: Step) -> None:
        await asyncio.gather(*(self._guarded(step, member) for member in self.members))

    async def _guarded(self, step: Step, member: Member) -> None:
        try:
            await step(member)
        except SignalError as error:
            self._fail(member, str(error))

    def _fail(self, member: Member, reason: str) -> None:
        self._failed = True
        member.reasons.append(reason)

    async def _prepare(self, member: Member) -> None:
        self._journal.note("preparing", member.id)
        if member.plan is None:
            raise InputError(member.id, "the plan does not name this controller")
        member.change = await member.driver.prepare(member.plan)
        self._journal.note("kept", member.id, change=member.change.as_json())

    async def _write(self, member: Member) -> None:
        change = _change(member)
        self._journal.note("writing", member.id)
        member.wrote = True
        try:
            await member.driver.write_row(change)
        except NoAnswerError as error:
            # whether it was done is told by reading
            member.reasons.append(f"{error}; resolved by reading")
        await self._reads(member, change.row, "after writing")
        self._journal.note("written", member.id)

    async def _switch(self, member: Member) -> None:
        change = _change(member)
        self._journal.note("switching", member.id, now=change.takes_effect_now)
        member.switched = True
        await member.driver.switch(change)
        await self._reads(member, change.switch, "after the command")
        self._journal.note("switched", member.id)

    async def _confirm(self, member: Member) -> None:
        change = _change(member)
        faults = await member.driver.watch(change)
        if faults:
            raise RefusedError("; ".join(faults))
        await self._reads(member, {**change.row, **change.switch}, "at the end")
        self._judge(member)  # the rules of the street, on what was read
        await self._end_cleanly(member)
        self._journal.note("confirmed", member.id)

    async def _reads(self, member: Member, wanted: Values, when: str) -> None:
        now = await member.driver.read(wanted)
        member.read_back.update(now)
        odd = [
            f"{name} is {now.get(name)!r}, not {value!r}" for name, value in wanted.items() if now.get(name) != value
        ]
        if odd:
            raise RefusedError(f"controller {member.id!r} {when}: {', '.join(odd[:5])}")

    async def _is_new(self, member: Member) -> None:
        if member.change is None or not member.switched:
            raise RefusedError(f"controller {member.id!r}: had not been switched")
        await self._reads(member, {**member.change.row, **member.change.switch}, "now")

    async def _end_cleanly(self, member: Member) -> None:
        note = await member.driver.clear(_change(member))
        if note:
            member.reasons.append(note)

    async def _back(self, member: Member) -> None:
        """Old pattern in use again, then the row's old content; what cannot be told is unknown."""
        if member.change is None or not member.wrote:
            member.state = "old"
            return
        try:
            self._journal.note("going back", member.id, back=True)
            await self._end_cleanly(member)
            await member.driver.switch_back(member.change)
            await member.driver.restore_row(member.change)
            self._journal.note("back", member.id, back=True)
            member.state = "old"
        except (ChangedElsewhereError, RefusedError) as error:
            member.reasons.append(str(error))
            await self._which(member)
        except (NoAnswerError, JournalFullError) as error:
            member.state = "unknown"
            member.reasons.append(str(error))

    async def _which(self, member: Member) -> None:
        """Where the way back was barred: what the command reads says which plan runs."""
        change = _change(member)
        try:
            now = await member.driver.read({**change.row, **change.switch})
        except SignalError as error:
            member.state = "unknown"
            member.reasons.append(str(error))
            return
        if all(now.get(name) == value for name, value in change.old_switch.items()):
            member.state = "old"
        elif any(now.get(name) not in (value, change.old_switch[name]) for name, value in change.switch.items()):
            member.state = "elsewhere"
        else:
            member.state = "unknown"

    def _close(self) -> list[Member]:
        """The last word, unless a controller's state is unknown: then the journal stays open for the next run."""
        try:
            for member in self.members:
                self._journal.note("state", member.id, back=True, state=member.state, reasons=member.reasons)
            if all(member.state != "unknown" for member in self.members):
                self._journal.note("closed", back=True)
        except JournalFullError as error:
            for member in self.members:
                member.reasons.append(str(error))
        return self.members


def _change(member: Member) -> Change:
    if member.change is None:
        raise RefusedError(f"controller {member.id!r}: was not prepared")
    return member.change
