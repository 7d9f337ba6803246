"""A conflict of rules as a traffic engineer would say it: "cycle 100 s is impossible at node 221: …"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from network_data.controllers import Controller
from network_data.directions import Places, joined
from optimizer.infeasible.model import LONGEST_S, RuleModel
from optimizer.infeasible.rules import CommonCycle, Fixed, Requirement, Rule, SignalProgram

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
MOST_NAMED = 3
"""More of a kind are counted, not listed."""
NOUNS = {
    "minimum-green": "minimum green",
    "maximum-green": "maximum green",
    "longest-red": "longest red",
    "protection": "protected green",
    "green-change": "bound on the green",
    "v-over-c": "v/c",
}
WHOLE = {
    "cycle": ("the cycle's bounds", False),
    "cycle-change": ("the bound on the change of the cycle", True),
}
SUBJECTS = ("cycle", "cycle-change", "longest-red", "maximum-green", "green-change", "walk", "minimum-green")
"""Which rule of a conflict is held against the others, the first that is there."""


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """One rule of a conflict: its name in `check_plan`, where it stands, and what it demands, in words."""

    rule: str
    controller: str
    heads: tuple[int, ...]
    text: str


class Speaker:
    """Words for the rules of some signals."""

    def __init__(self, places: Places, programs: Sequence[SignalProgram]) -> None:
        self._places, self._programs = places, programs

    def _controller(self, signal: int) -> Controller:
        return self._programs[signal].book.controller

    def n_intervals(self, signal: int) -> int:
        """Intervals of a signal's program."""
        return self._programs[signal].n

    def _who(self, one: Requirement) -> str:
        return self._named(one.signal, one.rule.heads)

    def _named(self, signal: int, heads: Sequence[int]) -> str:
        controller = self._controller(signal)
        names = dict.fromkeys(self._places.head(controller, k) for k in heads)
        return joined([f"the {name}" if name.startswith("crossing on") else name for name in names])

    def broken(self, rule: Rule) -> BrokenRule:
        """A rule with what it demands."""
        if isinstance(rule, CommonCycle):
            names = joined([self._controller(s).id for s in rule.signals])
            return BrokenRule("common-cycle", "", (), f"{names} run one cycle, or half of it")
        controller = self._controller(rule.signal).id
        if isinstance(rule, Fixed):
            return BrokenRule("fixed", controller, (), f"keeps the field's program of {sum(rule.durations_s)} s")
        return BrokenRule(rule.rule.rule, controller, rule.rule.heads, self.demand(rule))

    def demand(self, one: Requirement) -> str:
        """What one requirement asks for."""
        if one.rule.rule == "v-over-c":
            return f"{self._who(one)} at v/c 1 at most, as in the field"
        if one.rule.rule == "kept-green":
            return f"{self._who(one)} keeps its share of green: no loop, or saturated"
        return f"{self.thing(one)} {_bounds(one)}"

    def thing(self, one: Requirement) -> str:
        """What one requirement is about."""
        what = {
            "cycle": "cycle",
            "cycle-change": "cycle as in the field" if "frozen" in one.rule.what else "cycle near the field's",
            "minimum-green": f"minimum green of {self._who(one)}",
            "maximum-green": f"maximum green of {self._who(one)}",
            "green-change": f"green of {self._who(one)} near the field's",
            "longest-red": f"red of {self._who(one)}",
            "yellow": f"yellow of {self._who(one)}",
            "protection": f"protected green of {self._who(one)}",
            "walk": self._walk(one),
        }.get(one.rule.rule)
        if one.rule.rule == "clearance":
            start, end = (self._named(one.signal, (k,)) for k in one.rule.heads)
            what = f"clearance from {start} to {end}"
        return what or str(one.rule)

    def _walk(self, one: Requirement) -> str:
        if one.rule.what:
            return f"people on foot before {self._who(one)}"
        return self._who(one)

    def subject(self, one: Requirement) -> str:
        """What is impossible."""
        if one.rule.rule in ("cycle", "cycle-change"):
            text = _bounds(one)
            bare = one.rule.what == "fixed" or "frozen" in one.rule.what
            if "frozen" in one.rule.what:
                text = f"{self._programs[one.signal].book.field.cycle_s:g} s"
            return f"cycle {text}" if bare else f"a cycle of {text}"
        return self.demand(one)

    def needed_by(self, rules: Sequence[Requirement]) -> tuple[str, bool]:
        """Who makes a demand, and whether that is one thing: of a kind together, few by name, many by number."""
        kinds: dict[str, list[Requirement]] = defaultdict(list)
        for one in rules:
            kinds[one.rule.what if one.rule.rule == "walk" and one.rule.what else one.rule.rule].append(one)
        said = [self._kind(name, members) for name, members in kinds.items()]
        return joined([text for text, _ in said]), len(said) == 1 and said[0][1]

    def _kind(self, name: str, members: Sequence[Requirement]) -> tuple[str, bool]:
        """Rules of one kind, and whether that is one thing."""
        n, who = len(members), joined(list(dict.fromkeys(self._who(m) for m in members)))
        if name in WHOLE:
            return WHOLE[name]
        if name == "walk":
            return (f"the {_counted('crossing', n)}", False) if n > 1 else (who, True)
        if name == "clearance" and n == 1:
            return f"the {self.demand(members[0]).rsplit(' at least', 1)[0]}", True
        noun = NOUNS.get(name, name)
        if n == 1:
            return f"the {noun} of {who}", True
        if n <= MOST_NAMED and name not in ("clearance", "yellow"):
            return f"the {_plural(noun)} of {who}", False
        return f"the {_counted(noun, n)}", False


def _plural(noun: str) -> str:
    return noun if noun == "v/c" else f"{noun}s"


def _counted(noun: str, n: int) -> str:
    number = NUMBERS[n] if n < len(NUMBERS) else str(n)
    return f"{number} {_plural(noun)}" if n != 1 else noun


def _bounds(one: Requirement) -> str:
    if len(one.ranges) == 1 and one.ranges[0][0] == one.ranges[0][1]:
        return f"{one.ranges[0][0]} s"
    least, most = one.least, one.most
    if least is not None:
        return f"at least {least} s"
    if most is not None:
        return f"at most {most} s"
    return " or ".join(_span(low, high) for low, high in one.ranges)


def _span(low: int, high: int) -> str:
    if low == high:
        return f"{low} s"
    return f"at most {high} s" if low <= 0 else f"at least {low} s"


def sentence(speaker: Speaker, model: RuleModel, core: frozenset[int], ids: Mapping[int, str]) -> str:
    """The conflict in one sentence."""
    rules = [model.rules[r] for r in sorted(core)]
    if any(isinstance(rule, CommonCycle) for rule in rules):
        return _common(speaker, model, core, ids)
    signal = ids[next(rule.signal for rule in rules if not isinstance(rule, CommonCycle))]
    wanted = [rule for rule in rules if isinstance(rule, Requirement)]
    for name in SUBJECTS:
        of_kind = [one for one in wanted if one.rule.rule == name]
        if len(of_kind) == 1 and of_kind[0].unit == 1:
            said = _held_against(speaker, model, core, of_kind[0], signal)
            if said is not None:
                return said
    told = "; ".join(speaker.broken(rule).text for rule in rules)
    if len(rules) == 1:
        return f"{told} is impossible at node {signal}"
    return f"these rules contradict each other at node {signal}: {told}"


def _held_against(
    speaker: Speaker, model: RuleModel, core: frozenset[int], subject: Requirement, signal: str
) -> str | None:
    """One rule against what the others need, or allow."""
    others = frozenset(r for r in core if model.rules[r] is not subject)
    rest = [rule for r in sorted(others) if isinstance(rule := model.rules[r], Requirement)]
    fixed = any(isinstance(model.rules[r], Fixed) for r in others)
    if not others:
        return None
    least, most = (model.extreme(others, subject, largest=largest) for largest in (False, True))
    who, alone = ("the field's program, which is fixed,", True) if fixed else speaker.needed_by(rest)
    impossible, s = f"{speaker.subject(subject)} is impossible at node {signal}", "s" if alone else ""
    if least is not None and least > subject.ranges[-1][1]:
        return f"{impossible}: {who} need{s} {least} s"
    if most is not None and most < subject.ranges[0][0]:
        return f"{impossible}: {who} allow{s} at most {most} s"
    return None


def _can_run(low_s: int, high_s: int, n_intervals: int) -> str:
    """Which cycles a signal can run; a second for each interval is no bound."""
    if low_s == high_s:
        return f"runs {low_s} s"
    if low_s <= n_intervals:
        return f"can run at most {high_s} s"
    return f"needs at least {low_s} s" if high_s >= LONGEST_S else f"can run {low_s} to {high_s} s"


def _common(speaker: Speaker, model: RuleModel, core: frozenset[int], ids: Mapping[int, str]) -> str:
    """A common cycle against what each signal needs or allows."""
    shared = next(rule for r in sorted(core) if isinstance(rule := model.rules[r], CommonCycle))
    parts = []
    for signal in shared.signals:
        own = frozenset(
            r for r in core if not isinstance(rule := model.rules[r], CommonCycle) and rule.signal == signal
        )
        span = model.cycle_range(own, signal) if own else None
        if span is None:
            continue
        rest = [rule for r in sorted(own) if isinstance(rule := model.rules[r], Requirement)]
        who = speaker.needed_by(rest)[0] if rest else "the field's program, which is fixed"
        parts.append(f"node {ids[signal]} {_can_run(*span, speaker.n_intervals(signal))} ({who})")
    names = joined([ids[signal] for signal in shared.signals])
    return f"a common cycle of {names} is impossible: {'; '.join(parts)}"
