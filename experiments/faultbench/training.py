"""Training of the bench's settings, each with several seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any

import jax
import numpy as np

from experiments.bench.lists import names_of
from experiments.faultbench.case import Case, Parts, unchanged
from mmjax import corpus, diagnostics, evaluate, mlp, train
from mmjax import data as datasets
from mmjax.data import Dataset
from mmjax.diagnostics import reading, snapshot
from mmjax.diagnostics.evidence import Evidence
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
INITIAL = ("gain", "output_gamma")  # fields of the network that matter at the start alone


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


@dataclass(frozen=True)
class Plan:
    """A setting, made ready for training."""

    case: Case
    model: mlp.MLP
    """The network, with all its options."""
    used: Any
    """What is trained: the fault is in it, and options that it need not know are defaults."""
    recipe: Recipe
    shared: Recipe
    """The recipe, where numbers that are arrays in training are defaults."""
    examples: Dataset
    parts: Parts
    vocab: Any


@dataclass
class Run:
    """One run of a setting; what it has after the start is added chunk by chunk."""

    plan: Plan
    seed: int
    start: TrainState
    state: TrainState
    losses: list[float] = field(default_factory=list)
    records: list[dict[str, float]] = field(default_factory=list)
    stopped: int | None = None
    """First step with a non-finite number."""
    best: float = math.inf
    """Lowest validation loss, if the recipe stops early."""


def plan(case: Case, shipped: str) -> Plan:
    """Return a setting with its network, recipe and dataset; `shipped` is the path of the list."""
    listed = known(case.names, shipped)
    parts: Parts = case.parts({part: listed.tokens[part] for part in ("train", "val")})
    sizes: dict[str, Any] = {"vocab_size": listed.vocab.size, **case.model}
    settings: dict[str, Any] = {"steps": STEPS, "drop_step": 2 * STEPS, **case.recipe}
    model, recipe = mlp.MLP(**sizes), Recipe(**settings)
    # Training sees the defaults of numbers that matter at the start alone, or that are arrays.
    plain = {name: getattr(mlp.MLP(), name) for name in (*INITIAL, "momentum")}
    used = case.wrap(replace(model, **plain))
    shared = replace(recipe, **{n: getattr(Recipe(), n) for n in TRACED if hasattr(recipe, n)})
    training = parts["train"]
    if case.read:
        examples = case.read(training, model)
    else:
        repeated = np.resize(training[1:], len(listed.tokens["train"]) - 1)
        whole = np.append(training[:1], repeated)
        examples = datasets.of(recipe.data, whole, model, noise=recipe.noise)
    return Plan(case, model, used, recipe, shared, examples, parts, listed.vocab)


def trained(
    plan: Plan, seeds: Sequence[int], *, chunk: int = CHUNK, instruments: bool = False
) -> list[Run]:
    """Train a setting with every seed, `chunk` steps at a time.

    With `instruments`, the costly ones are read after each chunk.
    """
    everything = asdict(plan.model) | asdict(plan.recipe)
    traced = [name for name in TRACED if name in may_differ(plan.used)]
    hyper = {name: [float(everything[name])] * len(seeds) for name in traced}
    keys = jax.vmap(jax.random.key)(np.array(seeds, np.uint32))
    states = members.init(plan.case.wrap(plan.model), plan.shared, keys, hyper=hyper)
    states = _each(plan.case.start, states)
    starts = members.unstack(states)
    runs = [Run(plan, seed, one, one) for seed, one in zip(seeds, starts, strict=True)]
    for done in range(0, STEPS, chunk):
        if done == STEPS // 2:
            states = _each(plan.case.resume, states)
            for run, resumed in zip(runs, members.unstack(states), strict=True):
                if run.stopped is None:
                    run.state = resumed
        states, (losses, ratios) = members.advance(
            *(plan.used, plan.shared, states, plan.examples),
            steps=chunk,
            observe=diagnostics.update_ratios,
        )
        for i, (run, after) in enumerate(zip(runs, members.unstack(states), strict=True)):
            if run.stopped is None:
                means = {f"update_ratio/{n}": float(r[i].mean()) for n, r in ratios.items()}
                _add(run, done + chunk, np.asarray(losses[i]), means, after)
                if instruments and run.stopped is None:
                    seen = reading.read(plan.used, plan.shared, after, plan.examples)
                    named = {f"instrument/{n}": float(x) for n, x in seen._asdict().items()}
                    run.records[-1].update(named)
    for run in runs:
        run.state = plan.case.end(run.state)
    return runs


def _each(change: Any, states: TrainState) -> TrainState:
    if change is unchanged:
        return states
    return members.stack([change(state) for state in members.unstack(states)])


def _add(
    run: Run, step: int, losses: np.ndarray, ratios: Mapping[str, float], after: TrainState
) -> None:
    """Add a chunk that ends at `step`, or stop at its first non-finite number.

    The run then keeps the state before the chunk.
    """
    bad = first_bad(after, losses)
    run.losses += losses.tolist()
    if bad is not None:
        run.stopped = step - len(losses) + bad
        return
    run.state = after
    rate = float(np.asarray(schedule_of(run.plan.recipe)(int(after.step) - 1)))
    run.records.append({"step": step, "lr": rate, "loss_batch": float(losses.mean()), **ratios})
    if run.plan.recipe.early_stopping:
        predictor = train.predictor(run.plan.used, after)
        run.best = min(run.best, evaluate.loss(predictor, run.plan.parts["val"]))


def counted(plan: Plan) -> dict[str, float]:
    """Return the losses of counting on the training and the validation part."""
    known = lists.Lists([], plan.vocab, dict(plan.parts), {})
    return outcome.counted_losses(known, plan.model.block_size)


def examined(run: Run, counted: Mapping[str, float]) -> Evidence:
    """Return the evidence of a run; `counted` are the losses of counting."""
    plan, state = run.plan, run.state
    predictor = train.predictor(plan.used, state)
    losses = {
        f"loss_{part}": evaluate.loss(predictor, plan.parts[part]) for part in ("train", "val")
    }
    figures = {
        "initial_loss": run.losses[0],
        "final_loss": float(np.mean(run.losses[-LAST:])),
        "stopped_at_step": run.stopped,
        "steps": run.records[-1]["step"] if run.records else 0,
        **losses,
        **{f"kneser_ney_loss_{part}": counted.get(part) for part in ("train", "val")},
    }
    seen = snapshot.take(plan.used, plan.recipe, state, plan.examples)
    first = snapshot.take(plan.used, plan.recipe, run.start, plan.examples)
    evidence = examine(
        *(predictor, plan.recipe, state, plan.examples, plan.parts, seen, run.records, figures),
        first=first,
    )
    return evidence._replace(model=plan.model)
