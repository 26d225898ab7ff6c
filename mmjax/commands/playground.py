"""The page in a run folder in which the model runs."""

from collections.abc import Sequence
from pathlib import Path

from mmjax.data.vocab import Vocab
from mmjax.model import Predictor
from mmjax.report import playground
from mmjax.runs.layout import PLAYGROUND


def write_playground(
    folder: Path,
    predictor: Predictor,
    vocab: Vocab,
    *,
    listed: Sequence[str] | None,
    held_out: Sequence[str],
    title: str,
) -> str:
    """Write `playground.html` as `playground.write` does, or print why there is none.

    Returns the name of the file, which is empty if there is none. Raises `InputError` if the file
    cannot be written.
    """
    try:
        playground.write(
            folder / PLAYGROUND, predictor, vocab, listed=listed, held_out=held_out, title=title
        )
    except playground.Unfit as unfit:
        print(f"\nNo {PLAYGROUND}: {unfit}.")
        return ""
    return PLAYGROUND
