"""A snapshot of a network as tables, findings and verdict as lines."""

import textwrap
from collections.abc import Sequence

from mmjax.diagnostics import Activation, Finding
from mmjax.diagnostics.snapshot import LOOK, Snapshot
from mmjax.io.text import Table
from mmjax.runs.verdict import Verdict


def tables(snapshot: Snapshot) -> dict[str, Table]:
    """Return the lecture's tables, each by its title."""
    activations = [
        (f"{a.layer}", a.name, f"{a.mean:+.2f}", f"{a.std:.2f}", _percent(a), a.dead)
        for a in snapshot.activations
    ]
    gradients = [
        (f"{g.layer}", g.name, f"{g.mean:+.6f}", f"{g.std:.2e}") for g in snapshot.gradients
    ]
    weights = [
        (
            w.name,
            " x ".join(map(str, w.shape)),
            f"{w.mean:+.1e}",
            f"{w.std:.2e}",
            f"{w.ratio:.2e}",
            f"{snapshot.norms[w.name]:.2f}",
        )
        for w in snapshot.weights
    ]
    return {
        f"Activations, on {LOOK:,} training examples": Table(
            ["layer", "name", "mean", "std", "saturated %", "dead units"], activations
        ),
        "Gradients at the activations, of one training batch": Table(
            ["layer", "name", "gradient mean", "gradient std"], gradients
        ),
        "Gradients of the weights, of the same batch": Table(
            ["weights", "shape", "grad mean", "grad std", "grad:data", "norm"], weights
        ),
    }


def _percent(row: Activation) -> str:
    return f"{row.saturation:.2f} +- {row.saturation_error:.2f}"


def health_lines(findings: Sequence[Finding]) -> str:
    """Return one line for each finding, or one line that says "nothing found"."""
    if not findings:
        return "Healthy: nothing found."
    return "\n".join(
        f"{f.grade.capitalize()}: {f.symptom}, {f.where}: {f.figure:.3g}{f.unit} "
        f"(limit {f.threshold:.3g}{f.unit}); {f.advice}."
        for f in findings
    )


def verdict_lines(judged: Verdict) -> str:
    """Return a verdict for the terminal, with its command on a line of its own."""
    text = " ".join([judged.headline, *judged.sentences])
    return "\n".join([*textwrap.wrap(text, 100), judged.advice, f"  {judged.command}"])
