"""The folders of a run with one seed or several."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mmjax import plots, report
from mmjax.commands.playground import write_playground
from mmjax.commands.train_options import Options
from mmjax.data import corpus
from mmjax.report import drawing
from mmjax.runs import film, seeds
from mmjax.runs.folder import RunFolder
from mmjax.runs.layout import LOSSES, MEMBER
from mmjax.runs.lists import Lists
from mmjax.runs.reading import read_metrics
from mmjax.runs.result import RunResult
from mmjax.train import Chunk, TrainState
from mmjax.train.loop import Record, Sink


class Folders:
    """The run folder, and one folder for each seed.

    With a single seed, both are the same folder.
    """

    def __init__(self, options: Options, resumed: int | None) -> None:
        """Open the folders, for a new run or to resume one.

        `resumed` is the step of the checkpoint to resume from: the folders keep their files, and
        their metrics up to that step. Raises `InputError` as `RunFolder` does.
        """
        resume = resumed is not None
        overwrite = options.overwrite or options.resume
        self.whole = RunFolder(options.out, options, resume=resume, overwrite=overwrite)
        self.of_seed = {options.seed: self.whole}
        if options.seeds > 1:
            self.of_seed = {
                seed: _member(options, seed, resume)
                for seed in range(options.seed, options.seed + options.seeds)
            }
        self.all = [*{id(one): one for one in (self.whole, *self.of_seed.values())}.values()]
        if resumed is not None:
            for one in self.all:
                one.cut_metrics(resumed)
        self.films = {
            seed: {} if resumed is None else film.read(one.path, resumed)
            for seed, one in self.of_seed.items()
        }
        self.records = {seed: read_metrics(one.path) for seed, one in self.of_seed.items()}

    def log(self, on_metrics: Callable[[Record], object] | None) -> Sink:
        """Return the sink that writes each seed's metrics, and their mean.

        `on_metrics` gets the mean.
        """

        def sink(records: Sequence[Record], chunk: Chunk) -> None:
            del chunk
            for (seed, folder), record in zip(self.of_seed.items(), records, strict=True):
                folder.add_metrics(record)
                self.records[seed].append(record)
            together = seeds.mean_of(records)
            if len(records) > 1:
                self.whole.add_metrics(together)
            if on_metrics:
                on_metrics(together)

        return sink

    def film_sink(self, chunk: int) -> Sink:
        """Return the sink that keeps each seed's embedding at some steps."""

        def sink(records: Sequence[Record], now: Chunk) -> None:
            del records
            if film.is_due(now.step, chunk):
                self.keep(now.step, now.states)

        return sink

    def keep(self, step: int, states: Sequence[TrainState]) -> None:
        """Add each seed's embedding to its film."""
        for (seed, folder), state in zip(self.of_seed.items(), states, strict=True):
            self.films[seed][step] = np.asarray(state.params.embedding)
            film.write(folder.path, self.films[seed])

    def sync_metrics(self) -> None:
        """Sync all metrics to the disk."""
        for one in self.all:
            one.sync_metrics()

    def write(self, seed: int, result: RunResult) -> None:
        """Write a seed's figures, instruments and samples."""
        self.of_seed[seed].write_summary(result.figures)
        self.of_seed[seed].write_instruments(result.gauges)
        self.of_seed[seed].write_samples(result.samples)

    def write_together(self, results: dict[int, RunResult]) -> list[seeds.Row]:
        """Write the summary of several seeds and return its rows.

        It also draws their losses. For one seed it writes nothing and returns no rows.
        """
        if len(results) == 1:
            return []
        names = {seed: f"{MEMBER}{seed}" for seed in results}
        summary, rows = seeds.summarised([run.figures for run in results.values()])
        self.whole.write_summary(summary)
        curves = {
            names[seed]: seeds.curves(run.records) for seed, run in results.items() if run.records
        }
        if curves:
            drawing.write_picture(plots.losses_compared(curves), self.whole.path / LOSSES)
        return rows

    def write_reports(self, results: dict[int, RunResult], known: Lists) -> None:
        """Write each seed's report and playground."""
        for seed, result in results.items():
            made = report.of_mlp(result)
            page = write_playground(
                *(self.of_seed[seed].path, result.predictor, result.vocab),
                listed=known.names if known.whole else None,
                held_out=corpus.decode(result.vocab, result.tokens["val_unseen"]),
                title=made.title,
            )
            report.write(made._replace(playground=page), self.of_seed[seed].path)


def _member(options: Options, seed: int, resume: bool) -> RunFolder:
    """Return the folder of one of several seeds.

    Its files are those of a run with this seed alone, except the checkpoints.
    """
    out = options.out / f"{MEMBER}{seed}"
    alone = replace(options, seed=seed, seeds=1, out=out)
    return RunFolder(out, alone, resume=resume, overwrite=True)
