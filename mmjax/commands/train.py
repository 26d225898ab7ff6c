"""Train the multi-layer perceptron with BatchNorm."""

from collections.abc import Callable
from dataclasses import replace

from mmjax import data, train
from mmjax.cli import processes
from mmjax.cli.devices import a_device_for_each_core
from mmjax.cli.interruption import interruptible
from mmjax.cli.live import LiveNames
from mmjax.cli.progress import progress_bar
from mmjax.commands import (
    auto,
    closing,
    following,
    footprint,
    init_from,
    resume,
    spreading,
    training,
)
from mmjax.commands.auto_options import AutoOptions
from mmjax.commands.folders import Folders
from mmjax.commands.train_options import Options
from mmjax.errors import require
from mmjax.model import parameter_count
from mmjax.models import mlp
from mmjax.runs import outcome
from mmjax.runs.checkpoint import Checkpoint
from mmjax.runs.environment import environment
from mmjax.runs.folder import claimed
from mmjax.runs.layout import INTERRUPTED, plain
from mmjax.runs.lists import Lists
from mmjax.runs.rotation import Checkpoints
from mmjax.runs.saver import Saver
from mmjax.train import Best, Progress, Recipe, TrainState, members

OnMetrics = Callable[[dict[str, float]], object]


def program(options: Options | AutoOptions, on_metrics: OnMetrics | None = None) -> int:
    """Train the MLP, save and show the results; return the exit status.

    It also evaluates the MLP, checks it against counting and draws samples.
    `on_metrics` gets each line of `metrics.jsonl` as it is written, with several seeds their mean.
    """
    if isinstance(options, AutoOptions):
        return auto.program(options)
    if options.coordinator is None:
        return train_and_write(options, on_metrics)
    with processes.sharing_fate():
        following.join(options)
        if processes.first():
            return train_and_write(options, on_metrics)
        return following.program(options)


def train_and_write(options: Options, on_metrics: OnMetrics | None) -> int:
    """Run the program in the process that writes the run folder."""
    if options.seeds > 1:
        a_device_for_each_core(options.seeds)
    options, model, known, devices = training.prepared(options)
    recipe = options.recipe.plain()
    footprint.require_room(model, recipe, options.seeds)
    require(
        not options.resume or options.out.is_dir(),
        f"{options.out}: is not a run folder; start without --resume",
    )
    path = options.init_from
    source = init_from.source(path, model, known.vocab) if path else None
    with claimed(options.out):
        return run(options, model, recipe, known, devices, source, on_metrics)


def run(
    options: Options,
    model: mlp.MLP,
    recipe: Recipe,
    known: Lists,
    devices: int,
    source: init_from.Source | None,
    on_metrics: OnMetrics | None,
) -> int:
    """Run the program after it has read the list and claimed the run folder."""
    seeds = range(options.seed, options.seed + options.seeds)
    checkpoints = Checkpoints(options.out, options.keep)
    start = resume.started(options, model, known, checkpoints) if options.resume else None
    folders = Folders(options, start.progress.step if start else None)
    examples = data.of(recipe.data, known.training, model, noise=recipe.noise)

    best = start.best if start else training.new_best(recipe)

    def save(state: TrainState, progress: Progress, best: Best) -> None:
        folders.sync_metrics()  # they must be on the disk before the checkpoint that relies on them
        notes = {"progress": progress._asdict(), "best": best.notes()}
        notes |= {"options": plain(options), **environment()}
        saved = Checkpoint(model, recipe, known.vocab, known.checksum, state, notes)
        checkpoints.save(saved, progress.step, best=best.state if best.improved else None)

    with resume.mention(checkpoints):
        saver = Saver(save, start, best)
        state = start.state if start else training.first_state(model, recipe, seeds)
        if source and not start:
            state = source.start(state, model)
        chunk = training.chunk_size(recipe, parameter_count(state.params))
        seen = {"watch": options.watch, "instruments": options.instruments}
        measured = training.measured(model, recipe, state, examples, **seen)
        validation = training.validation(model, recipe, known.tokens["val"], chunk)
        live = LiveNames(model, known.vocab, options.seed)
        with (
            interruptible() as interruption,
            progress_bar(recipe, start, live=live) as move_bar,
        ):
            if not start:
                folders.keep(0, members.states(state))
                saver.start(state, Progress.start(len(seeds)))
            reason = best.stop()
            first = start.progress if start else Progress.start(len(seeds))
            following.require_same(options, model, known)
            following.tell(state, first.step, reason)
            state, batches = spreading.spread(state, examples, devices)
            fitted = train.fit(
                *(model, recipe, state, batches),
                chunk=chunk,
                observe=measured.observe,
                metrics=[*measured.metrics, validation],
                sinks=[
                    folders.log(on_metrics),
                    folders.film_sink(chunk),
                    *(best.sink, saver.sink, move_bar),
                ],
                stops=[processes.agreed(best.stop, interruption.stop)],
                progress=first,
                reason=reason,
            )
        saver.end(fitted)
        if fitted.reason == INTERRUPTED and not interruption:  # another process was interrupted
            interruption.status = following.STOPPED
        if recipe.early_stopping:
            fitted = best.restored(fitted)
        counted = outcome.counted_losses(known, model.block_size)
        results = {}
        for member, seed in enumerate(seeds):
            trained = outcome.trained(model, recipe, fitted, member, examples)
            if options.calibrate:
                trained = outcome.calibrated(trained, known)
            folders.of_seed[seed].write_model(trained.predictor, known.vocab)
            settings = plain(replace(options, seed=seed))
            results[seed] = outcome.result_of(
                *(trained, known, examples, settings),
                *(folders.records[seed], folders.films[seed], counted),
            )
            folders.write(seed, results[seed])
        closing.show(results, folders.write_together(results))
        if options.report:
            folders.write_reports(results, known)
        print(f"\n{folders.whole.contents()}")
    return closing.status(results, interruption)
