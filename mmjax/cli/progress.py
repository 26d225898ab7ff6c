"""The progress bar."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # without ipywidgets, notebooks get a bar of characters
    from tqdm.auto import tqdm

from mmjax.cli.live import LiveNames
from mmjax.runs.saver import Start, mean_validation
from mmjax.train import Chunk, Recipe
from mmjax.train.loop import Record, Sink


@contextmanager
def progress_bar(
    recipe: Recipe,
    start: Start | None = None,
    title: str | None = None,
    live: LiveNames | None = None,
) -> Iterator[Sink]:
    """Show a progress bar within the block, in a terminal or a notebook.

    Yields a sink for `train.fit`, which moves the bar. With `live`, a line under the bar has names
    from the first network, in a terminal. Until the first chunk is done, the bar says that the step
    is compiled.
    """
    done = start.progress.step if start else 0
    last: dict[str, str] = {}
    hidden = False if in_notebook() else None  # None hides it without a terminal
    with (
        tqdm(
            desc=title,
            total=recipe.steps,
            initial=done,
            unit="step",
            unit_scale=True,
            disable=hidden,
        ) as bar,
        tqdm(bar_format="{desc}", position=1, leave=False, disable=None if live else True) as line,
    ):
        bar.set_postfix_str("compiling")

        def move(records: Sequence[Record], chunk: Chunk) -> None:
            last["loss"] = f"{chunk.losses.mean():.4f}"
            if "loss_val" in records[0]:
                last["val"] = f"{mean_validation(records):.4f}"
            bar.set_postfix(last, refresh=False)
            bar.update(chunk.step - bar.n)
            if live and not line.disable and (names := live.draw(chunk.states[0])):
                line.set_description_str(f"  names: {names}")

        yield move


def in_notebook() -> bool:
    """Return whether the program runs in a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and "IPKernelApp" in shell.config
