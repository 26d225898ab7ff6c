"""The report on a search."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmjax import plots
from mmjax.io.text import Cell, Table
from mmjax.report.drawing import Picture
from mmjax.report.sections import Section, settings_and_figures
from mmjax.search.analysis import Finding
from mmjax.search.choices import Choice, Range
from mmjax.search.outcome import Finalist, Outcome, pareto

SHOWN = 20  # trials in the table


class SearchReport(NamedTuple):
    """The content of the page of a search, from top to bottom."""

    template = "search.html.j2"
    title: str
    lead: str
    command: str
    """Command that trains the winner, or nothing."""
    findings: Sequence[Finding]
    sections: Sequence[Section]


def of_search(
    title: str,
    lead: str,
    command: str,
    options: Mapping[str, Choice | Range],
    outcomes: Sequence[Outcome],
    finalists: Sequence[Finalist],
    found: Sequence[Finding],
    settings: Mapping[str, Any],
    figures: Mapping[str, Any],
) -> SearchReport:
    """Return the report on a search."""
    return SearchReport(
        title,
        lead,
        command,
        found,
        [
            Section(
                "Finalists",
                "The best trials, trained again with other seeds: validation loss in nats per character. "
                "The lowest mean wins.",
                {"Validation loss over seeds": finalist_table(options, finalists)},
            ),
            Section(
                "Trials",
                "Sorted by steps (most first), then by validation loss.",
                {f"The best of {len(outcomes):,} trials": trial_table(options, outcomes[:SHOWN])},
            ),
            Section(
                "Options",
                "If the points form a slope or a valley, the option has an effect. If they look the "
                "same everywhere, it has none. If the best trial is at an end, search a wider range.",
                pictures=[_effect(name, options[name], outcomes) for name in options],
            ),
            Section("Cost", pictures=_fronts(outcomes)),
            settings_and_figures(settings, figures),
        ],
    )


def finalist_table(options: Mapping[str, Any], finalists: Sequence[Finalist]) -> Table:
    """Return a table of the finalists, the best first."""
    rows: list[list[Cell]] = [
        [
            str(each.trial.number),
            *(value(each.trial.options[name]) for name in options),
            each.mean,
            None if math.isnan(each.std) else each.std,
            min(each.losses),
            max(each.losses),
        ]
        for each in finalists
    ]
    return Table(["finalist", *options, "mean", "std", "lowest", "highest"], rows)


def trial_table(options: Mapping[str, Any], outcomes: Sequence[Outcome]) -> Table:
    """Return a table of trials."""
    rows: list[list[Cell]] = [
        [
            str(each.trial.number),
            *(value(each.trial.options[name]) for name in options),
            each.step,
            each.loss_val if math.isfinite(each.loss_val) else "not finite",
            each.parameters,
            f"{each.seconds:.1f}",
        ]
        for each in outcomes
    ]
    return Table(["trial", *options, "steps", "loss_val", "parameters", "seconds"], rows)


def value(given: Any) -> str:
    """Return the value of an option as tables show it."""
    if isinstance(given, tuple):
        return " ".join(map(str, given)) or "default"
    return f"{given:g}" if isinstance(given, float) else str(given)


def _effect(name: str, option: Choice | Range, outcomes: Sequence[Outcome]) -> Picture:
    given = [each.trial.options[name] for each in outcomes]
    choices = option.in_order() if isinstance(option, Choice) else []
    first_step = min(each.first_step for each in outcomes)
    first = [each.first_loss for each in outcomes]
    last = [each.loss_val if each.ended else math.nan for each in outcomes]
    figure = plots.option_effect(
        name,
        np.array([choices.index(each) for each in given] if choices else given, float),
        *(np.where(np.isfinite(losses), losses, math.nan) for losses in (first, last)),
        labels=(f"after {first_step:,} steps", "at the end"),
        choices=[value(each) for each in choices],
        log=option.log,
    )
    return Picture(f"option-{name}", figure, "")


def _fronts(outcomes: Sequence[Outcome]) -> list[Picture]:
    ended = [each for each in outcomes if each.ended and math.isfinite(each.loss_val)]
    if not ended:
        return []
    losses = np.array([each.loss_val for each in ended])
    names = [str(each.trial.number) for each in ended]
    pictures = []
    for cost, key in (("parameters", "parameters"), ("seconds of training", "seconds")):
        costs = np.array([float(getattr(each, key)) for each in ended])
        front = pareto(costs.tolist(), losses.tolist())
        figure = plots.pareto_front(costs, losses, front, cost=cost, names=names)
        meaning = {
            "parameters": "Where the line is flat, more parameters gain little.",
            "seconds": "Seconds of one network among many that train together on this machine.",
        }[key]
        pictures.append(Picture(f"cost-{key}", figure, meaning))
    return pictures
