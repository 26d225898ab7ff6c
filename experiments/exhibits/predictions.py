"""Exhibits of what a network predicts, of its list, and of the loss around it."""

from dataclasses import replace
from statistics import fmean

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from experiments.exhibits.exhibit import Exhibit, Sample, band, bars, curves
from mmjax import train
from mmjax.diagnostics.coordinates import moved, slopes
from mmjax.diagnostics.slices import loss_slice, random_direction
from mmjax.diagnostics.snapshot import contexts_to_measure
from mmjax.evaluate.breakdown import by_position, reliability
from mmjax.plots.style import COLOURS, literal
from mmjax.train import Recipe

WIDTHS = (32, 64, 128, 256)
CHECKED_STEPS, SEEDS = 10, range(3)
REACH = np.linspace(-1, 1, 41)  # of a slice, in norms of the weights
MOST = 10  # positions in a name


def _draw_readings(axes: Axes, run: Sample) -> None:
    if run.evidence.probe:
        bars(axes, run.evidence.probe.losses)
    axes.set_xlabel("loss on validation names")


def _margin(run: Sample) -> float:
    own, *others = run.evidence.probe.losses.values() if run.evidence.probe else (np.nan, np.nan)
    return own - min(others)


def _draw_shares(axes: Axes, run: Sample) -> None:
    if figures := run.evidence.lists:
        shares = {"found": 100 * figures.shared, "expected": 100 * figures.shared_expected}
        band(axes, 0, shares["expected"] + 10, upright=True)
        bars(axes, shares)
    axes.set_xlabel("% of the validation names that also stand in training")


def _leaked(run: Sample) -> float:
    figures = run.evidence.lists
    return 100 * (figures.shared - figures.shared_expected) if figures else np.nan


def _reliability(run: Sample) -> np.ndarray:
    """Return the rows: predicted probability, observed share and number of predictions."""
    bins = reliability(run.predictor, run.run.plan.parts["val"])
    return np.array([(each.predicted, each.observed, each.predictions) for each in bins]).T


def _draw_reliability(axes: Axes, run: Sample) -> None:
    predicted, observed, _ = _reliability(run)
    axes.plot([0, 1], [0, 1], color="#777777", linewidth=1)
    axes.plot(predicted, observed, marker="o", markersize=4)
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("observed share")


def _miscalibration(run: Sample) -> float:
    """Return the mean difference of both, over predictions above 0.1."""
    predicted, observed, count = (each[1:] for each in _reliability(run))
    known = count > 0
    gaps = np.abs(predicted - observed)[known]
    return float(np.average(gaps, weights=count[known])) if known.any() else np.nan


def _positions(run: Sample) -> list[float]:
    groups = by_position(run.predictor, run.run.plan.parts["val"])
    return [group.loss for group in groups[:MOST]]


def _draw_positions(axes: Axes, run: Sample) -> None:
    losses = _positions(run)
    axes.bar(range(1, len(losses) + 1), losses)
    axes.set_xlabel("position in the name")
    axes.set_ylabel("loss")


def _slice(run: Sample) -> np.ndarray:
    plan, state = run.run.plan, run.run.state
    batch = train.draw_batch(plan.used, Recipe(batch_size=1_024), state, plan.examples)
    direction = random_direction(state.params, jax.random.key(0))
    offsets = jnp.asarray(REACH, jnp.float32)[:, None]
    return np.asarray(loss_slice(plan.used, state.params, state.stats, batch, [direction], offsets))


def _draw_slice(axes: Axes, run: Sample) -> None:
    curves(axes, REACH, {"": _slice(run)})
    axes.set_xlabel("distance along a random direction")
    axes.set_ylabel("loss")


def _rise(run: Sample) -> float:
    """Return how far the loss rises half a weight's norm away, on the lower side."""
    losses = _slice(run)
    quarter = len(losses) // 4
    return float(min(losses[quarter], losses[-1 - quarter]) - losses[len(losses) // 2])


def _changes(run: Sample) -> list[dict[str, float]]:
    """Return how far ten steps move each layer's outputs, for each of `WIDTHS`, a mean over seeds."""
    plan = run.run.plan
    contexts = contexts_to_measure(plan.used, run.run.start, plan.examples, 256)
    recipe = replace(plan.recipe, steps=CHECKED_STEPS)
    found = []
    for width in WIDTHS:
        model = replace(plan.model, hidden_size=width)
        changes = [
            moved(model, recipe, jax.random.key(seed), plan.examples, contexts) for seed in SEEDS
        ]
        found.append({name: fmean(each[name] for each in changes) for name in changes[0]})
    return found


def _draw_changes(axes: Axes, run: Sample) -> None:
    found = _changes(run)
    values = {name: np.array([each[name] for each in found]) for name in found[0]}
    curves(axes, np.array(WIDTHS), values)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("units of a layer")
    axes.set_ylabel("change of the outputs")


def _slope(run: Sample) -> float:
    *_, last = slopes(WIDTHS, _changes(run)).values()
    return last


def _embeddings(run: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Return the embedding before the first step and after the last."""
    start, end = run.run.start.params, run.run.state.params
    return np.asarray(start.embedding, float), np.asarray(end.embedding, float)


def _draw_film(axes: Axes, run: Sample) -> None:
    start, end = _embeddings(run)
    move = end - start
    _, _, directions = np.linalg.svd(move - move.mean(axis=0), full_matrices=False)
    old, new = ((each - each.mean(axis=0)) @ directions[:2].T for each in (start, end))
    arrows = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.005}
    axes.quiver(*old.T, *(new - old).T, color=COLOURS[0], **arrows)
    for label, (x, y) in zip(run.run.plan.vocab.labels, new, strict=True):
        axes.text(x, y, literal(label), ha="center", va="center")
    axes.set_xlim(-2.5, 2.5)
    axes.set_ylim(-2.5, 2.5)


def _movement(run: Sample) -> float:
    """Return the root mean square movement of a vector over the size of the start's."""
    start, end = _embeddings(run)
    return float(np.linalg.norm(end - start) / np.linalg.norm(start))


PREDICTIONS = (
    Exhibit(
        *("readings-of-the-list", "The loss if the list is read in other ways"),
        *("contexts reversed", _margin, _draw_readings),
    ),
    Exhibit(
        *("lists", "Validation names that also stand in training"),
        *("training names in validation", _leaked, _draw_shares),
    ),
    Exhibit(
        *("calibration", "Predicted probabilities beside what came"),
        *("30 names", _miscalibration, _draw_reliability),
    ),
    Exhibit(
        *("loss-by-position", "Loss of each character of a name"),
        *("names without boundaries", lambda run: _positions(run)[-1], _draw_positions),
    ),
    Exhibit(
        *("slices", "The loss on a line through the weights"),
        *("30 names", _rise, _draw_slice),
    ),
    Exhibit(
        *("coordinate-check", "How far ten steps move each layer's outputs"),
        *("AdamW", _slope, _draw_changes),
    ),
    Exhibit(
        *("embedding-film", "How far the characters' vectors moved"),
        *("frozen embedding", _movement, _draw_film),
    ),
)
