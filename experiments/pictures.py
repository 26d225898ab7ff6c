"""The pictures of a run, each with a sentence on what it means."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text

from experiments.inside import Inside
from experiments.run_folder import make_folder
from mmjax import Vocab, diagnostics, figures, files
from mmjax.counts import probabilities
from mmjax.diagnostics import DEAD, SATURATED

HEADING = "heading"  # the id of the heading's group in the SVG


class Picture(NamedTuple):
    """A figure, the name of its file, and what it means."""

    name: str
    figure: Figure
    meaning: str

    @property
    def title(self) -> str:
        """What its heading says."""
        return heading(self.figure).get_text()


def heading(figure: Figure) -> Text:
    """What stands above a figure: over several panels a text of the figure, else the title of the one."""
    return figure.texts[0] if figure.get_suptitle() else figure.axes[0].title


def of_training(
    records: Sequence[Mapping[str, Any]],
    *,
    yardsticks: Mapping[str, float],
    drop_step: int | None = None,
) -> Iterator[Picture]:
    """The pictures over time, from the lines of a run's metrics."""
    if not records:
        return

    def column(key: str) -> np.ndarray:
        return np.array([record.get(key, np.nan) for record in records], np.float64)

    def columns(prefix: str) -> dict[str, np.ndarray]:
        keys = [key for key in records[0] if key.startswith(prefix)]
        return {key.removeprefix(prefix): column(key) for key in keys}

    steps, validation = column("step"), column("loss_val")
    validated = np.isfinite(validation)
    yield Picture(
        "loss",
        figures.loss_curve(
            steps,
            column("loss_batch"),
            single=(column("loss_batch_low"), column("loss_batch_high")),
            validation=(steps[validated], validation[validated]) if validated.any() else None,
            drop_step=drop_step,
            yardsticks=yardsticks,
        ),
        "How wrong the model is about the next character. Single batches scatter, so the mean tells; where "
        "validation rises while training falls, the list is being learned by heart.",
    )
    if ratios := columns("update_ratio/"):
        yield Picture(
            "update_ratios",
            figures.update_ratios(steps, ratios),
            "The size of a step against the size of the weights that it moves. Far below -3 a layer hardly "
            "learns, far above it is thrown about; a learning rate ten times lower moves all lines down by one.",
        )
    if saturations := columns("saturation/"):
        yield Picture(
            "saturation_over_time",
            figures.saturation_over_time(steps, saturations),
            f"The part of each layer's outputs beyond ±{SATURATED}, where tanh is flat and lets hardly any "
            "gradient through. The first layer has no BatchNorm before it and keeps growing.",
        )


def of_network(inside: Inside) -> Iterator[Picture]:
    """The lecture's pictures of what a batch does inside."""
    tanhs = [row.name for row in inside.activations]
    outputs = {name: np.asarray(inside.batch.outputs[name]) for name in tanhs}
    gradients = {name: np.asarray(inside.batch.output_grads[name]) for name in tanhs}
    weights = diagnostics.weights(inside.batch.grads)
    yield Picture(
        "activations",
        figures.histograms(
            outputs,
            title="Outputs of the tanh layers: spread out, without heaps at -1 and 1",
            xlabel="output",
        ),
        "Layers of the same shape pass on signals of the same size, so that none drowns the next; heaps at "
        "the ends are saturated units.",
    )
    yield Picture(
        "gradients",
        figures.histograms(
            gradients,
            title="Gradients at the tanh layers: equally wide is healthy",
            xlabel="gradient of the loss",
        ),
        "What reaches each layer on the way back. Lines that get narrower from layer to layer are vanishing "
        "gradients, lines that get wider exploding ones.",
    )
    yield Picture(
        "weight_gradients",
        figures.histograms(
            {name: np.asarray(grad) for name, grad in weights.items()},
            title="Gradients of the weights: every layer learns, none far more than another",
            xlabel="gradient of the loss",
        ),
        "What each weight matrix is told to change on one batch. One far wider than the rest learns faster "
        "than the rest can follow.",
    )
    yield Picture(
        "saturation",
        figures.saturation(outputs),
        f"One row an example, one column a unit. A unit beyond ±{DEAD} on every example is dead: no gradient "
        "reaches its weights.",
    )


def of_characters(
    vectors: np.ndarray, kept: np.ndarray, counts: np.ndarray, expected: np.ndarray, vocab: Vocab
) -> Iterator[Picture]:
    """What an MLP has made of the characters, and its pairs against the counted ones.

    `counts` and `expected` [kept, vocab] are counted pairs and those the model expects, after the
    tokens `kept`, which are shown.
    """
    labels = [vocab.labels[i] for i in kept]
    yield Picture(
        "embedding",
        figures.embedding(vectors, vocab.labels, named=kept),
        "Each character's learned vector. Those that the network treats alike are near each other, as far as "
        "two axes with the stated part of the variance can show it.",
    )
    yield Picture(
        "predicted_against_counted",
        figures.predicted_against_counted(
            probabilities(counts)[:, kept],
            probabilities(expected)[:, kept],
            labels,
        ),
        "One dot a pair: how often the second character follows the first, as the model predicts it on "
        "average and as it is counted. Dots on the line agree." + _restricted(vocab),
    )
    yield counted_pairs(counts[:, kept], kept, vocab)


def counted_pairs(counts: np.ndarray, kept: np.ndarray, vocab: Vocab) -> Picture:
    """Return the lecture's heat map of `counts` [kept, kept]."""
    return Picture(
        "bigram_table",
        figures.bigram_table(counts, [vocab.labels[i] for i in kept]),
        f"All that a bigram knows: how often each pair stands in the list, “{vocab.labels[0]}” being the "
        "beginning and the end of a name." + _restricted(vocab),
    )


def of_tables(counts: np.ndarray, trained: np.ndarray, vocab: Vocab) -> Iterator[Picture]:
    """The counted pairs, and the trained table of P(next | previous) beside the counted one."""
    kept = figures.most_frequent(counts)
    yield counted_pairs(counts[np.ix_(kept, kept)], kept, vocab)
    yield Picture(
        "probability_tables",
        figures.probability_tables(
            {
                "counted": probabilities(counts)[np.ix_(kept, kept)],
                "neural bigram": trained[np.ix_(kept, kept)],
            },
            [vocab.labels[i] for i in kept],
        ),
        "Gradient descent finds the table that counting gives at once, so the two should look the same."
        + _restricted(vocab),
    )


def svg(figure: Figure) -> str:
    """A figure as SVG with text as text, and with a hint where its heading is; the same bytes every time."""
    heading(figure).set_gid(HEADING)
    settings = {"svg.fonttype": "none", "svg.hashsalt": "mmjax"}
    nameless = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    text = drawn(figure, "svg", settings, metadata=nameless).decode()
    # The fonts once for all, not with each of a thousand texts.
    fonts = "font-family: 'DejaVu Sans', Verdana, sans-serif"
    text = re.sub(r"font-family: ('[^']*', )*sans-serif; ?", "", text)
    return text.replace("<svg ", f'<svg style="{fonts}" ', 1)


def drawn(figure: Figure, format: str, settings: dict[Any, Any], **options: Any) -> bytes:
    """A figure as a file of that format, drawn with matplotlib's `settings`."""
    image = io.BytesIO()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # In an SVG whoever shows it has the glyph, in a PNG a box stands for it.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(image, format=format, dpi=100, **options)
    return image.getvalue()


def write(figure: Figure, path: Path) -> None:
    """Write a figure as what the path ends in, .svg or .png. Raises `InputError` if that cannot be done."""
    make_folder(path.parent)
    files.write(path, svg(figure) if path.suffix == ".svg" else drawn(figure, "png", {}))


def save(pictures: Sequence[Picture], folder: Path) -> dict[str, str]:
    """Write each picture into `folder` as NAME.svg; the SVG of each by its name.

    Raises `InputError` if that cannot be done.
    """
    make_folder(folder)
    svgs = {picture.name: svg(picture.figure) for picture in pictures}
    for name, text in svgs.items():
        files.write(folder / f"{name}.svg", text)
    return svgs


def _restricted(vocab: Vocab) -> str:
    if vocab.size <= figures.MOST_LABELS:
        return ""
    return f" Of the {vocab.size:,} characters the {figures.MOST_LABELS} most frequent are shown."
