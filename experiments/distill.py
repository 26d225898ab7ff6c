"""Teach one network what many models know: `python -m experiments.distill --help`."""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from itertools import islice

import jax

from experiments.distill_models import taught_by, trained
from experiments.distill_options import Options, of_lesson
from mmjax import corpus, distillation, evaluate, mlp, sample
from mmjax.cli.devices import a_device_for_each_core
from mmjax.cli.program import main
from mmjax.commands.playground import write_playground
from mmjax.io.text import Table, aligned
from mmjax.model import parameter_count
from mmjax.runs import lists, seeds
from mmjax.runs.environment import environment
from mmjax.runs.folder import RunFolder, claimed
from mmjax.runs.layout import PARTS
from mmjax.runs.lists import Lists
from mmjax.runs.outcome import SHOWN_SAMPLES
from mmjax.runs.samples import marked, sample_lines


def program(options: Options) -> int:
    """Train the teachers and the students, save and show; return the exit status."""
    a_device_for_each_core(max(options.teachers, options.seeds))
    known = lists.encode(options.name_list.split())
    model = mlp.MLP(**asdict(replace(options.model, vocab_size=known.vocab.size)))
    jax.devices()  # without a device, fail here, before anything is written
    with claimed(options.out):
        return run(options, model, known)


def run(options: Options, model: mlp.MLP, known: Lists) -> int:
    """Run the program after it has read the list and claimed the run folder."""
    started = time.perf_counter()
    folder = RunFolder(options.out, options, overwrite=options.overwrite)
    models = taught_by(options, model, known)
    teacher_seconds = time.perf_counter() - started
    folder.write_model(models["teacher"], known.vocab, "teacher.safetensors")
    key = jax.random.key(options.teachers_seed)
    lessons = distillation.of_teacher(
        *(models["teacher"], model, known.tokens["train"], known.vocab, key),
        share=options.share,
        names=options.drawn,
    )
    first = range(options.seed, options.seed + options.seeds)
    students = trained(model, options.recipe.plain(), first, lessons, folder)
    folder.write_model(students[0], known.vocab)
    drawn = sample.stream(students[0], known.vocab, jax.random.key(options.seed))
    samples = marked(list(islice(drawn, SHOWN_SAMPLES)), frozenset(known.names))
    folder.write_samples(samples)

    write_playground(
        *(options.out, students[0], known.vocab),
        listed=known.names,
        # The validation names have made the teacher.
        held_out=corpus.decode(known.vocab, known.tokens["test_unseen"]),
        title=f"Student of {options.name_list.names.name}",
    )
    losses = {name: lists.losses(known, predictor) for name, predictor in models.items()}
    summary, spread = seeds.summarised([lists.losses(known, student) for student in students])
    nearest = min(
        (name for name in models if name.startswith("Kneser-Ney")),
        key=lambda n: losses[n]["loss_val"],
    )
    gaps = {
        "Student": evaluate.paired_difference(students[0], models[nearest], known.tokens["val"]),
        "Teacher": evaluate.paired_difference(
            models["teacher"], models[nearest], known.tokens["val"]
        ),
    }
    figures = {
        "names": len(known.names),
        "parameters": parameter_count(students[0].params),
        "steps": options.recipe.steps,
        **summary,
        **{
            f"{name.replace(' ', '_').lower()}_{part}": loss
            for name, found in losses.items()
            for part, loss in found.items()
        },
        "minus_kneser_ney_val": gaps["Student"].mean,
        "teacher_minus_kneser_ney_val": gaps["Teacher"].mean,
        "teacher_seconds": round(teacher_seconds, 3),
        "seconds": round(time.perf_counter() - started, 3),
        **environment(),
    }
    folder.write_summary(figures)
    show({**losses, "student": summary}, spread)
    print("\nLoss in nats per character; unseen: names that do not occur in the training part.")
    for who, gap in gaps.items():
        print(
            f"{who} minus {nearest}, on the validation names: {gap.mean:+.4f}, 95 % interval "
            f"{gap.low:+.4f} to {gap.high:+.4f}."
        )
    print("\n" + aligned("\n".join(sample_lines(samples))))
    print(f"\n{folder.contents()}")
    return 0


def show(losses: Mapping[str, Mapping[str, float]], spread: list[seeds.Row]) -> None:
    """Print the losses of all models, and the spread of the students."""
    rows = [[name, *(found[f"loss_{part}"] for part in PARTS)] for name, found in losses.items()]
    print(Table(["", *(part.replace("_", ", ") for part in PARTS)], rows))
    if spread:
        print()
        print(Table(["students", "mean", "std", "lowest", "highest"], spread))


if __name__ == "__main__":
    main("python -m experiments.distill", of_lesson, program)
