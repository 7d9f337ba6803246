"""The optimizer's public call: demand and the plan in the field in, a better and checked plan out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from network_data.controllers import Controller
from network_data.demand import DemandScenarios
from network_data.errors import InfeasibleError
from network_data.network import RoadNetwork
from network_data.plans import ControllerPlan, TimingPlan
from network_data.rings import phases_of, starting_at_stage
from network_data.rules import Finding, check_plan, protected_indices
from network_data.settings import Settings
from network_data.signal_limits import plan_matrix
from network_data.trips import Trips
from network_data.warrant import left_turn_warrant
from optimizer.bandwidth.wanted import wanted_bands
from optimizer.candidate import Candidate, Setting, changed, field_setting, timing_plan
from optimizer.coordination import Coordinator
from optimizer.flows import head_flows, highest_flows_vph, mean_flows_vph, queued_links
from optimizer.large.climb import climb_large
from optimizer.large.places import groups_of, places_of
from optimizer.large.programs import RememberingSimulator
from optimizer.large.sequences import KEPT, add_sequences
from optimizer.models import ControllerModel, build_model
from optimizer.moves import Neighbourhood, loads
from optimizer.objectives import weighing_of
from optimizer.own_cycles import own_cycles
from optimizer.resume import candidate_of
from optimizer.robust import with_drawn_counts
from optimizer.search import Evaluator, Search, climb
from optimizer.storage import StorageGuard
from sim.parameters import STREET
from sim.simulate import Simulator
from sim.trips import draw_trips

STAGES_UP_TO = 60
"""In larger networks only splits, cycle and offsets are searched, many signals at once (`optimizer.large`)."""
BOUNDED_UP_TO = 400
"""In larger networks (and in large ones with a time limit) the bound on the last plan's offsets is left out."""
DRAWS = {1: 3, 2: 2}
"""Realizations per scenario, by number of scenarios; one where there are more."""
LARGE_DRAWS = {1: 2}
"""The same in networks beyond `STAGES_UP_TO`, where vehicles are many."""
ONE_DRAW_FROM = 500
"""Signals from which every scenario is drawn once."""
FEW_SEQUENCES = 2
"""New sequences of stages per signal from as many signals on: each takes some milliseconds to check."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One step of the ladder."""

    name: str
    plan: TimingPlan
    objective: float
    iterations: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """What the optimizer found. `objective` values are s/veh, weighted as the settings say; `findings` are warnings."""

    plan: TimingPlan
    ladder: tuple[Step, ...]
    objective_before: float
    objective_after: float
    iterations: int
    n_runs: int
    findings: tuple[Finding, ...]
    simulator: Simulator
    notes: tuple[str, ...]
    weights: tuple[float, ...] | None
    bounds: tuple[dict[str, Any], ...]
    offset_steps: tuple[dict[str, Any], ...] = ()
    bands: tuple[dict[str, Any], ...] = ()
    recent: tuple[Step, ...] = ()
    """The best plans before the last, worse in the simulation by little: for a second model to choose from."""
    mean_plan: TimingPlan | None = None
    """Where the tail counts: the plan for the mean alone that the search began with."""


def draws_of(demand: DemandScenarios, n_signal: int = 0) -> int:
    """How often each scenario is drawn."""
    if n_signal >= ONE_DRAW_FROM:
        return 1
    return (LARGE_DRAWS if n_signal > STAGES_UP_TO else DRAWS).get(len(demand.scenarios), 1)


def weights_of(demand: DemandScenarios, n_signal: int = 0) -> tuple[float, ...] | None:
    """Weight of each realization of `realizations_of`; None where all days count alike."""
    if len(set(demand.weights)) == 1:
        return None
    n = draws_of(demand, n_signal)
    return tuple(weight / n for weight in demand.weights for _ in range(n))


def realizations_of(demand: DemandScenarios, *, seed: int, warmup_s: float, network: RoadNetwork) -> list[Trips]:
    """The vehicles of every scenario, drawn as often as `DRAWS` says."""
    return [
        draw_trips(network, scenario, seed=seed * 1000 + 10 * i + n, warmup_s=warmup_s, spacing_m=STREET.spacing_m)
        for i, scenario in enumerate(demand.scenarios)
        for n in range(draws_of(demand, len(network.controllers)))
    ]


def optimize(
    network: RoadNetwork,
    demand: DemandScenarios,
    field: TimingPlan,
    settings: Settings,
    *,
    begin_s: float,
    end_s: float,
    seed: int = 0,
    iterations: int | None = None,
    deadline: float | Callable[[], float] | None = None,
    warmup_s: float = 0.0,
    measured_links: frozenset[str] | None = None,
    saturation: Callable[[Sequence[Trips]], Mapping[tuple[str, int], float]] | None = None,
    progress: Callable[[int, str, float], None] | None = None,
    stop: Callable[[], bool] | None = None,
    keep_recent: bool = False,
    known: TimingPlan | None = None,
) -> Result:
    """Find a better plan.

    Parameters
    ----------
    demand : DemandScenarios
        One scenario per day, or a few days that stand for all; what is minimized is the mean by their weights, and as
        `[objective]` says the mean of the worst, over the days and over draws of them within the ranges of the counts.
    field : TimingPlan
        The plan in the field: the start, and the yardstick of every rule.
    begin_s, end_s : float
        Period, local seconds after midnight. [s]
    iterations, deadline
        When to stop, see `climb`; both None stops after the quotas of all rungs once over. A deadline that can be
        called is asked for when all is laid out and the search begins.
    measured_links : frozenset of str, optional
        Links with a loop or a turning count; approaches that are not among them keep most of their green share.
        Default: all links count as measured.
    saturation : callable, optional
        From the drawn vehicles to (link, lane) → saturation flow from the field or a manual [veh/h]; the simulation
        and the closed-form splits take it. Default: as network and vehicles give it.
    progress : callable, optional
        Called with (iteration, rung, objective).
    stop : callable, optional
        Asked before each iteration; where it says so, the best plan so far is the result.
    keep_recent : bool
        Also finish the plans that were the best before the last.
    known : TimingPlan, optional
        A plan found before, say for another hour: the search begins there where it is better.

    Raises
    ------
    InfeasibleError
        No plan keeps the rules.
    """
    drawn = with_drawn_counts(demand, settings.objective.drawn_counts, seed=seed)
    trips = realizations_of(drawn, seed=seed, warmup_s=warmup_s, network=network)
    saturation_vph = saturation(trips) if saturation is not None else {}
    simulator = (RememberingSimulator if len(network.controllers) > STAGES_UP_TO else Simulator)(
        network, trips, begin_s=begin_s, end_s=end_s, warmup_s=warmup_s, seed=seed, workers=settings.search.workers,
        saturation_vph=saturation_vph, start_up_s=settings.saturation.start_ups_s(network),
    )  # fmt: skip
    flows, highest = mean_flows_vph(demand), highest_flows_vph(demand)
    unmeasured = frozenset() if measured_links is None else frozenset(network.links) - measured_links
    models = [
        build_model(
            network,
            controller,
            field.controllers[c],
            head_flows(network, controller, flows, saturation_vph=saturation_vph, highest_vph=highest),
            settings,
            with_stages=len(network.controllers) <= STAGES_UP_TO,
            may_lose=_may_lose(network, controller, field.controllers[c], settings, demand),
            demand=demand,
            unmeasured_links=unmeasured,
            queued_links=queued_links(demand),
        )
        for c, controller in network.controllers.items()
    ]
    if len(models) > STAGES_UP_TO:
        for model in models:
            may_lose = _may_lose(network, model.controller, model.field, settings, demand)
            most = FEW_SEQUENCES if len(models) >= ONE_DRAW_FROM else KEPT
            add_sequences(network, model, settings, demand, may_lose=may_lose, most=most)
    weights = weights_of(drawn, len(models))
    wanted = wanted_bands(network, flows, settings)
    weighing = weighing_of(network, settings.objective, settings.people, trips, begin_s=begin_s, end_s=end_s)
    evaluator = Evaluator(simulator, models, settings.objective, weights, wanted, weighing)
    today: Candidate = tuple(_untouched(model) for model in models)
    before = evaluator.values([today], range(simulator.n_realizations))[0]
    neighbourhood = Neighbourhood(models, settings, tuple(field_setting(model) for model in models))
    coordinator = Coordinator(network, demand, simulator, neighbourhood, seed, wanted)
    until_s = deadline() if callable(deadline) else deadline
    stopping: dict[str, Any] = {"iterations": iterations, "deadline": until_s, "progress": progress, "stop": stop}
    begin = None if known is None else (lambda legal: candidate_of(network, neighbourhood, known, legal))
    stopping["known"] = begin
    if len(models) > STAGES_UP_TO:
        search = _climb_large(network, demand, field, evaluator, neighbourhood, seed=seed, trips=trips, **stopping)
    else:
        search = climb(evaluator, neighbourhood, settings, seed=seed, coordinator=coordinator, **stopping)
    ladder, findings, notes = _ladder(network, models, search, field, settings, demand)
    if search.excess > 0:
        StorageGuard(simulator, settings.limits.storage).refuse(ladder[-1].plan, field)
    if not wanted.hold(ladder[-1].plan):
        notes.append(f"a green band is narrower than the {wanted.least_s} s asked for: the check put signals back")
    return Result(
        plan=ladder[-1].plan,
        ladder=ladder,
        objective_before=evaluator.expected(before),
        objective_after=search.objective,
        iterations=search.iterations,
        n_runs=evaluator.n_runs,
        findings=tuple(findings),
        simulator=simulator,
        weights=weights,
        notes=tuple(notes),
        bounds=(
            *_reserves(models, search.best),
            *(_offset_bounds(coordinator, search.best) if deadline is None or len(models) <= STAGES_UP_TO else ()),
        ),
        offset_steps=tuple(step.as_record() for step in coordinator.steps),
        bands=tuple(wanted.record(field, ladder[-1].plan)),
        recent=_recent(network, models, search, field, settings, demand) if keep_recent else (),
    )


def _climb_large(
    network: RoadNetwork,
    demand: DemandScenarios,
    field: TimingPlan,
    evaluator: Evaluator,
    hood: Neighbourhood,
    *,
    seed: int,
    trips: Sequence[Trips],
    **stopping: Any,
) -> Search:
    """The climb of `optimizer.large` with the network's coordination groups."""
    flows = mean_flows_vph(demand)
    own = own_cycles(network, field, demand, hood.settings.limits)
    return climb_large(
        evaluator,
        hood,
        hood.settings,
        seed=seed,
        places=places_of(network, flows),
        groups=groups_of(network, {c: one.cycle_s for c, one in own.items()}, flows, hood),
        trips=trips,
        demand=demand,
        **stopping,
    )


def _reserves(models: list[ControllerModel], candidate: Candidate) -> list[dict[str, Any]]:
    """Per controller the largest reserve of capacity that any splits could leave, and what the plan's leave."""
    out = []
    for model, setting in zip(models, candidate, strict=True):
        found = model.splits(setting.skeleton, setting.cycle_s) if setting.skeleton >= 0 else None
        worst = float(loads(model, setting).max(initial=0.0))
        if found is not None and worst > 0:
            out.append(
                {
                    "model": "linear program over splits, closed-form capacities; cycle, stages and flows held fixed",
                    "controller": model.controller.id,
                    "quantity": "least capacity over flow of any link index [-]",
                    "bound": round(found[1], 4),
                    "reached": round(1 / worst, 4),
                }
            )
    return out


def _offset_bounds(coordinator: Coordinator, candidate: Candidate) -> list[dict[str, Any]]:
    """How near the plan's offsets are to the best in its link cost tables, where these are quickly made."""
    return coordinator.bound_of(candidate) if coordinator.able and len(candidate) <= BOUNDED_UP_TO else []


def _may_lose(
    network: RoadNetwork, controller: Controller, field: ControllerPlan, settings: Settings, demand: DemandScenarios
) -> frozenset[int]:
    """Link indices that may end up without a protected green, as `left_turns` has it.

    A loss of protection is asked for, not met by surprise: in a small network, which people check signal by signal, the
    default alone is no leave, so that its plans also pass a judge who refuses every loss.
    """
    protected = protected_indices(controller, field)
    if settings.rules.left_turns != "warrant":
        return frozenset(protected) if settings.rules.left_turns == "free" else frozenset()
    if len(network.controllers) <= STAGES_UP_TO and not settings.rules.warrants_asked:
        return frozenset()
    assume = settings.rules.pedestrians == "assume"
    return frozenset(
        k for k in protected if left_turn_warrant(network, controller, k, demand, assume_crossings=assume).allowed
    )


def _untouched(model: ControllerModel) -> Setting:
    """The field program as it is, fractions of seconds and all."""
    setting = field_setting(model)
    return replace(setting, skeleton=-1)


def _ladder(
    network: RoadNetwork,
    models: list[ControllerModel],
    search: Search,
    field: TimingPlan,
    settings: Settings,
    demand: DemandScenarios,
) -> tuple[tuple[Step, ...], list[Finding], list[str]]:
    """Every rung's plan in its final form; the last one has passed the check."""
    steps, notes = [], []
    findings: list[Finding] = []
    legal = _legal(models, search)
    for n, rung in enumerate(search.rungs):
        if len(models) > STAGES_UP_TO and n + 1 < len(search.rungs):
            # only what leaves is checked and laid out for people: both take seconds in large networks
            plan = timing_plan(models, rung.candidate)
            steps.append(Step(name=rung.name, plan=plan, objective=rung.objective, iterations=rung.iterations))
            continue
        candidate, findings, refused = _passing(network, models, rung.candidate, legal, field, settings, demand)
        notes += [f"{rung.name}: {text}" for text in refused]
        plan = finished(network, models, candidate, field, settings)
        steps.append(Step(name=rung.name, plan=plan, objective=rung.objective, iterations=rung.iterations))
    return tuple(steps), findings, notes


def _legal(models: list[ControllerModel], search: Search) -> list[Setting]:
    """What each controller falls back to: the field's program as it is, unless the settings ask for more."""
    return [
        _untouched(m) if first.key() == field_setting(m).key() else first
        for m, first in zip(models, search.first, strict=True)
    ]


def _recent(
    network: RoadNetwork,
    models: list[ControllerModel],
    search: Search,
    field: TimingPlan,
    settings: Settings,
    demand: DemandScenarios,
) -> tuple[Step, ...]:
    """The candidates that were the best before the last, in their final form; those of the ladder left out."""
    known = {tuple(setting.key() for setting in rung.candidate) for rung in search.rungs}
    out = []
    for rung in search.recent:
        if tuple(setting.key() for setting in rung.candidate) not in known:
            candidate, _, refused = _passing(
                network, models, rung.candidate, _legal(models, search), field, settings, demand
            )
            if not refused:
                plan = finished(network, models, candidate, field, settings)
                name = f"iteration {rung.iterations}"
                out.append(Step(name=name, plan=plan, objective=rung.objective, iterations=rung.iterations))
    return tuple(out)


def _passing(
    network: RoadNetwork,
    models: list[ControllerModel],
    candidate: Candidate,
    legal: list[Setting],
    field: TimingPlan,
    settings: Settings,
    demand: DemandScenarios,
) -> tuple[Candidate, list[Finding], list[str]]:
    """The candidate, with controllers that the check refuses put back to the field's program."""
    refused: list[str] = []
    for _ in range(2):
        findings = check_plan(network, timing_plan(models, candidate), field, settings, demand=demand)
        errors = [finding for finding in findings if finding.severity == "error"]
        if not errors:
            return candidate, findings, refused
        for at, model in enumerate(models):
            mine = [e.text for e in errors if e.controller == model.controller.id]
            if mine:
                refused.append(f"controller {model.controller.id!r} keeps the field's program: {mine[0]}")
                candidate = changed(candidate, at, legal[at])
    texts = "; ".join(f"{e.controller}: {e.text}" for e in errors[:5])
    raise InfeasibleError(f"the plan in the field itself breaks the rules set: {texts}. Loosen the settings")


def finished(
    network: RoadNetwork, models: list[ControllerModel], candidate: Candidate, field: TimingPlan, settings: Settings
) -> TimingPlan:
    """The plan as people read it: each program begins with its first stage and carries its phases."""
    out: dict[str, ControllerPlan] = {}
    for controller_id, program in timing_plan(models, candidate).controllers.items():
        controller = network.controllers[controller_id]
        turned = starting_at_stage(program, controller)
        matrix = plan_matrix(network, controller, field.controllers[controller_id], settings)
        out[controller_id] = replace(turned, barrier_groups=phases_of(controller, network, turned, matrix))
    return TimingPlan(controllers=out)
