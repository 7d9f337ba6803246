"""Why a plan is as it is: for each changed number what binds it, and who gains and pays.

"+6 s: northbound left v/c 1.08 → 0.93; westbound through +2.1 s/veh; the crossing on the east side binds at 24 s".
Gains and losses are those of the simulation of both plans; what binds follows from the rules alone. All of a signal's
numbers changed together: who gains and pays at the signal is told beside each of them, not parted among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from network_data.controllers import Controller
from network_data.directions import Places, joined
from network_data.network import RoadNetwork
from network_data.offsets import moved_s
from network_data.plans import GREEN, ControllerPlan, TimingPlan
from network_data.rings import merge_equal, stage_states
from network_data.settings import Settings
from optimizer.binding import Binding, Bindings
from optimizer.flows import head_flows
from optimizer.models import kept_share
from optimizer.rulebook import RuleBook, rule_book
from sim.measures import Measures

What = Literal["green", "cycle", "offset", "stages"]
LEAST_S = 0.1
"""Smaller changes of delay are told of nobody. [s/veh]"""
LEAST_VPH = 0.5
MOST_TOLD = 2
"""Who gains and pays most, per number; all are in the records of the measures."""
MOST_BINDING = 3
"""Rules told per number; all are in its record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A movement or crossing under both plans: v/c [-] and mean delay (of crossings: mean wait). [s]"""

    id: str
    name: str
    before_s: float
    after_s: float
    v_over_c_before: float | None = None
    v_over_c_after: float | None = None
    weight_vph: float = 0.0

    @property
    def change_s(self) -> float:
        """Change of delay. [s/veh]"""
        return self.after_s - self.before_s

    @property
    def total(self) -> float:
        """Change of the delay of all. [veh·s/h]"""
        return self.change_s * self.weight_vph

    def text(self, *, load: bool) -> str:
        """In words, with v/c where it is known and asked for."""
        unit = "s/veh" if self.v_over_c_after is not None or self.weight_vph else "s of wait"
        if load and self.v_over_c_before is not None and self.v_over_c_after is not None:
            loads = f"v/c {self.v_over_c_before:.2f} → {self.v_over_c_after:.2f}"
            return f"{self.name} {loads}, {self.change_s:+.1f} {unit}"
        return f"{self.name} {self.change_s:+.1f} {unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One changed number of a signal. `before_s`, `after_s` are None for stages; `served` is whose number it is."""

    controller: str
    what: What
    subject: str
    links: tuple[int, ...]
    before_s: float | None
    after_s: float | None
    change_s: float | None
    served: tuple[Effect, ...]
    gains: tuple[Effect, ...]
    pays: tuple[Effect, ...]
    binds: tuple[Binding, ...]

    @property
    def text(self) -> str:
        """The reason in one line."""
        head = f"{self.change_s:+g} s" if self.what == "green" and self.change_s is not None else self.subject
        told = [one.text(load=True) for one in self.served[:MOST_TOLD]]
        if len(self.served) > MOST_TOLD:
            told.append(f"{len(self.served) - MOST_TOLD} more green with them")
        known = {one.id for one in self.served}
        told += [one.text(load=False) for one in (*self.gains, *self.pays) if one.id not in known]
        told += [one.text for one in self.binds[:MOST_BINDING]]
        if len(self.binds) > MOST_BINDING:
            told.append(f"{len(self.binds) - MOST_BINDING} more rules bind")
        if not self.binds and self.what in ("green", "cycle"):
            told.append("no rule binds")
        return f"{head}: {'; '.join(told)}"

    def as_json(self) -> dict[str, Any]:
        """For run.json."""
        return {**asdict(self), "text": self.text}


def explain(
    network: RoadNetwork,
    field: TimingPlan,
    plan: TimingPlan,
    before: Measures,
    after: Measures,
    settings: Settings,
    *,
    flows_vph: dict[tuple[str, str], float] | None = None,
    highest_vph: dict[tuple[str, str], float] | None = None,
    measured_links: frozenset[str] | None = None,
    queued: frozenset[str] = frozenset(),
) -> tuple[Reason, ...]:
    """Every changed number of every signal, in the order of the network: stages, cycle, offset, greens.

    Parameters
    ----------
    field, plan : TimingPlan
        The plan in the field and the new one.
    before, after : Measures
        Both in the simulation, on the same traffic.
    settings : Settings
        The rules under which the plan was made.
    flows_vph : mapping, optional
        Flow of each link pair, for the rules on v/c and on kept green; without it these are not looked at. [veh/h]
    highest_vph : mapping, optional
        The same at the tops of their ranges, as the search had them. [veh/h]
    measured_links : frozenset of str, optional
        Links with a loop or a turning count. Default: all of them.
    queued : frozenset of str
        Links on which loops saw a queue stand most of the time (`optimizer.flows.queued_links`).
    """
    unmeasured = frozenset() if measured_links is None else frozenset(network.links) - measured_links
    places = Places(network)
    out: list[Reason] = []
    for c, controller in network.controllers.items():
        old, new = field.controllers.get(c), plan.controllers.get(c)
        if old is None or new is None:
            continue
        flows = None if flows_vph is None else head_flows(network, controller, flows_vph, highest_vph=highest_vph)
        book = rule_book(network, controller, old, settings)
        effects = _effects(places, c, before, after)
        share = kept_share(network, controller, old, flows, unmeasured, queued) if flows is not None else None
        bindings = Bindings(book, new, places, flows=flows, least_share=share)
        out += _signal_reasons(controller, places, book, old, new, effects, bindings)
    return tuple(out)


def _effects(places: Places, c: str, before: Measures, after: Measures) -> dict[str, Effect]:
    """Every movement (somebody makes) and crossing of a signal under both plans, by id."""
    out: dict[str, Effect] = {}
    for name, old in before.movements.items():
        new = after.movements.get(name)
        if old.controller_id == c and new is not None and old.demand_vph >= LEAST_VPH:
            out[name] = Effect(
                id=name,
                name=places.movement(name),
                before_s=old.delay_s_per_veh,
                after_s=new.delay_s_per_veh,
                v_over_c_before=old.v_over_c,
                v_over_c_after=new.v_over_c,
                weight_vph=old.demand_vph,
            )
    for name, was in before.crossings.items():
        now = after.crossings.get(name)
        if was.controller_id == c and now is not None and was.wait_mean_s is not None and now.wait_mean_s is not None:
            label = places.crossing(name)
            out[name] = Effect(
                id=name,
                name=f"the {label}" if label.startswith("crossing on") else label,
                before_s=was.wait_mean_s,
                after_s=now.wait_mean_s,
            )
    return out


def _signal_reasons(
    controller: Controller,
    places: Places,
    book: RuleBook,
    old: ControllerPlan,
    new: ControllerPlan,
    effects: dict[str, Effect],
    bindings: Bindings,
) -> list[Reason]:
    gains, pays = _most(effects.values(), gain=True), _most(effects.values(), gain=False)
    made = _Maker(controller.id, gains, pays)
    out: list[Reason] = []
    stages = _stages_changed(controller, places, old, new)
    if stages:
        out.append(made.reason("stages", stages, None, None, ()))
    if abs(new.cycle_s - old.cycle_s) > 1e-6:
        longer = new.cycle_s > old.cycle_s
        subject = f"cycle {old.cycle_s:g} → {new.cycle_s:g} s"
        out.append(made.reason("cycle", subject, old.cycle_s, new.cycle_s, bindings.against_cycle(1 if longer else -1)))
    away_s = moved_s(controller, new, old)
    if abs(away_s) > 1e-6:
        bound_s = book.limits.offset_change_s
        tight = bound_s is not None and abs(away_s) > bound_s - 1
        rule = "fixed-offset" if controller.id in book.limits.settings.change.fixed_offsets else "offset-change"
        binds = [Binding(rule, (), bound_s, f"the bound on offsets binds at {bound_s:g} s")] if tight else []
        subject = f"offset {away_s:+g} s ({old.offset_s:g} → {new.offset_s:g} s)"
        out.append(made.reason("offset", subject, old.offset_s, new.offset_s, binds, change_s=away_s))
    for heads in _groups(controller, old, new):
        out += _green_reason(made, controller, places, bindings, heads, (old, new), effects)
    return out


@dataclass(frozen=True)
class _Maker:
    """What all reasons of a signal share."""

    controller: str
    gains: tuple[Effect, ...]
    pays: tuple[Effect, ...]

    def reason(
        self,
        what: What,
        subject: str,
        before_s: float | None,
        after_s: float | None,
        binds: Sequence[Binding],
        *,
        change_s: float | None = None,
        links: tuple[int, ...] = (),
        served: Sequence[Effect] = (),
    ) -> Reason:
        if change_s is None and before_s is not None and after_s is not None:
            change_s = after_s - before_s
        known = {one.id for one in served}
        return Reason(
            controller=self.controller,
            what=what,
            subject=subject,
            links=links,
            before_s=before_s,
            after_s=after_s,
            change_s=change_s,
            served=tuple(served),
            gains=tuple(one for one in self.gains if one.id not in known),
            pays=tuple(one for one in self.pays if one.id not in known),
            binds=tuple(binds),
        )


def _green_reason(
    made: _Maker,
    controller: Controller,
    places: Places,
    bindings: Bindings,
    heads: tuple[int, ...],
    plans: tuple[ControllerPlan, ControllerPlan],
    effects: dict[str, Effect],
) -> list[Reason]:
    """The green of link indices that are green together in both plans; none where it did not change."""
    before_s, after_s = (plan.green_s(heads[0]) for plan in plans)
    if abs(after_s - before_s) < 1e-6:
        return []
    mine = [n for n, state in enumerate(bindings.states) if state[heads[0]] in GREEN]
    binds = bindings.against_more(mine) if after_s > before_s else bindings.against_less(mine)
    names = dict.fromkeys(
        x for k in heads for x in (*controller.heads[k].movement_ids, *controller.heads[k].crossing_ids)
    )
    served = sorted((effects[x] for x in names if x in effects), key=lambda one: -abs(one.total))
    gained = after_s > before_s
    other = _Maker(made.controller, () if gained else made.gains, made.pays if gained else ())
    all_names = list(dict.fromkeys(places.head(controller, k) for k in heads))
    more = [f"{len(all_names) - MOST_BINDING} more"] if len(all_names) > MOST_BINDING else []
    subject = f"green of {joined([*all_names[:MOST_BINDING], *more])}"
    return [other.reason("green", subject, before_s, after_s, binds, links=heads, served=served)]


def _most(effects: Iterable[Effect], *, gain: bool) -> tuple[Effect, ...]:
    """Whose delay fell (or rose) most in all."""
    sign = -1 if gain else 1
    mine = [one for one in effects if sign * one.change_s >= LEAST_S]
    return tuple(sorted(mine, key=lambda one: (-sign * one.total, -sign * one.change_s, one.id))[:MOST_TOLD])


def _groups(controller: Controller, old: ControllerPlan, new: ControllerPlan) -> list[tuple[int, ...]]:
    """Link indices with the same greens in both plans; those that serve nobody and those always green left out."""
    groups: dict[tuple[tuple[bool, ...], tuple[bool, ...]], list[int]] = {}
    rows = [merge_equal(plan.intervals) for plan in (old, new)]
    for head in controller.heads[: min(len(rows[0][0].state), len(rows[1][0].state))]:
        if head.kind in ("vehicle", "bus", "crossing"):
            k = head.index
            first, second = (tuple(row.state[k] in GREEN for row in plan) for plan in rows)
            if any(first + second) and not (all(first) and all(second)):
                groups.setdefault((first, second), []).append(k)
    return [tuple(heads) for heads in groups.values()]


def _stages_changed(controller: Controller, places: Places, old: ControllerPlan, new: ControllerPlan) -> str:
    """How the stages differ, by the field's numbers; empty where they do not."""
    before, after = stage_states(old, controller), stage_states(new, controller)
    if before == after:
        return ""
    number = {state: str(n) for n, state in enumerate(before, start=1)}
    shown = [number.get(state, "new") for state in after]
    text = f"stages {', '.join(str(n) for n in range(1, len(before) + 1))} of the field → {', '.join(shown)}"
    lost = [
        k
        for k in range(len(before[0]) if before else 0)
        if any(s[k] == "G" for s in before) and after and not any(s[k] == "G" for s in after)
    ]
    names = list(dict.fromkeys(places.head(controller, k) for k in lost))
    return text + (f"; {joined(names)} no longer with G" if names else "")
