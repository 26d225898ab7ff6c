"""The bigram, by counting and by gradient descent: `python -m experiments.bigram --help`."""

import time
from dataclasses import replace
from itertools import islice

import jax
import numpy as np

from experiments import bigram_closing, report
from experiments.bigram_fits import FULL, BigramResult, fit
from experiments.bigram_options import Options
from experiments.program import interruptible, main, marked
from experiments.run_folder import RunFolder, claimed, finite, plain, surroundings
from mmjax import Predictor, bigram, corpus, counts, sample, train, vocab
from mmjax.data import AllContexts, context_table
from mmjax.train import Recipe

COUNTS_MODEL = "counts.safetensors"


def program(options: Options) -> int:
    """Train, compare with counting, sample, save and show; return the exit status."""
    names = options.name_list.read()
    letters = vocab.build(names)
    tokens = corpus.encode(letters, names)
    table = counts.bigrams(tokens, letters.size)
    spelled = bigram_closing.spelled(options, table, letters)
    jax.devices()  # fails here, before anything is written, if there is none
    with claimed(options.out):
        return run(options, names, letters, tokens, table, spelled)


def references(steps: int) -> dict[str, Recipe]:
    """Return the settings to compare with, none of more steps than these."""
    shorter = {
        "the lecture's settings": replace(FULL, learning_rate=0.1, steps=100, penalty=0.01),
        "settings that work": replace(FULL, learning_rate=50.0, steps=100, penalty=0.01),
    }
    converged = replace(FULL, learning_rate=50.0, steps=5_000, penalty=0.01)
    return {
        title: replace(recipe, steps=min(recipe.steps, steps)) for title, recipe in shorter.items()
    } | ({"the same, converged": converged} if converged.steps <= steps else {})


def run(
    options: Options,
    names: list[str],
    letters: vocab.Vocab,
    tokens: np.ndarray,
    table: np.ndarray,
    spelled: list[counts.Letter],
) -> int:
    """Run the program once its list is read and its run folder is its own."""
    started = time.perf_counter()
    folder = RunFolder(options.out, options, overwrite=options.overwrite)
    model = bigram.Bigram(letters.size)
    data = AllContexts(context_table.collect(tokens, letters.size, model.block_size))
    key = jax.random.key(options.seed)
    recipes = references(options.steps)
    recipes["these settings"] = own = options.recipe()
    records = []

    def log(record: dict[str, float]) -> None:
        folder.add_metrics(record)
        records.append(record)

    with interruptible() as interruption:
        fits = {}
        for title, recipe in recipes.items():
            state = train.init(model, recipe, key)
            shared = (recipe, title, state, data, table, interruption)
            fits[title] = fit(*shared, log) if recipe is own else fit(*shared)
    fitted = fits["these settings"]

    counted = Predictor(model, bigram.from_counts(table, smoothing=options.smoothing), ())
    trained = Predictor(model, fitted.params, ())
    folder.write_model(counted, letters, COUNTS_MODEL)
    folder.write_model(trained, letters)
    known, (_, sample_key) = frozenset(names), jax.random.split(key)
    samples = {
        title: marked(list(islice(sample.stream(predictor, letters, sample_key), 10)), known)
        for title, predictor in (("the table", counted), ("the network", trained))
    }
    figures = {
        "names": len(names),
        "unique_names": len(known),
        "bigrams": int(table.sum()),
        "vocab_size": letters.size,
        "counts_nll": counts.entropy_floor(table),
        "counts_nll_smoothed": counts.nll(
            counts.probabilities(table, smoothing=options.smoothing), table
        ),
        "steps": fitted.steps,
        "stopped_at_step": fitted.stopped_at,
        "initial_loss": fitted.initial_loss,
        "final_loss": fitted.final_loss,
        "neural_nll": fitted.nll,
        "neural_vs_counts_max_abs_diff": fitted.max_abs_diff,
        "seconds": round(time.perf_counter() - started, 3),
        **surroundings(),
    }
    folder.write_summary(figures)
    folder.write_samples(samples["the network"])
    result = BigramResult(
        *(plain(options), finite(figures), records, samples["the network"]),
        *(trained, letters, table),
    )
    bigram_closing.show(options, result, fits, spelled, samples)
    if options.report:
        report.write(report.of_bigram(result), options.out)
    print(f"\n{folder.contents()}")
    return bigram_closing.status(fitted, interruption)


if __name__ == "__main__":
    main("experiments.bigram", Options, program)
