"""The progress bar."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tqdm import tqdm

from mmjax.runs.saver import Start, mean_validation
from mmjax.train import Chunk, Recipe
from mmjax.train.loop import Record, Sink


@contextmanager
def progress_bar(recipe: Recipe, start: Start | None, title: str | None = None) -> Iterator[Sink]:
    """Show a progress bar within the block.

    Yields the sink that moves the bar.
    """
    done = start.progress.step if start else 0
    last: dict[str, str] = {}
    with tqdm(
        desc=title, total=recipe.steps, initial=done, unit="step", unit_scale=True, disable=None
    ) as bar:

        def move(records: Sequence[Record], chunk: Chunk) -> None:
            last["loss"] = f"{chunk.losses.mean():.4f}"
            if "loss_val" in records[0]:
                last["val"] = f"{mean_validation(records):.4f}"
            bar.set_postfix(last, refresh=False)
            bar.update(chunk.step - bar.n)

        yield move
