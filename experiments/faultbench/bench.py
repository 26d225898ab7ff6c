"""The bench: each setting is trained with several seeds, examined, and judged by its findings."""

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.bench.lists import names_of
from experiments.faultbench.case import Case, Parts, unchanged
from experiments.faultbench.faults import FAULTS
from experiments.faultbench.healthy import HEALTHY
from mmjax import corpus, diagnostics, evaluate, mlp, train
from mmjax import data as datasets
from mmjax.diagnostics import Finding, snapshot
from mmjax.runs import lists, outcome
from mmjax.runs.examine import examine
from mmjax.train import Recipe, TrainState, members
from mmjax.train.loop import first_bad
from mmjax.train.recipe import may_differ
from mmjax.train.schedules import schedule_of

STEPS, CHUNK = 1_000, 250
LAST = 100  # steps whose mean is the final loss
# Numbers that are arrays in training, so that settings which differ in them are compiled once.
TRACED = ("learning_rate", "drop_step", "drop_factor", "momentum")
SPLIT = frozenset(lists.SPLITTING)
INITIAL = ("gain", "output_gamma")  # fields of the network that matter at the start alone


class Outcome(NamedTuple):
    """One run of a setting."""

    seed: int
    findings: list[Finding]
    loss_val: float

    @property
    def remedy(self) -> Mapping[str, Any]:
        """The options of the first alarm; empty if it has none, or they change the list."""
        first = next((each.changes for each in self.findings if each.grade != "note"), {})
        return {} if {*first} & SPLIT else first

    @property
    def alarms(self) -> list[str]:
        """The symptoms of the findings that are no notes, the first ones first."""
        return [each.symptom for each in self.findings if each.grade != "note"]


@cache
def known(name: str, shipped: str) -> lists.Lists:
    """Return a list of the bench, split and encoded."""
    if name == "russian":
        names = names_of("russian")
    else:
        names = corpus.read_names(shipped)
        names = {
            "shipped": lambda: names,
            "part": lambda: names[::8],
            "backwards": lambda: [each[::-1] for each in names],
            "pairs": lambda: [f"{a} {b}" for a, b in zip(names[::2], names[1::2], strict=False)],
        }[name]()
    return lists.split_and_encode(names, seed=42, shuffles=2)


CASES = {case.name: case for case in (*FAULTS, *HEALTHY)}


def outcomes(name: str, seeds: int, shipped: str) -> tuple[list[Outcome], float]:
    """Return the outcomes of a setting, and the seconds that it took; a worker's task."""
    started = time.perf_counter()
    found = [*run(CASES[name], range(seeds), shipped)]
    return found, time.perf_counter() - started


def remedied(name: str, changes: Mapping[str, Any], seeds: int, shipped: str) -> list[float]:
    """Return the validation losses of a setting with other options, but with its fault."""
    case, sizes = CASES[name], {each.name for each in fields(mlp.MLP)}
    model = {option: value for option, value in changes.items() if option in sizes}
    recipe = {option: value for option, value in changes.items() if option not in sizes}
    changed = replace(case, model={**case.model, **model}, recipe={**case.recipe, **recipe})
    return [each.loss_val for each in run(changed, range(seeds), shipped)]


def run(case: Case, seeds: Sequence[int], shipped: str) -> Iterator[Outcome]:
    """Train a setting with every seed and yield what is found."""
    listed = known(case.names, shipped)
    parts: Parts = case.parts({part: listed.tokens[part] for part in ("train", "val")})
    sizes: dict[str, Any] = {"vocab_size": listed.vocab.size, **case.model}
    settings: dict[str, Any] = {"steps": STEPS, "drop_step": 2 * STEPS, **case.recipe}
    model, recipe = mlp.MLP(**sizes), Recipe(**settings)
    # Training sees the defaults of numbers that matter at the start alone, or that are arrays.
    plain = {name: getattr(mlp.MLP(), name) for name in (*INITIAL, "momentum")}
    used, started = case.wrap(replace(model, **plain)), case.wrap(model)
    shared = replace(recipe, **{n: getattr(Recipe(), n) for n in TRACED if hasattr(recipe, n)})
    everything = asdict(model) | asdict(recipe)
    traced = [name for name in TRACED if name in may_differ(used)]
    hyper = {name: [float(everything[name])] * len(seeds) for name in traced}
    keys = jax.vmap(jax.random.key)(np.array(seeds, np.uint32))
    training = parts["train"]
    if case.read:
        examples = case.read(training, model)
    else:
        repeated = np.resize(training[1:], len(listed.tokens["train"]) - 1)
        whole = np.append(training[:1], repeated)
        examples = datasets.of(recipe.data, whole, model, noise=recipe.noise)
    states = members.init(started, shared, keys, hyper=hyper)
    states = _each(case.start, states)
    starts = members.unstack(states)
    runs = [_Run([], [], None) for _ in seeds]
    schedule = schedule_of(recipe)
    for chunk in range(STEPS // CHUNK):
        if chunk == STEPS // CHUNK // 2:
            states = _each(case.resume, states)
        before = members.unstack(states)
        states, (losses, ratios) = members.advance(
            *(used, shared, states, examples),
            steps=CHUNK,
            observe=diagnostics.update_ratios,
        )
        after = members.unstack(states)
        for i, one in enumerate(runs):
            if one.stopped is None:
                rate = float(np.asarray(schedule(int(after[i].step) - 1)))
                means = {f"update_ratio/{n}": float(r[i].mean()) for n, r in ratios.items()}
                one.add(chunk, np.asarray(losses[i]), rate, means, before[i], after[i])
                if recipe.early_stopping:
                    predictor = train.predictor(used, one.state)
                    one.best = min(one.best, evaluate.loss(predictor, parts["val"]))
    smoothed = outcome.counted_losses(
        lists.Lists([], listed.vocab, dict(parts), {}), model.block_size
    )
    for seed, one, start in zip(seeds, runs, starts, strict=True):
        one.state = case.end(one.state)
        yield _examined(one, seed, start, used, model, recipe, examples, parts, smoothed)


def _each(change: Any, states: TrainState) -> TrainState:
    if change is unchanged:
        return states
    return members.stack([change(state) for state in members.unstack(states)])


class _Run:
    """What is kept of one run while it trains."""

    def __init__(self, losses: list[float], records: list[dict[str, float]], stopped: int | None):
        self.losses, self.records, self.stopped = losses, records, stopped
        self.state: Any = None
        self.best = math.inf

    def add(
        self,
        chunk: int,
        losses: np.ndarray,
        rate: float,
        ratios: Mapping[str, float],
        before: TrainState,
        after: TrainState,
    ) -> None:
        """Add a chunk, or stop at its first non-finite number and keep the state before it."""
        bad = first_bad(after, losses)
        self.losses += losses.tolist()
        if bad is not None:
            self.stopped, self.state = chunk * CHUNK + bad, before
            return
        self.state = after
        self.records.append({"step": (chunk + 1) * CHUNK, "lr": rate, **ratios})


def _examined(
    one: _Run,
    seed: int,
    start: TrainState,
    used: Any,
    model: mlp.MLP,
    recipe: Recipe,
    examples: Any,
    parts: Parts,
    smoothed: Mapping[str, float],
) -> Outcome:
    state: Any = one.state
    predictor = train.predictor(used, state)
    losses = {f"loss_{part}": evaluate.loss(predictor, parts[part]) for part in ("train", "val")}
    figures = {
        "initial_loss": one.losses[0],
        "final_loss": float(np.mean(one.losses[-LAST:])),
        "stopped_at_step": one.stopped,
        "steps": len(one.records) * CHUNK,
        **losses,
        **{f"kneser_ney_loss_{part}": smoothed.get(part) for part in ("train", "val")},
    }
    seen = snapshot.take(used, recipe, state, examples)
    first = snapshot.take(used, recipe, start, examples)
    evidence = examine(
        *(predictor, recipe, state, examples, parts, seen, one.records, figures), first=first
    )
    found = diagnostics.health(evidence._replace(model=model))
    return Outcome(seed, found, min(losses["loss_val"], one.best))


class Tally(NamedTuple):
    """Findings of several runs of faults, or of healthy settings, counted."""

    runs: int
    detected: int
    named: int
    """Runs with the cause among the first two findings."""

    @property
    def shares(self) -> tuple[float, float]:
        """Return the shares of detected and of named runs."""
        total = self.runs or math.nan
        return self.detected / total, self.named / total


def tally(found: Iterable[tuple[Case, Sequence[Outcome]]]) -> Tally:
    """Count detected runs and named causes; for healthy runs, `detected` are the false alarms."""
    runs = detected = named = 0
    for case, outcomes in found:
        for each in outcomes:
            runs += 1
            detected += bool(each.alarms)
            named += any(symptom in case.symptoms for symptom in each.alarms[:2])
    return Tally(runs, detected, named)
