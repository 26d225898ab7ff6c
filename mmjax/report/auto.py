"""The report on a model that was chosen for a list."""

from pathlib import Path

from mmjax.io.text import Table, shown
from mmjax.report.comparison import number
from mmjax.report.sections import Report, Section, settings_and_figures
from mmjax.runs import verdict
from mmjax.runs.result import AutoResult


def of_auto(result: AutoResult) -> Report:
    """Return the report on a model that was chosen for a list."""
    summary = result.figures
    several = len(result.tried) > 1
    tried = {
        f"Candidates for {Path(path).name}" if several else "Candidates": Table(
            ["candidate", "validation loss", "parameters", "seconds", "best step"],
            [
                (
                    each.name,
                    each.loss_val,
                    f"{each.parameters:,}",
                    number(each.seconds, 1),
                    each.step,
                )
                for each in candidates
            ],
        )
        for path, candidates in zip(
            [result.settings["names"], *result.settings.get("others", [])],
            result.tried,
            strict=True,
        )
    }
    return Report(
        title=f"Names like those of {Path(result.settings['names']).name}",
        lead=f"{summary['names']:,} names. Chosen by validation loss: {summary['chosen']}. "
        f"{summary['seconds']:.0f} s in all.",
        verdict=verdict.of(summary, result.settings),
        samples=[(shown(name), mark) for name, mark in result.samples],
        findings=None,
        sections=[
            Section(
                "What was tried",
                "Losses are in nats per character on the validation names. A network has the weights "
                "of its best step. The loss of all together is cross-fitted: each half of the "
                "validation names is scored with weights fitted on the other half.",
                tried,
            ),
            Section(
                "How good it is",
                "Unseen: names that do not occur in the training part. Counting: the best counted "
                "model. The weights of a mixture were fitted on the validation part, so its loss is "
                "lower there than the cross-fitted one above, and the test loss tells more.",
                {
                    "Loss on each part of the list": Table(
                        ["part", "names", "examples", "loss", "perplexity", "counting"],
                        [
                            (*row[:4], number(row.perplexity, 2), row.counted)
                            for row in result.losses()
                        ],
                    )
                },
            ),
            settings_and_figures(result.settings, summary),
        ],
    )
