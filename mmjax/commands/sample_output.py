"""Sampled names as text, CSV, JSON or JSON lines."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any

from mmjax.commands.sample_options import Options
from mmjax.data import corpus
from mmjax.data.vocab import Vocab
from mmjax.evaluate import name_losses
from mmjax.evaluate.nearest import nearest
from mmjax.generate import sample
from mmjax.generate.sample import Sample
from mmjax.io.text import aligned, shown
from mmjax.model import Predictor
from mmjax.runs.samples import marked, sample_lines

HEADER = ("name", "new", "cut", "log_probability", "nearest", "edits")


def show(
    samples: Iterable[Sample],
    options: Options,
    predictor: Predictor,
    vocab: Vocab,
    known: Sequence[str] | None,
) -> None:
    """Print the samples, sorted and in the format that the options tell.

    Only the terminal gets escaped characters.
    """
    terminal, form = sys.stdout.isatty(), options.format
    listed = None if known is None else frozenset(known)
    if options.sort != "none":
        samples = ordered(list(samples), options.sort, predictor, vocab)
    samples, as_text = iter(samples), form in ("auto", "text")
    # As text, each name is shown as it comes.
    chunks = iter(lambda: list(islice(samples, 1 if as_text else sample.BATCH)), [])
    first = next(chunks, [])  # an error comes before anything is printed
    if form == "csv":
        print(",".join(HEADER))
    records = []
    for chunk in chain([first] if first else [], chunks):
        if form == "auto" and not terminal:
            print(chunk[0].name)
        elif as_text:
            (line,) = sample_lines(marked(chunk, listed), escape=terminal)
            print(aligned(line) if terminal else line)
        else:
            found = described(chunk, predictor, vocab, known, listed)
            if form == "csv":
                print(as_csv(found, terminal), end="")
            lines = [json.dumps(record, ensure_ascii=terminal) for record in found]
            if form == "jsonl":
                print("\n".join(lines))
            records += lines if form == "json" else []
    if form == "json":
        print("[\n" + ",\n".join(records) + "\n]")


def ordered(
    samples: Sequence[Sample], order: str, predictor: Predictor, vocab: Vocab
) -> list[Sample]:
    """Return the samples by likelihood, likeliest first, by length or by alphabet."""
    if order == "likelihood":
        likely = dict(zip(samples, log_probs(samples, predictor, vocab), strict=True))
        return sorted(samples, key=likely.__getitem__, reverse=True)
    if order == "length":
        return sorted(samples, key=lambda each: len(each.name))
    return sorted(samples, key=lambda each: (each.name.casefold(), each.name))


def log_probs(samples: Sequence[Sample], predictor: Predictor, vocab: Vocab) -> list[float]:
    """Return the log-probability of each name with its end, in nats."""
    tokens = corpus.encode(vocab, [each.name for each in samples])
    return (-name_losses(predictor, tokens)).tolist() if samples else []


def described(
    samples: Sequence[Sample],
    predictor: Predictor,
    vocab: Vocab,
    known: Sequence[str] | None,
    listed: frozenset[str] | None,
) -> list[dict[str, Any]]:
    """Return a record for each sample; what only a list can tell is None without one."""
    records = []
    for each, log_prob in zip(samples, log_probs(samples, predictor, vocab), strict=True):
        near = nearest(each.name, known)[0] if known else (None, None)
        new = None if listed is None else each.name not in listed
        values = (each.name, new, not each.ended, round(log_prob, 4), *near)
        records.append(dict(zip(HEADER, values, strict=True)))
    return records


def as_csv(records: Sequence[dict[str, Any]], escape: bool) -> str:
    """Return the records as lines of CSV; true and false are 1 and 0."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for record in records:
        values = [int(v) if isinstance(v, bool) else v for v in record.values()]
        writer.writerow([shown(v) if escape and isinstance(v, str) else v for v in values])
    return text.getvalue()
