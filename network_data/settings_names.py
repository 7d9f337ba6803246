"""Names in the settings held against the network they are for: signals, links, movements, crossings, stages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from network_data.controllers import Controller
from network_data.errors import SettingsError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.rings import stage_states
from network_data.settings import Settings
from network_data.settings_signals import SignalSettings
from network_data.signal_limits import heads_named


def check_names(settings: Settings, network: RoadNetwork, field: TimingPlan, where: str) -> None:
    """Refuse settings that name what the network does not have.

    Parameters
    ----------
    where : str
        The settings' source, for the error.

    Raises
    ------
    SettingsError
        Every name without its like, with the nearest one there is.
    """
    signals, change, limits = list(network.controllers), settings.change, settings.limits
    members = [signal for group in limits.common_cycle for signal in group]
    faults = [
        *_unknown("[change] fixed_signals", change.fixed_signals, signals, "signal"),
        *_unknown("[change] fixed_offsets", change.fixed_offsets, signals, "signal"),
        *_unknown("[limits] common_cycle", members, signals, "signal"),
        *_unknown("[today] share_of", settings.today.share_of, signals, "signal"),
        *_unknown("[signals]", settings.signals, signals, "signal"),
        *_unknown("[limits] storage", limits.storage, list(network.links), "link"),
    ]
    for signal, own in settings.signals.items():
        if signal in network.controllers:
            faults += _own_faults(network.controllers[signal], own, field)
    if faults:
        raise SettingsError(where, faults)


def _own_faults(controller: Controller, own: SignalSettings, field: TimingPlan) -> list[str]:
    """What `[signals.ID]` names that the signal does not have."""
    section = f"[signals.{controller.id}]"
    known = list(dict.fromkeys(x for h in controller.heads for x in (*h.movement_ids, *h.crossing_ids)))
    served = [x for group in own.rings for ring in group for phase in ring for x in phase.split()]
    out = []
    for key, names in (("min_greens", own.min_greens), ("max_greens", own.max_greens), ("rings", served)):
        missing = [name for name in names if not heads_named(controller, name)]
        out += _unknown(f"{section} {key}", missing, known, "movement, crossing or link index")
    program = field.controllers.get(controller.id)
    if own.forbidden_changes and program is not None:
        numbers = [str(n) for n in range(1, len(stage_states(program, controller)) + 1)]
        named = [number for pair in own.forbidden_changes for number in pair]
        out += _unknown(f"{section} forbidden_changes", named, numbers, "stage of the field program")
    return out


def _unknown(where: str, names: Iterable[str], known: Sequence[str], what: str) -> list[str]:
    out = []
    for name in dict.fromkeys(names):
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            hint = f"did you mean {near[0]!r}?" if near else f"there is no {what} at all; take it out"
            out.append(f"{where} names {name!r}, which is no {what} here; {hint}")
    return out
