"""The outcome of an MLP run, as values.

Terminal output and report are made from these values.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import jax
import numpy as np

from mmjax import counts, diagnostics, evaluate, train
from mmjax.counting import smoothing, tree
from mmjax.data import Dataset, corpus
from mmjax.diagnostics import divergence, snapshot
from mmjax.diagnostics.cockpit import cockpit
from mmjax.errors import InputError
from mmjax.evaluate import CountCheck
from mmjax.generate import sample
from mmjax.generate.sample import Sample
from mmjax.model import Model, Predictor, parameter_count
from mmjax.runs.environment import environment
from mmjax.runs.examine import before_training, examine
from mmjax.runs.layout import finite
from mmjax.runs.lists import Lists
from mmjax.runs.lists import losses as losses_of
from mmjax.runs.result import RunResult
from mmjax.runs.samples import marked
from mmjax.runs.verdict import JUDGED
from mmjax.train import Fitted, Progress, Recipe, TrainState

CHECKED_SAMPLES = 20_000
MOST_COUNTED = 2**22  # numbers in the table of Kneser-Ney beside a network; half a second to count
SHOWN_SAMPLES = 20


class Trained(NamedTuple):
    """One network after its training."""

    recipe: Recipe
    state: TrainState
    predictor: Predictor
    progress: Progress
    member: int
    stopped_at: int | None
    """First step, counted from 0, whose loss is not finite or that would start from a non-finite state;
    None if there is none. `state` is that before its chunk."""
    stopped_in: str | None
    """Where the non-finite numbers began, or None."""
    reason: str | None
    """Why training ended before the last step, or None."""


def trained(
    model: Model, recipe: Recipe, fitted: Fitted, member: int, examples: Dataset
) -> Trained:
    """Return one member of what `train.fit` returned."""
    state, progress = fitted.states[member], fitted.progress
    stopped_at = fitted.stopped_at[member]
    stopped_in = None
    if stopped_at is not None:
        bad = stopped_at - progress.step
        stopped_in = divergence.origin(model, recipe, state, examples, bad)
    predictor = train.predictor(model, state)
    return Trained(
        *(recipe, state, predictor, progress, member, stopped_at, stopped_in, fitted.reason)
    )


def calibrated(trained: Trained, lists: Lists) -> Trained:
    """Return the network with BatchNorm statistics of the whole training part."""
    predictor = evaluate.calibrate(trained.predictor, lists.tokens["train"])
    return trained._replace(predictor=predictor)


def counted_losses(lists: Lists, block_size: int) -> dict[str, float]:
    """Return the losses of counting contexts as long as a network's.

    They are those of Kneser-Ney with the formula's discounts, counted from the training part, for
    each part of the list. The dict is empty if the contexts are too many for a small table, or the
    training part is too long for the memory.
    """
    if not lists.whole:
        return {}
    try:
        grown = tree.grow(lists.training, lists.vocab.size, block_size, most=MOST_COUNTED)
    except InputError:
        return {}
    probs = smoothing.table(grown)
    return {part: smoothing.nll(grown, probs, tokens) for part, tokens in lists.tokens.items()}


def result_of(
    trained: Trained,
    lists: Lists,
    examples: Dataset,
    settings: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
    film: Mapping[int, np.ndarray],
    counted: Mapping[str, float],
) -> RunResult:
    """Evaluate a network, compare it with counting, sample and inspect it.

    `film` has the embedding at several steps; `counted` is what `counted_losses` returns.
    """
    predictor, progress, member = trained.predictor, trained.progress, trained.member
    key = jax.random.key(settings["seed"])
    samples = list(islice(sample.stream(predictor, lists.vocab, key), CHECKED_SAMPLES))
    check = check_of(predictor, lists, samples)
    losses = losses_of(lists, predictor)
    compared, listed = lists.compare([drawn.name for drawn in samples[:JUDGED]])
    seen = snapshot.take(predictor.model, trained.recipe, trained.state, examples)
    figures: dict[str, Any] = {
        "names": lists.number,
        "parameters": parameter_count(predictor.params),
        **{f"examples_{part}": number for part, number in lists.examples.items()},
        "measured_on_samples": not lists.whole,
        "steps": progress.step,
        "stopped_at_step": trained.stopped_at,
        "stopped_in": trained.stopped_in,
        "stopped_because": trained.reason,
        "step_of_weights": int(trained.state.step),
        "initial_loss": progress.initial_loss[member],
        "final_loss": progress.final_loss[member],
        **losses,
        **{f"kneser_ney_{name}": counted.get(name.removeprefix("loss_")) for name in losses},
        "bigram_loss_val": counts.pair_nll(lists.pairs["val"], lists.pairs["train"], smoothing=1),
        "perplexity_val": evaluate.perplexity(losses["loss_val"]),
        "bigram_check_kl": check.kl_predicted,
        "bigram_check_kl_sampled": check.kl_sampled,
        "bigram_check_kl_reference": check.kl_reference,
        "bigram_check_kl_val": check.kl_val,
        "bigram_check_passed": check.passed,
        **compared._asdict(),
        "training_seconds": round(progress.seconds, 3),
        "steps_per_second": round(progress.step / progress.seconds, 1) if progress.step else None,
    }
    first = None
    if not settings.get("init_from"):
        first = before_training(predictor.model, trained.recipe, settings["seed"], examples)
    evidence = examine(
        *(predictor, trained.recipe, trained.state, examples),
        *(lists.tokens, seen, records, figures),
        first=first,
    )
    findings, gauges = diagnostics.health(evidence), cockpit(evidence)
    figures["findings"] = [
        f"{finding.grade}: {finding.symptom}, {finding.where}" for finding in findings
    ]
    return RunResult(
        settings,
        finite({**figures, **environment()}),
        records,
        marked(samples[:SHOWN_SAMPLES], listed),
        predictor,
        lists.vocab,
        lists.tokens,
        lists.pairs,
        seen,
        findings,
        gauges,
        film,
    )


def check_of(predictor: Predictor, lists: Lists, samples: Sequence[Sample]) -> CountCheck:
    """Compare the network's letter pairs with those of the training part."""
    sampled = corpus.encode(lists.vocab, [drawn.name for drawn in samples])
    return evaluate.count_check(predictor, lists.tokens["train"], sampled, lists.tokens["val"])
