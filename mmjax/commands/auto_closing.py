"""What the recipe `auto` came to: figures, lines and pages."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmjax import evaluate, report
from mmjax.commands.playground import write_playground
from mmjax.data import corpus
from mmjax.evaluate.copies import copies
from mmjax.generate.sample import Sample
from mmjax.io.text import Table, aligned
from mmjax.model import Predictor, parameter_count
from mmjax.report.snapshot import verdict_lines
from mmjax.runs import lists, verdict
from mmjax.runs.environment import environment
from mmjax.runs.layout import INTERRUPTED, finite
from mmjax.runs.lists import Lists
from mmjax.runs.outcome import SHOWN_SAMPLES
from mmjax.runs.result import AutoResult
from mmjax.runs.samples import marked, sample_lines
from mmjax.search.auto import Candidate


def line_of(candidate: Candidate) -> str:
    """Return a candidate as a line for the terminal."""
    kept = "" if candidate.step is None else f"  {candidate.step:,} of {candidate.steps:,}"
    return (
        f"{candidate.name:34}{candidate.loss_val:18.4f}{candidate.parameters:12,}"
        f"{candidate.seconds:9.1f}{kept}"
    )


def result_of(
    model: Predictor,
    tried: Sequence[Sequence[Candidate]],
    known: Sequence[Lists],
    samples: Sequence[Sample],
    settings: Mapping[str, Any],
    started: float,
    *,
    interrupted: bool,
) -> AutoResult:
    """Evaluate the chosen model on every list and return the result.

    The figures are those of the first list; those of the others have its number in their names.
    """
    first = known[0]
    losses = lists.losses(first, model)
    others = {
        f"list_{i}_{name}": loss
        for i, each in enumerate(known[1:], 2)
        for name, loss in lists.losses(each, model).items()
    }
    # The candidates are in the order of their losses.
    counted = next((each for each in tried[0] if each.name.startswith("counting")), tried[0][0])
    parts = {part: [] for part in first.tokens}
    for each in known:
        for part, names in each.decoded().items():
            parts[part] += names
    figures = {
        "names": len(first.names),
        "parameters": parameter_count(model.params),
        **{f"examples_{part}": len(first.tokens[part]) - 1 for part in ("train", "val", "test")},
        "chosen": tried[0][0].name,
        "candidates": [
            f"{each.name}: {each.loss_val:.4f}" for candidates in tried for each in candidates
        ],
        "steps": max((each.steps or 0 for each in tried[0]), default=0),
        "stopped_at_step": None,
        "stopped_because": INTERRUPTED if interrupted else None,
        **losses,
        "loss_val_cross_fitted": tried[0][0].loss_val,
        **others,
        **{
            f"kneser_ney_{name}": loss
            for name, loss in lists.losses(first, counted.predictor).items()
        },
        "perplexity_val": evaluate.perplexity(losses["loss_val"]),
        **copies([drawn.name for drawn in samples], parts)._asdict(),
        "seconds": round(time.perf_counter() - started, 3),
        **environment(),
    }
    listed = frozenset(name for each in known for name in each.names)
    return AutoResult(
        settings,
        finite(figures),
        [],
        marked(samples[:SHOWN_SAMPLES], listed),
        model,
        first.vocab,
        tried,
        known,
    )


def show(result: AutoResult) -> None:
    """Print the losses, the samples and the verdict."""
    print(f"\nChosen by validation loss: {result.figures['chosen']}.\n")
    print(Table(["part", "names", "examples", "loss", "perplexity", "counting"], result.losses()))
    print(
        "\nLoss in nats per character; unseen: names that do not occur in the training part;\n"
        "counting: of the best counted model. The weights of a mixture were fitted on the validation\n"
        "part, so its loss is lower there than the cross-fitted one above, and the test loss tells "
        "more.\n"
    )
    print(aligned("\n".join(sample_lines(result.samples))))
    print(f"\n{verdict_lines(verdict.of(result.figures, result.settings))}")


def write_pages(result: AutoResult, known: Sequence[Lists], folder: Path) -> None:
    """Write the report and the playground."""
    made = report.of_auto(result)
    page = write_playground(
        *(folder, result.predictor, result.vocab),
        listed=[name for each in known for name in each.names],
        held_out=corpus.decode(result.vocab, known[0].tokens["val_unseen"]),
        title=made.title,
    )
    report.write(made._replace(playground=page), folder)
