"""Times of several programs that take turns, so that what disturbs one disturbs all."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import jax
from tqdm import tqdm

from mmjax import mlp, train
from mmjax.data import Data, Sharded, everywhere

PIECE = 0.15  # seconds that the steps of a piece take, about
FEWEST, MOST = 10, 1_000  # steps in a piece


def piece(
    config: mlp.MLP, recipe: train.Recipe, data: Data, models: int | None = None
) -> Callable[[int], object]:
    """Return a function that trains one model, or several, for a number of steps."""
    key = jax.random.key(0)
    trainer = train.members if models else train
    keys = jax.random.split(key, models) if models else key
    state: Any = trainer.init(config, recipe, keys)
    if isinstance(data, Sharded):
        state, data = everywhere((state, data), data.mesh)
    states = [state]

    def go(steps: int) -> None:
        advance = train.members.advance if models else train.advance
        states[0], losses = advance(config, recipe, states[0], data, steps=steps)
        losses.block_until_ready()

    return go


def take_turns(pieces: dict, rounds: int, title: str, together: int | None = None) -> dict:
    """Return the microseconds per step of each piece.

    This is the median over rounds in which the pieces take turns. A turn has `together` steps, by
    default as many as fit into `PIECE` seconds.
    """
    steps, times = {}, {name: [] for name in pieces}
    for name, go in tqdm(pieces.items(), desc=f"{title}: first steps", disable=None):
        steps[name] = together or steps_for(go)
        go(steps[name])
    for _ in tqdm(range(rounds), desc=f"{title}: measure", disable=None):
        for name, go in pieces.items():
            times[name].append(timed(go, steps[name]))
    return {name: median(taken) for name, taken in times.items()}


def timed(go: Callable[[int], object], steps: int) -> float:
    """Return the microseconds per step."""
    started = time.perf_counter()
    go(steps)
    return 1e6 * (time.perf_counter() - started) / steps


def steps_for(go: Callable[[int], object]) -> int:
    """Return how many steps make a piece, an even number."""
    go(FEWEST)
    return 2 * int(min(max(PIECE * 1e6 / timed(go, FEWEST), FEWEST), MOST) / 2)
