"""Where a rolling optimizer begins: what it knows of each signal, and the running plan in whole seconds."""

from __future__ import annotations

from collections.abc import Sequence

from network_data.errors import PlanError
from network_data.network import RoadNetwork
from network_data.plans import TimingPlan
from network_data.settings import Settings
from optimizer.candidate import Setting, field_setting
from optimizer.flows import head_flows
from optimizer.models import ControllerModel, build_model
from optimizer.moves import Neighbourhood
from optimizer.rolling.layout import Prior, StreetLayout
from optimizer.start import legal_start

STAGES_UP_TO = 60
"""In larger networks stages stay as they are: laying others out takes 0.1 to 0.5 s a signal."""


def models_of(
    network: RoadNetwork, layout: StreetLayout, prior: Prior, running: TimingPlan, settings: Settings
) -> list[ControllerModel]:
    """Rules and programs of every signal, in the order of the layout.

    Raises
    ------
    PlanError
        A signal has no program in the running plan.
    """
    missing = [name for name in layout.signals if name not in running.controllers]
    if missing:
        raise PlanError("running plan", f"has no program for {', '.join(missing[:5])}; give one for every signal")
    seconds = prior.end_s - prior.begin_s
    mean_vph = 3600 * (seconds @ prior.choice_vps) / seconds.sum()
    flows = {
        (layout.links[a], layout.links[b]): float(v)
        for a, b, v in zip(layout.choice_link, layout.target, mean_vph, strict=True)
        if b >= 0 and v > 0
    }
    with_stages = layout.n_signal <= STAGES_UP_TO
    return [
        build_model(
            network, network.controllers[name], running.controllers[name],
            head_flows(network, network.controllers[name], flows), settings, with_stages=with_stages,
        )
        for name in layout.signals
    ]  # fmt: skip


def first_settings(
    network: RoadNetwork, models: Sequence[ControllerModel], settings: Settings
) -> tuple[list[Setting], Neighbourhood]:
    """The running plan as settings, mended where the rules ask for more; and what may be changed around it."""
    hood = Neighbourhood(models, settings, tuple(field_setting(model) for model in models))
    return list(legal_start(network, hood)), hood
