"""A plan found before as a candidate of a new search: the same states, whatever interval came first."""

from __future__ import annotations

import numpy as np

from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from optimizer.candidate import Candidate, Setting
from optimizer.models import ControllerModel, errors_of, merged
from optimizer.moves import Neighbourhood


def candidate_of(network: RoadNetwork, hood: Neighbourhood, plan: TimingPlan, fallback: Candidate) -> Candidate:
    """The candidate that is a plan; controllers whose program the search may not run keep the fallback's.

    Parameters
    ----------
    hood : Neighbourhood
        The search that is to begin there; sequences of stages that it does not know yet are added to its models where
        they keep the rules.
    fallback : Candidate
        A legal candidate of the same search.
    """
    out = list(fallback)
    for at, model in enumerate(hood.models):
        program = plan.controllers.get(model.controller.id)
        setting = None if program is None or model.fixed else _setting(network, hood, model, program)
        if setting is not None:
            setting = hood.held(at, setting)
            out[at] = setting if hood.keeps_rules(at, setting) else fallback[at]
    found = tuple(out)
    return found if hood.holds_between(found) else fallback


def _setting(
    network: RoadNetwork, hood: Neighbourhood, model: ControllerModel, program: ControllerPlan
) -> Setting | None:
    """A program as a setting; None where it is in fractions of seconds or its stages may not run."""
    times = [program.offset_s, *(interval.duration_s for interval in program.intervals)]
    if any(abs(time_s - round(time_s)) > 1e-6 for time_s in times):
        return None
    states, durations, stretch = merged(program)
    offset_s = round(program.offset_s)
    if len(states) > 1 and states[0] == states[-1]:  # one interval around the end of the cycle
        offset_s -= durations[-1]
        durations[0] += durations.pop()
        states.pop()
        stretch.pop()
    for number in model.usable:
        known = model.skeletons[number].states
        for turn in range(len(states)) if len(known) == len(states) else ():
            if (*states[turn:], *states[:turn]) == known:
                turned = np.array(durations[turn:] + durations[:turn], np.int64)
                return Setting(number, turned, (offset_s + sum(durations[:turn])) % int(turned.sum()))
    if {"stages", "splits"} & set(hood.settings.change.freeze):
        return None
    skeleton = model.book.skeleton("stages of a plan before", states, durations, stretch)
    times_s = np.array(durations, np.int64)
    if not skeleton.allows(times_s) or errors_of(network, model, skeleton.plan(times_s, offset_s), hood.settings):
        return None
    model.skeletons.append(skeleton)
    return Setting(len(model.skeletons) - 1, times_s, offset_s % int(times_s.sum()))
