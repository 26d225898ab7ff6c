"""The pictures of a run, each with a sentence on what it means."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mmjax import diagnostics, plots
from mmjax.counts import probabilities
from mmjax.data.vocab import Vocab
from mmjax.diagnostics.cockpit import Gauge
from mmjax.diagnostics.record import activation_of
from mmjax.diagnostics.snapshot import Snapshot
from mmjax.models.activations import SATURATED
from mmjax.report.drawing import Picture


def of_training(
    records: Sequence[Mapping[str, Any]],
    *,
    yardsticks: Mapping[str, float],
    drop_step: int | None = None,
) -> Iterator[Picture]:
    """Yield the pictures over time, from the lines of a run's metrics."""
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
        plots.loss_curve(
            steps,
            column("loss_batch"),
            validation=(steps[validated], validation[validated]) if validated.any() else None,
            drop_step=drop_step,
            yardsticks=yardsticks,
        ),
        "How wrong the model is about the next character, as a mean over batches."
        + " If validation rises while training falls, the network memorises the list."
        * bool(validated.any()),
    )
    if ratios := columns("update_ratio/"):
        yield Picture(
            "update_ratios",
            plots.update_ratios(
                steps, {name.removesuffix(".weight"): ratio for name, ratio in ratios.items()}
            ),
            "The size of an update relative to the size of the weights, as log10. Far below -3 a layer hardly "
            "learns; far above, the updates are too large. A ten times lower learning rate moves every line down by 1.",
        )
    if saturations := columns("saturation/"):
        limit = min(activation_of(name).max_saturation for name in saturations)
        yield Picture(
            "saturation_over_time",
            plots.saturation_over_time(steps, saturations, limit=limit),
            "Percent of each layer's outputs on which the activation is flat and passes hardly any gradient: "
            f"for tanh, outputs beyond ±{SATURATED}. In a layer without a normalisation before it, saturation can grow.",
        )


def of_instruments(gauges: Sequence[Gauge]) -> Iterator[Picture]:
    """Yield the picture of the cockpit, if there is a gauge."""
    if gauges:
        yield Picture(
            "instruments",
            plots.cockpit({"this run": gauges}),
            "Each line is one instrument, with its name on the left and its figure on the right. A "
            "point far outside the column is drawn at the edge of the picture.",
        )


def of_network(snapshot: Snapshot) -> Iterator[Picture]:
    """Yield the lecture's pictures of a batch inside the network."""
    layers = [row.name for row in snapshot.activations]
    outputs = {name: np.asarray(snapshot.batch.outputs[name]) for name in layers}
    gradients = {name: np.asarray(snapshot.batch.output_grads[name]) for name in layers}
    weights = diagnostics.weights(snapshot.batch.grads)
    yield Picture(
        "activations",
        plots.histograms(
            outputs,
            title="Outputs of the activation layers: spread out, without heaps at the ends",
            xlabel="output",
        ),
        "If the curves look alike, every layer passes on signals of the same size. Peaks at the ends are saturated units.",
    )
    yield Picture(
        "gradients",
        plots.histograms(
            gradients,
            title="Gradients at the activation layers: curves of equal width are healthy",
            xlabel="gradient of the loss",
        ),
        "The gradient of the loss that reaches each layer. Lines that get narrower from the last layer to the "
        "first are vanishing gradients, lines that get wider are exploding ones.",
    )
    yield Picture(
        "weight_gradients",
        plots.histograms(
            {name.removesuffix(".weight"): np.asarray(grad) for name, grad in weights.items()},
            title="Gradients of the weights: curves of similar width are healthy",
            xlabel="gradient of the loss",
        ),
        "The gradient of each weight matrix on one batch. A matrix with a much wider curve than the "
        "others changes too fast.",
    )
    yield Picture(
        "saturation",
        plots.saturation(
            {name: diagnostics.saturated(name, output) for name, output in outputs.items()}
        ),
        "Each row is an example, each column a unit. A white column is a unit that is saturated on every example: "
        "almost no gradient reaches its weights.",
    )


def of_film(stills: Mapping[int, np.ndarray], kept: np.ndarray, vocab: Vocab) -> Iterator[Picture]:
    """Yield the picture of the embedding [vocab, dim] over the steps, if there are several.

    It names the tokens `kept`.
    """
    if len(stills) > 1:
        yield Picture(
            "embedding_film",
            plots.embedding_film(stills, vocab.labels, named=kept),
            "The embedding at several steps, from the random vectors of the start on. It is drawn "
            "in the two directions in which the vectors moved most, each still at its own scale. "
            "Characters that are used alike, such as vowels (yellow), gather.",
        )


def of_characters(
    vectors: np.ndarray, kept: np.ndarray, counts: np.ndarray, expected: np.ndarray, vocab: Vocab
) -> Iterator[Picture]:
    """Yield the pictures of an MLP's embedding and letter pairs.

    `counts` and `expected` [kept, vocab] are the counted pairs, and those that the model expects,
    after the tokens `kept`. The pictures label and compare only these tokens.
    """
    labels = [vocab.labels[i] for i in kept]
    yield Picture(
        "embedding",
        plots.embedding(vectors, vocab.labels, named=kept),
        "The learned vector of each character, on its first two principal components. The network treats "
        "characters that are near each other alike.",
    )
    yield Picture(
        "predicted_against_counted",
        plots.predicted_against_counted(
            probabilities(counts)[:, kept],
            probabilities(expected)[:, kept],
            labels,
        ),
        "Each dot is a pair: the probability of the second character after the first, as the model predicts "
        "it on average, and as counted. Dots on the line agree." + _restricted(vocab),
    )
    yield counted_pairs(counts[:, kept], kept, vocab)


def counted_pairs(counts: np.ndarray, kept: np.ndarray, vocab: Vocab) -> Picture:
    """Return the lecture's heat map of `counts` [kept, kept]."""
    return Picture(
        "bigram_table",
        plots.pair_map(counts, [vocab.labels[i] for i in kept]),
        f"All that a bigram knows: how often each pair occurs in the list. “{vocab.labels[0]}” is the "
        "beginning and the end of a name." + _restricted(vocab),
    )


def of_tables(counts: np.ndarray, trained: np.ndarray, vocab: Vocab) -> Iterator[Picture]:
    """Yield the pictures of a bigram's tables.

    They are the counted pairs, and the trained table of P(next | previous) beside the counted one.
    """
    kept = plots.most_frequent(counts)
    yield counted_pairs(counts[np.ix_(kept, kept)], kept, vocab)
    yield Picture(
        "probability_tables",
        plots.probability_tables(
            {
                "counted": probabilities(counts)[np.ix_(kept, kept)],
                "neural bigram": trained[np.ix_(kept, kept)],
            },
            [vocab.labels[i] for i in kept],
        ),
        "Gradient descent finds the table that counting gives in one pass. The two should look the same."
        + _restricted(vocab),
    )


def _restricted(vocab: Vocab) -> str:
    if vocab.size <= plots.MOST_LABELS:
        return ""
    return f" Only the {plots.MOST_LABELS} most frequent of {vocab.size:,} tokens are shown."
