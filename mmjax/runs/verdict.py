"""The verdict on a run: what came out, in plain words, and what to type next."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mmjax.diagnostics import MAX_GAP
from mmjax.runs import command_line
from mmjax.runs.layout import INTERRUPTED

JUDGED = 1_000  # samples
MARGIN = 0.05  # nats above counting that a good network may have
MAX_COPIED = 0.5  # share of the samples, above that of an ideal model
FEW_COPIED = 0.1
FEW_GAP = 0.5  # nats between validation and training, from which a list has too few names
MAX_ABOVE_FLOOR = 0.01  # nats that a trained bigram may have above the lowest possible loss


class Verdict(NamedTuple):
    """What a run came to, and the command to type next."""

    kind: str
    """failed, unfinished, memorised, few, underfitted or good."""
    headline: str
    sentences: list[str]
    advice: str
    """What the command is for."""
    command: str


class _Judgement(NamedTuple):
    kind: str
    headline: str
    advice: str
    command: str


def of(figures: Mapping[str, Any], settings: Mapping[str, Any]) -> Verdict:
    """Return the verdict on a network from its run's summary and options."""
    kind, headline, advice, command = _judged(figures, settings)
    said = () if kind == "failed" else (_losses(figures), _samples(figures))
    sentences = [text for text in said if text]
    return Verdict(kind, headline, sentences, advice, command)


def _judged(figures: Mapping[str, Any], settings: Mapping[str, Any]) -> _Judgement:
    train, val = figures["loss_train"], figures["loss_val"]
    counted = figures.get("kneser_ney_loss_val")
    if figures["stopped_at_step"] is not None or train is None or val is None:
        return _Judgement(
            "failed",
            "Training failed: a number is not finite.",
            "Train again with a tenth of the learning rate:",
            command_line.train(settings, learning_rate=settings["learning_rate"] / 10),
        )
    copied = figures.get("samples_listed", 0.0) - figures.get("ideal_listed", 0.0)
    if settings.get("recipe") == "auto":
        return _found(figures, settings, copied)
    if figures.get("stopped_because") == INTERRUPTED:
        done, asked = figures["steps"], settings["steps"]
        return _Judgement(
            "unfinished",
            f"Stopped at step {done:,} of {asked:,}.",
            "Continue from there:",
            command_line.resume(settings),
        )
    behind = counted is None or val > counted + MARGIN
    if copied > MAX_COPIED or (behind and val - train > MAX_GAP):
        return _memorised(settings, copied)
    pairs = figures.get("bigram_loss_val")
    of_pairs = counted is None and pairs is not None and val > pairs + MARGIN
    if (behind and counted is not None) or of_pairs:
        return _underfitted(figures, settings)
    return _Judgement(
        "good",
        "The network has learned how these names are made.",
        "Draw more new names:",
        command_line.sample(settings["out"], "-n", "100", "--new-only"),
    )


def _found(figures: Mapping[str, Any], settings: Mapping[str, Any], copied: float) -> _Judgement:
    """Return the judgement on a model that was chosen for the list."""
    draw = command_line.sample(settings["out"], "-n", "100", "--new-only")
    if figures.get("stopped_because") == INTERRUPTED:
        return _Judgement(
            "unfinished",
            "Stopped before all candidates were tried.",
            "Try them all:",
            command_line.train(settings, recipe="auto"),
        )
    if copied > MAX_COPIED or figures["loss_val"] - figures["loss_train"] > FEW_GAP:
        return _Judgement(
            "few",
            "The list has too few names to learn how they are made.",
            "Draw only new names, or add names to the list:",
            draw,
        )
    some = ", and some of them by heart" if copied > FEW_COPIED else ""
    headline = f"The model has learned how these names are made{some}."
    return _Judgement("good", headline, "Draw more new names:", draw)


def _memorised(settings: Mapping[str, Any], copied: float) -> _Judgement:
    return _Judgement(
        "memorised",
        "The network has learned the list by heart."
        if copied > FEW_COPIED
        else "The network has begun to learn the list by heart.",
        "Let the validation names choose a model, for better new names:",
        command_line.train(settings, recipe="auto"),
    )


def _underfitted(figures: Mapping[str, Any], settings: Mapping[str, Any]) -> _Judgement:
    headline = "The network can learn more."
    if figures.get("measured_on_samples"):  # the other recipes need the list in memory
        longer = command_line.train(settings, steps=10 * settings["steps"])
        return _Judgement("underfitted", headline, "Train longer:", longer)
    if settings.get("recipe", "lecture") == "lecture":
        advice, recipe = "Train by the fast recipe:", "fast"
    else:
        advice, recipe = "Let the validation names choose a model:", "auto"
    return _Judgement(
        "underfitted",
        headline,
        advice,
        command_line.train(settings, recipe=recipe),
    )


def _losses(figures: Mapping[str, Any]) -> str:
    train, val = figures["loss_train"], figures.get("loss_val_cross_fitted", figures["loss_val"])
    if train is None or val is None:
        return ""
    gap = round(val - train, 2) + 0.0  # not -0.00
    counted, pairs = figures.get("kneser_ney_loss_val"), figures.get("bigram_loss_val")
    beside = "" if pairs is None else f"; counting letter pairs reaches {pairs:.2f}"
    if counted is not None:
        beside = f"; counting reaches {counted:.2f}"
    return (
        f"The loss, of which less is better, is {train:.2f} on training names and {val:.2f} on names left "
        f"out of training (gap {gap:.2f}){beside}."
    )


def _samples(figures: Mapping[str, Any]) -> str:
    if figures.get("samples_new") is None:
        return ""
    listed, near = figures["samples_listed"], figures["samples_near"]
    new = "" if near is None else f", {_percent(near)} of them by one letter"
    others = f"The others differ from every listed name{new}. "
    if figures.get("measured_on_samples"):  # it was not looked by how many letters
        others = ""
    return (
        f"Of {JUDGED:,} samples {_percent(listed)} are in the list; an ideal model would repeat about "
        f"{_percent(figures['ideal_listed'])}. {others}"
        f"{_percent(figures['samples_distinct'])} of the samples are distinct."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def of_bigram(figures: Mapping[str, Any], settings: Mapping[str, Any], floor: float) -> Verdict:
    """Return the verdict on a trained bigram; `floor` is the lowest loss that one can have."""
    loss = figures["neural_nll"]
    if loss is None or figures.get("stopped_at_step") is not None:
        judged = _Judgement(
            "failed",
            "Training failed: a number is not finite.",
            "Train again with a tenth of the learning rate:",
            command_line.bigram(settings, learning_rate=settings["learning_rate"] / 10),
        )
        return Verdict(*judged[:2], [], *judged[2:])
    sentences = [
        f"Loss {loss:.4f} on the list. No bigram can have less than {floor:.4f}, the list's "
        "conditional entropy, which counting reaches in one pass.",
    ]
    if loss > floor + MAX_ABOVE_FLOOR:
        return Verdict(
            "underfitted",
            "The trained table is not yet that of counting.",
            sentences,
            "Train longer, by a rate that works:",
            command_line.bigram(settings, steps=10_000, learning_rate=50.0, penalty=0.0),
        )
    return Verdict(
        "good",
        "Gradient descent has found the table that counting gives.",
        sentences,
        "Draw names from it:",
        command_line.sample(settings["out"], "-n", "100", "--new-only"),
    )
