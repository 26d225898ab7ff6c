"""Count contexts of any length, and mix the models: `python -m experiments.counting --help`."""

import time
from collections.abc import Mapping
from itertools import islice

import jax
from tqdm import tqdm

from experiments.counting_options import Options
from mmjax import Predictor, corpus, counting, sample
from mmjax.cli.program import main
from mmjax.commands.playground import write_playground
from mmjax.counting import Tree
from mmjax.io.text import Table, aligned
from mmjax.runs import lists
from mmjax.runs.environment import environment
from mmjax.runs.folder import RunFolder, claimed
from mmjax.runs.lists import Lists
from mmjax.runs.outcome import SHOWN_SAMPLES
from mmjax.runs.samples import marked, sample_lines

SHOWN = ("val", "test", "val_unseen")
FORMULA, TUNED = "formula", "tuned"

Models = dict[tuple[str, str], Predictor]  # by the title of the row and the discounts


def program(options: Options) -> int:
    """Count, tune, mix, save and show; return the exit status."""
    known = lists.encode(options.name_list.split())
    tree = counting.grow(known.tokens["train"], known.vocab.size, max(options.orders))
    jax.devices()  # without a device, fail here, before anything is written
    with claimed(options.out):
        return run(options, known, tree)


def run(options: Options, known: Lists, tree: Tree) -> int:
    """Run the program after it has read the list and claimed the run folder."""
    started = time.perf_counter()
    folder = RunFolder(options.out, options, overwrite=options.overwrite)
    models = fitted(options, known, tree)
    losses = {key: lists.losses(known, predictor) for key, predictor in models.items()}
    # The test part is scored, but nothing is chosen by it.
    best = min(models, key=lambda key: losses[key]["loss_val"])
    folder.write_model(models[best], known.vocab)
    drawn = sample.stream(models[best], known.vocab, jax.random.key(options.seed))
    samples = marked(list(islice(drawn, SHOWN_SAMPLES)), frozenset(known.names))
    folder.write_samples(samples)
    title = f"Counted contexts of {options.name_list.names.name}"
    unseen = corpus.decode(known.vocab, known.tokens["test_unseen"])  # validation chose the model
    write_playground(
        options.out, models[best], known.vocab, listed=known.names, held_out=unseen, title=title
    )
    figures = {
        "names": len(known.names),
        **{f"examples_{part}": len(known.tokens[part]) - 1 for part in ("train", "val", "test")},
        "best": ", ".join(best),
        **losses[best],
        **{
            f"{'_'.join([title, discounts]).replace(' ', '_')}_{name}": loss
            for (title, discounts), scored in losses.items()
            for name, loss in scored.items()
        },
        "seconds": round(time.perf_counter() - started, 3),
        **environment(),
    }
    folder.write_summary(figures)
    print(f"{options.name_list.names}: {len(known.names):,} names\n")
    show(losses)
    print(f"\nLowest validation loss: {', '.join(best)}. Samples from it:")
    print(aligned("\n".join(sample_lines(samples))))
    print(f"\n{folder.contents()}")
    return 0


def fitted(options: Options, known: Lists, tree: Tree) -> Models:
    """Return the model of every order and their mixture."""
    models, val = {}, known.tokens["val"]
    for order in tqdm(options.orders, desc="orders", disable=None):
        cut = tree.cut(order)
        models[f"order {order}", FORMULA] = counting.of_tree(cut)
        if options.tune:
            tuned = counting.of_tree(cut, counting.tune_tree(cut, val))
            models[f"order {order}", TUNED] = tuned
    if options.mixture != "none":
        mixed = TUNED if options.tune else FORMULA
        mix = {"linear": counting.linear, "geometric": counting.geometric}[options.mixture]
        components = [model for (_, discounts), model in models.items() if discounts == mixed]
        models[f"{options.mixture} mixture", mixed] = mix(components, val)
    return models


def show(losses: Mapping[tuple[str, str], Mapping[str, float]]) -> None:
    """Print the losses: a row for each order and the mixture, columns by discounts."""
    kinds = dict.fromkeys(discounts for _, discounts in losses)
    rows = [
        [
            title,
            *(
                losses.get((title, kind), {}).get(f"loss_{part}")
                for kind in kinds
                for part in SHOWN
            ),
        ]
        for title in dict.fromkeys(title for title, _ in losses)
    ]
    header = [title for kind in kinds for title in (f"{kind}: val", "test", "unseen")]
    print(Table(["Kneser-Ney, discounts by", *header], rows))
    print(
        "\nLoss in nats per character; unseen: validation names that do not occur in the training "
        "part.\nTuned discounts and the weights of a mixture are those with the lowest validation loss."
    )


if __name__ == "__main__":
    main("python -m experiments.counting", Options, program)
