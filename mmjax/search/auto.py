"""Models chosen for a list by validation loss: counted ones, networks, and their mixture."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np

from mmjax import counting, data, evaluate, metrics
from mmjax.counting import cross_fit
from mmjax.errors import InputError
from mmjax.model import Predictor, parameter_count
from mmjax.models import mlp
from mmjax.runs.lists import Lists
from mmjax.train import Best, Recipe, TrainState, fit, members, predictor
from mmjax.train.loop import Sink, Stop

MOST_ORDERS = 6  # letters of the longest counted contexts
LARGE = 50_000  # training examples from which networks are larger
MEASUREMENTS = 24  # of the validation loss in a training
FURTHER_STEPS = 1_200  # for a network that is trained already
FURTHER_RATES = (0.0001, 0.001)  # learning rates for it, for a list like its own and for another
PATIENCE = 6  # measurements without a lower loss that end it


class Candidate(NamedTuple):
    """A model that was tried."""

    name: str
    predictor: Predictor
    loss_val: float
    """Validation loss in nats per character. That of a mixture is cross-fitted."""
    parameters: int
    seconds: float
    """Time to train or count it."""
    step: int | None = None
    """Step with the lowest validation loss, whose weights were kept; None of a counted model."""
    steps: int | None = None
    """Steps that were trained."""


class Kind(NamedTuple):
    """Networks that are trained together and differ only in one number."""

    name: str
    model: mlp.MLP
    recipe: Recipe
    differ: tuple[str, tuple[float, ...]]
    """The number in which they differ, by its name in `HYPER`, and that of each network."""
    start: Callable[[TrainState], TrainState] | None = None
    """Makes other first states of theirs; None leaves them."""


def counted(known: Lists) -> Iterator[Candidate]:
    """Yield Kneser-Ney with tuned discounts, from two letters on, until longer contexts are worse."""
    best = np.inf
    for order in range(2, MOST_ORDERS + 1):
        started = time.perf_counter()
        try:
            tree = counting.grow(known.tokens["train"], known.vocab.size, order)
        except InputError:  # too many contexts for the memory
            return
        discounts = counting.tune_tree(tree, known.tokens["val"])
        model = counting.of_tree(tree, discounts)
        loss = evaluate.loss(model, known.tokens["val"])
        name = f"counting {order} letters"
        yield Candidate(name, model, loss, *_size(model, started))
        if loss > best:
            return
        best = loss


def kinds(known: Lists, *, steps: int | None = None) -> list[Kind]:
    """Return the networks to try, of sizes and steps that fit the list.

    `steps` replaces the number of training steps.
    """
    examples = len(known.tokens["train"]) - 1
    large = examples >= LARGE
    auto = min(1_200 + examples // 40, 6_000)
    recipe = Recipe(
        steps=steps if steps is not None else auto // MEASUREMENTS * MEASUREMENTS,
        batch_size=256,
        optimizer="adamw",
        schedule="linear",
        learning_rate=0.004,
        warmup_steps=50,
        weight_decay=0.1,
        early_stopping=True,
        patience=PATIENCE,
    )
    common = {"vocab_size": known.vocab.size, "norm_input": True, "position": True}
    short = mlp.MLP(
        **common, block_size=3, hidden_size=200 if large else 64, hidden_layers=2 if large else 1
    )
    long = mlp.MLP(
        **common,
        block_size=8,
        embedding_dim=16,
        hidden_size=256 if large else 128,
        hidden_layers=3 if large else 2,
        activation="gelu",
        residual=large,
    )
    dropouts = "dropout", ((0.05, 0.15) if large else (0.1, 0.4))
    return [
        Kind("network, 3 letters", short, recipe, dropouts),
        Kind("network, 8 letters", long, replace(recipe, noise=0.2), dropouts),
    ]


def further(
    name: str, model: mlp.MLP, known: Lists, start: Callable[[TrainState], TrainState]
) -> Kind:
    """Return a trained network to train further on this list; `start` gives its first states."""
    recipe = kinds(known, steps=FURTHER_STEPS)[0].recipe
    return Kind(name, model, recipe, ("learning_rate", FURTHER_RATES), start)


def trained(
    kind: Kind,
    known: Lists,
    seed: int,
    *,
    sink: Sink | None = None,
    stops: Sequence[Stop] = (),
) -> list[Candidate]:
    """Return the networks of a kind, each with the weights of its lowest validation loss."""
    started = time.perf_counter()
    model, recipe = kind.model, kind.recipe
    name, numbers = kind.differ
    keys = jax.random.split(jax.random.key(seed), len(numbers))
    states = members.init(model, recipe, keys, hyper={name: numbers})
    if kind.start:
        states = kind.start(states)
    every = max(2, recipe.steps // MEASUREMENTS)
    best = Best(recipe.patience)
    fitted = fit(
        *(model, recipe, states),
        data.of(recipe.data, known.tokens["train"], model, noise=recipe.noise),
        chunk=every,
        metrics=[metrics.losses(recipe), metrics.validation(model, known.tokens["val"], every)],
        sinks=[best.sink, *([sink] if sink else [])],
        stops=[best.stop, *stops],
    )
    candidates = []
    for number, state, loss in zip(numbers, best.states, best.losses, strict=True):
        network = predictor(model, state)
        title = f"{kind.name}, {name.replace('learning_', '')} {number:g}"
        parameters, seconds = _size(network, started)
        share = seconds / len(numbers)  # they were trained side by side
        steps = int(state.step), fitted.progress.step
        candidates.append(Candidate(title, network, loss, parameters, share, *steps))
    return [candidate for candidate in candidates if np.isfinite(candidate.loss_val)]


def mixed(candidates: Sequence[Candidate], known: Lists) -> Candidate:
    """Return the mixture of all candidates, with its cross-fitted validation loss."""
    started = time.perf_counter()
    predictors = [candidate.predictor for candidate in candidates]
    found = cross_fit.geometric(predictors, known.tokens["val"], positions=(1, 8))
    size = _size(found.predictor, started)
    return Candidate("all of these together", found.predictor, found.loss, *size)


def _size(model: Predictor, started: float) -> tuple[int, float]:
    return parameter_count(model.params), time.perf_counter() - started


def search(
    known: Lists,
    seed: int,
    *,
    steps: int | None = None,
    more: Sequence[Kind] = (),
    show: Callable[[Candidate], Any] = lambda candidate: None,
    bar: Callable[[Kind], AbstractContextManager[Sink | None]] = lambda kind: nullcontext(),
    stops: Sequence[Stop] = (),
) -> list[Candidate]:
    """Return all candidates for a list, the one with the lowest validation loss first.

    Nothing is chosen by the test part. `more` are networks to try besides. `show` gets each candidate as it is ready, and `bar` yields a
    sink of `train.fit` while networks train. Once one of the `stops` gives a reason, no more
    networks are trained.
    """
    found: list[Candidate] = []

    def add(candidates: Iterator[Candidate] | list[Candidate]) -> None:
        for candidate in candidates:
            found.append(candidate)
            show(candidate)

    add(counted(known))
    for kind in (*kinds(known, steps=steps), *more):
        if not any(stop([]) for stop in stops):
            with bar(kind) as sink:
                networks = trained(kind, known, seed, sink=sink, stops=stops)
            add(networks)
    if len(found) > 1:
        add([mixed(found, known)])
    return sorted(found, key=lambda candidate: candidate.loss_val)
