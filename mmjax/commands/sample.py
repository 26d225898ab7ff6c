"""Draw names from a trained model."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice

import jax

from mmjax.commands.listed import GIVE_UP, Drawn, known_names, unlisted
from mmjax.commands.sample_options import Options
from mmjax.commands.sample_output import show
from mmjax.commands.spelling import in_form, spelled
from mmjax.data import corpus
from mmjax.errors import InputError, require
from mmjax.generate import beam, conditional, sample
from mmjax.generate.conditions import Conditions
from mmjax.generate.filters import options_of
from mmjax.generate.sample import Sample
from mmjax.models import lookup
from mmjax.runs import weights
from mmjax.runs.reading import weights_at


def program(options: Options) -> int:
    """Load, draw and show; return the exit status."""
    predictor, vocab = weights.load(weights_at(options.run))
    found = known_names(options)
    source = found.source if found else None
    known = in_form(found.names, vocab) if found and not source else None
    avoided = corpus.read_names(options.avoid) if options.avoid else []
    avoided = in_form(avoided, vocab) + (known or []) * options.new_only
    conditions = spelled(options.conditions(), vocab, known or ())
    avoided.append(conditions.like)
    if options.likeliest is not None:
        names = beam.ranked(predictor, vocab, conditions=conditions, max_length=options.cut)
        names = wanted(names, options, avoided)
        if source and options.new_only:
            names = unlisted(names, source, options.likeliest)
        scored = (
            beam.spread(names, options.likeliest, options.diverse)
            if options.diverse
            else islice(names, options.likeliest)
        )
        samples = (Sample(each.name, True) for each in scored)
    else:
        given = conditions != Conditions(conditions.prefix, min_length=1, edits=options.edits)
        drawn = sample.stream(
            predictor,
            vocab,
            jax.random.key(options.seed),
            conditions=conditions if given else Conditions(conditions.prefix),
            max_length=options.cut,
            **options.filters,
        )
        if given and sys.stdout.isatty() and lookup.fits(predictor.model):
            filters = {**options_of(**options.filters), "max_length": options.cut}
            with suppress(InputError):  # the table is too large, and names are drawn all the same
                share = conditional.probability(predictor, vocab, conditions, **filters)
                print(f"1 in {1 / share:,.0f} names of this model {conditions}", file=sys.stderr)
        samples = wanted(drawn, options, avoided)
        if source and options.new_only:
            samples = unlisted(samples, source, options.count)
        samples = islice(samples, options.count)
    asked = options.count if options.likeliest is None else options.likeliest
    show(until_error(samples, asked), options, predictor, vocab, known)
    return 0


def wanted(samples: Iterable[Drawn], options: Options, avoided: Iterable[str]) -> Iterator[Drawn]:
    """Return the samples that the options let through: none is empty or avoided.

    The iterator raises `InputError` after `GIVE_UP` others in a row.
    """
    refused = {"", *avoided}
    reasons = {"in the list": options.new_only, "to be avoided": options.avoid}
    reasons |= {"shown already": options.unique, "the name of --like": options.like}
    said = " or ".join(reason for reason, given in reasons.items() if given) or "empty"

    def through() -> Iterator[Drawn]:
        row = 0
        for drawn in samples:
            row = row + 1 if drawn.name in refused else 0
            require(
                row < GIVE_UP,
                f"the last {GIVE_UP:,} names drawn are all {said}; raise --temperature, "
                "or give another --prefix",
            )
            if row == 0:
                if options.unique:
                    refused.add(drawn.name)
                yield drawn

    return through()


def until_error(samples: Iterable[Sample], asked: int) -> Iterator[Sample]:
    """Yield the samples; if there are some, say why there are no more, and do not raise."""
    found = 0
    try:
        for drawn in samples:
            yield drawn
            found += 1
    except InputError as error:
        if not found:
            raise
        print(f"{found:,} of {asked:,} names: {error}", file=sys.stderr)
        return
    if found < asked:
        require(found > 0, "no name is left that the options let through; loosen them")
        print(f"{found:,} of {asked:,} names: there are no more", file=sys.stderr)
