"""Quizzes of the playground: how well people tell a model's names from real ones."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scipy import stats

from mmjax.errors import InputError, require, said
from mmjax.io import files

FORMAT = "mmjax quiz 1"
TRUTHS = ("real", "made up")
MOST_ANSWERS = 10_000


class Quiz(NamedTuple):
    """The answers of one person to one quiz."""

    person: str
    """The name that the person gave, or ""."""
    title: str
    """The title of the page."""
    model: str
    """A checksum of the model."""
    date: str
    truths: tuple[str, ...]
    """What each name is, "real" or "made up"."""
    answers: tuple[str, ...]
    """What the person said."""
    names: tuple[str, ...]


class Score(NamedTuple):
    """How well real and made-up names were told apart."""

    answers: int
    right: int
    low: float
    """Lower end of the 95 % interval of the share of right answers."""
    high: float
    d_prime: float
    """Distance of real from made-up names, in standard deviations; 0 is guessing."""

    @property
    def share(self) -> float:
        """Return the share of right answers; guessing gives 0.5."""
        return self.right / self.answers


def score(quizzes: Sequence[Quiz]) -> Score:
    """Return the score of all answers of quizzes together; there must be an answer."""
    pairs = [pair for quiz in quizzes for pair in zip(quiz.truths, quiz.answers, strict=True)]
    right = sum(truth == answer for truth, answer in pairs)
    # Half an answer is added to each count, since a rate of 0 or 1 has no finite quantile.
    rates = []
    for truth in TRUTHS:
        answers = [answer for known, answer in pairs if known == truth]
        rates.append((answers.count("real") + 0.5) / (len(answers) + 1))
    d_prime = float(stats.norm.ppf(rates[0]) - stats.norm.ppf(rates[1]))
    return Score(len(pairs), right, *wilson(right, len(pairs)), d_prime)


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of right answers, by Wilson's score.

    Source: Wilson, Probable inference, the law of succession, and statistical inference, 1927
    (https://doi.org/10.1080/01621459.1927.10502953).
    """
    interval = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def read(path: Path) -> Quiz:
    """Return the quiz in a file that the playground saved.

    Raises `InputError` if the file cannot be read, or is no such file.
    """
    data = files.read(path, "give a file that the quiz of a playground.html saved")
    try:
        return _checked(json.loads(data.decode()))
    except RecursionError:
        error: Exception = ValueError("it is nested too deeply")
    except (ValueError, KeyError, TypeError) as wrong:
        error = wrong
    raise InputError(f"{path}: is not a result of the quiz: {said(error)}") from None


def _checked(content: Any) -> Quiz:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    texts = [content[key] for key in ("person", "title", "model", "date")]
    answers = content["answers"]
    if not isinstance(answers, list) or not 1 <= len(answers) <= MOST_ANSWERS:
        raise ValueError(f"it has no list of 1 to {MOST_ANSWERS:,} answers")
    columns = [tuple(each[key] for each in answers) for key in ("truth", "answer", "name")]
    if not all(isinstance(text, str) for text in (*texts, *columns[2])):
        raise ValueError("a name, title, model or date is not text")
    for given in (*columns[0], *columns[1]):
        if given not in TRUTHS:
            raise ValueError(f"an answer is {given!r}, not {' or '.join(map(repr, TRUTHS))}")
    person, title, model, date = texts
    return Quiz(person, title, model, date, *columns)


def require_distinct(quizzes: Sequence[tuple[Path, Quiz]]) -> None:
    """Raise `InputError` if two files have the same answers of the same quiz."""
    seen: dict[Quiz, Path] = {}
    for path, quiz in quizzes:
        require(
            quiz not in seen, f"{path}: has the same answers as {seen.get(quiz)}; give each once"
        )
        seen[quiz] = path
