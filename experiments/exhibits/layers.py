"""Exhibits with a figure for each layer."""

import math

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from experiments.exhibits.exhibit import Exhibit, Sample, band, bars, short
from mmjax import keys
from mmjax.data import Batch
from mmjax.diagnostics import snapshot
from mmjax.diagnostics.checks.layers import MAX_GRADIENT_SPREAD, MIN_RANK
from mmjax.diagnostics.checks.state import MAX_GAP
from mmjax.diagnostics.noise import GradientNoise, gradient_noise
from mmjax.diagnostics.record import activation_of
from mmjax.train import draw_batch

BATCHES = 256  # whose gradients are compared
SPREAD = math.log10(MAX_GRADIENT_SPREAD)


def _draw_saturation(axes: Axes, run: Sample) -> None:
    rows = run.evidence.activations
    limit = min(activation_of(row.name).max_saturation for row in rows)
    band(axes, 0, limit, upright=True)
    bars(axes, {row.name: row.saturation for row in rows})
    axes.set_xlabel("% saturated outputs")


def _gradients(run: Sample) -> dict[str, float]:
    """Return log10 of each layer's gradient over that of the last one, before the first step."""
    plan = run.run.plan
    rows = snapshot.take(plan.used, plan.recipe, run.run.start, plan.examples).gradients
    return {row.name: math.log10(row.std / rows[-1].std) for row in rows}


def _draw_gradients(axes: Axes, run: Sample) -> None:
    band(axes, -SPREAD, SPREAD)
    values = np.array([*_gradients(run).values()])
    axes.plot(np.arange(1, len(values) + 1), values, marker="o", markersize=4)
    axes.set_xlabel("activation layer")
    axes.set_ylabel("log10(gradient)")


def _draw_gaps(axes: Axes, run: Sample) -> None:
    band(axes, 0, MAX_GAP, upright=True)
    gaps = run.evidence.running
    bars(axes, dict(zip(short([gap.name for gap in gaps]), [g.size for g in gaps], strict=True)))
    axes.set_xlabel("gap, standard deviations")


def _draw_ranks(axes: Axes, run: Sample) -> None:
    ranks = run.evidence.ranks or {}
    band(axes, MIN_RANK, 100, upright=True)
    bars(axes, dict(ranks))
    axes.set_xlabel("effective rank, of 100 units")


def noise(run: Sample) -> GradientNoise:
    """Return the noise of the gradient at the end."""
    plan, state = run.run.plan, run.run.state
    drawn = [
        draw_batch(plan.used, plan.recipe, state._replace(step=state.step + i), plan.examples)
        for i in range(BATCHES)
    ]
    batches = Batch(
        jnp.stack([each.contexts for each in drawn]), jnp.stack([each.targets for each in drawn])
    )
    key = keys.of_layers(state.key, state.step)
    return gradient_noise(plan.used, state.params, state.stats, batches, key)


def _draw_noise(axes: Axes, run: Sample) -> None:
    found, size = noise(run), run.run.plan.recipe.batch_size
    bars(axes, {"signal": found.signal, "noise": found.noise / size})
    axes.set_xscale("log")
    axes.set_xlabel("squared norm, in the gradient of a batch")


def gsnr(run: Sample) -> dict[str, float]:
    """Return the gradient's signal to noise ratio of each weight matrix at the end."""
    found = noise(run).gsnr
    return {name: value for name, value in found.items() if name.endswith(("weight", "embedding"))}


def _draw_gsnr(axes: Axes, run: Sample) -> None:
    values = gsnr(run)
    bars(axes, dict(zip(short([*values]), values.values(), strict=True)))
    axes.set_xlabel("signal to noise ratio of one example")


LAYERS = (
    Exhibit(
        "saturation",
        "Outputs on which an activation is flat",
        "gain x 5",
        lambda run: max(row.saturation for row in run.evidence.activations),
        _draw_saturation,
    ),
    Exhibit(
        "gradients",
        "Size of the gradient at each layer before the first step",
        "12 layers, no BatchNorm, gain 0.7",
        lambda run: next(iter(_gradients(run).values())),
        _draw_gradients,
    ),
    Exhibit(
        "running-statistics",
        "BatchNorm's running statistics beside those of 8,192 examples",
        "statistics of two layers exchanged",
        lambda run: max(gap.size for gap in run.evidence.running),
        _draw_gaps,
    ),
    Exhibit(
        "effective-rank",
        "Directions that each layer's outputs use",
        "learning rate x 300",
        lambda run: min((run.evidence.ranks or {}).values()),
        _draw_ranks,
    ),
    Exhibit(
        "gradient-noise",
        "Signal and noise in the gradient of a batch",
        "the same batch in every step",
        lambda run: noise(run).critical_batch,
        _draw_noise,
    ),
    Exhibit(
        "gsnr",
        "How far single examples agree on each gradient",
        "half of the targets random",
        lambda run: float(np.median([*gsnr(run).values()])),
        _draw_gsnr,
    ),
)
