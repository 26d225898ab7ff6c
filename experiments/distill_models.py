"""The teachers and students of the distillation program."""

from dataclasses import replace

import jax
import numpy as np

from experiments.distill_options import Options
from experiments.lessons import LESSONS
from mmjax import Predictor, counting, data, members, metrics, mlp, train
from mmjax.cli.progress import progress_bar
from mmjax.data import Dataset
from mmjax.errors import require
from mmjax.runs import seeds
from mmjax.runs.folder import RunFolder
from mmjax.runs.lists import Lists
from mmjax.train import Recipe

CHUNK = 1_000  # steps between two lines of metrics


def taught_by(options: Options, model: mlp.MLP, known: Lists) -> dict[str, Predictor]:
    """Return the models that teach, and their mixture."""
    lesson = LESSONS[options.lesson]
    recipe, teacher = lesson.teachers, replace(model, **lesson.teacher)
    tokens, val = known.tokens["train"], known.tokens["val"]
    examples = data.of(recipe.data, tokens, teacher, noise=recipe.noise)
    first = range(options.teachers_seed, options.teachers_seed + options.teachers)
    networks = trained(teacher, recipe, first, examples)
    grown = counting.grow(tokens, known.vocab.size, max(options.orders))
    cuts = {order: grown.cut(order) for order in options.orders}
    counted = {
        f"Kneser-Ney {order}": counting.of_tree(cut, counting.tune_tree(cut, val))
        for order, cut in cuts.items()
    }
    together = counting.ensemble(networks)
    positions = model.block_size + 1
    mixed = counting.geometric([together, *counted.values()], val, positions=positions)
    return {
        "one network": networks[0],
        f"{options.teachers} networks": together,
        **counted,
        "teacher": mixed,
    }


def trained(
    model: mlp.MLP,
    recipe: Recipe,
    numbers: range,
    examples: Dataset,
    folder: RunFolder | None = None,
) -> list[Predictor]:
    """Return networks with these seeds, trained by a recipe; write the metrics to a folder.

    Raises `InputError` if a number is not finite.
    """
    keys = jax.vmap(jax.random.key)(np.array(numbers, np.uint32))
    states = members.init(model, recipe, keys)
    title = "students" if folder else "teachers"
    with progress_bar(recipe, None, title) as move_bar:
        log = [lambda records, _: folder.add_metrics(seeds.mean_of(records))] if folder else []
        fitted = train.fit(
            *(model, recipe, states, examples),
            chunk=CHUNK,
            metrics=[metrics.losses(recipe)],
            sinks=[*log, move_bar],
        )
    remedy = "give a lower --learning-rate" if folder else "give another --lesson"
    require(
        fitted.reason is None,
        f"the training of the {title} is not finite after step {fitted.progress.step:,}; {remedy}",
    )
    return [train.predictor(model, state) for state in fitted.states]
