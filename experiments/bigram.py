"""The bigram, by counting and by gradient descent: `python -m experiments.bigram --help`."""

import time
from itertools import islice

import jax
import numpy as np

from experiments import bigram_closing
from experiments.bigram_fits import fit, references
from experiments.bigram_options import Options
from mmjax import Predictor, bigram, corpus, counts, report, sample, train, vocab
from mmjax.cli.interruption import interruptible
from mmjax.cli.program import main
from mmjax.commands.playground import write_playground
from mmjax.data import AllContexts, context_table
from mmjax.runs.environment import environment
from mmjax.runs.folder import RunFolder, claimed
from mmjax.runs.layout import finite, plain
from mmjax.runs.result import BigramResult
from mmjax.runs.samples import marked

COUNTS_MODEL = "counts.safetensors"


def program(options: Options) -> int:
    """Train, compare with counting, sample, save and show; return the exit status."""
    names = options.name_list.read()
    letters = vocab.build(names)
    tokens = corpus.encode(letters, names)
    table = counts.bigrams(tokens, letters.size)
    spelled = bigram_closing.spelled(options, table, letters)
    jax.devices()  # without a device, fail here, before anything is written
    with claimed(options.out):
        return run(options, names, letters, tokens, table, spelled)


def run(
    options: Options,
    names: list[str],
    letters: vocab.Vocab,
    tokens: np.ndarray,
    table: np.ndarray,
    spelled: list[counts.Letter],
) -> int:
    """Run the program after it has read the list and claimed the run folder."""
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
    known = frozenset(names)
    samples = {
        title: marked(list(islice(sample.stream(predictor, letters, key), 10)), known)
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
        **environment(),
    }
    folder.write_summary(figures)
    folder.write_samples(samples["the network"])
    result = BigramResult(
        *(plain(options), finite(figures), records, samples["the network"]),
        *(trained, letters, table),
    )
    bigram_closing.show(options, result, fits, spelled, samples)
    if options.report:
        made = report.of_bigram(result)
        # The bigram is trained on the whole list: no name is held out.
        page = write_playground(
            options.out, trained, letters, listed=names, held_out=(), title=made.title
        )
        report.write(made._replace(playground=page), options.out)
    print(f"\n{folder.contents()}")
    return bigram_closing.status(fitted, interruption)


if __name__ == "__main__":
    main("python -m experiments.bigram", Options, program)
