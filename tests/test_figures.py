"""Figures show the given numbers, and odd characters do not break them."""

import io
from functools import partial

import matplotlib.image
import numpy as np
import pytest

from mmjax import diagnostics, plots
from mmjax.plots import style

RNG = np.random.default_rng(0)
LABELS = [".", "a", "b", "$", "é", "\x1b", "^"]
COUNTS = RNG.integers(0, 1_000, (7, 7))
PROBS = COUNTS / COUNTS.sum(axis=1, keepdims=True)
STEPS = np.arange(1, 98)


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def lines(figure) -> dict[str, np.ndarray]:
    return {line.get_label(): np.asarray(line.get_xydata()) for line in figure.axes[0].lines}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_bigram_table_has_pair_and_count_in_every_cell():
    shown = texts(plots.bigram_table(COUNTS, LABELS))
    assert len(shown) == 49
    assert shown[7 * 1 + 2] == f"ab\n{COUNTS[1, 2]}"


def test_the_most_frequent_tokens_keep_their_order():
    many = RNG.integers(0, 10, (53, 53))
    many[:, 50] = many[:, 7] = 10_000
    kept = plots.most_frequent(many)
    assert len(kept) == plots.MOST_LABELS
    assert sorted(kept) == kept.tolist()
    assert plots.most_frequent(many, 2).tolist() == [7, 50]


def test_the_bigram_table_is_legible_on_every_cell():
    """Text is light on dark cells and dark on light cells.

    It is never pure black or white: the report replaces these with the page's own colours.
    """
    figure = plots.bigram_table(np.arange(49).reshape(7, 7) ** 3, LABELS)
    colours = [text.get_color() for text in figure.axes[0].texts]
    assert colours[0] == style.ON_DARK
    assert colours[-1] == style.ON_LIGHT
    assert {"black", "white", "#000000", "#ffffff"}.isdisjoint(colours)


def test_probability_tables_share_one_scale():
    figure = plots.probability_tables({"counted": PROBS, "trained": PROBS**2}, LABELS)
    images = [axes.images[0] for axes in figure.axes[:2]]
    assert [image.get_clim() for image in images] == [(0, 1), (0, 1)]
    np.testing.assert_allclose(np.asarray(images[1].get_array()), PROBS)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["counted", "trained"]


def test_histograms_are_densities_with_their_moments():
    values = {"first": RNG.normal(1, 2, 9_973), "second": RNG.normal(0, 1, (97, 11))}
    figure = plots.histograms(values, title="t", xlabel="x")
    assert legend(figure)[0].startswith("first: mean +1")
    assert "std 2" in legend(figure)[0]
    (x, density) = lines(figure)[legend(figure)[0]].T
    assert (density * (x[1] - x[0])).sum() == pytest.approx(1, abs=0.05)


def test_the_saturation_image_is_the_threshold():
    outputs = {"a.tanh": np.tanh(3 * RNG.normal(size=(13, 17))), "b.tanh": np.zeros((13, 17))}
    masks = {name: diagnostics.saturated(name, output) for name, output in outputs.items()}
    figure = plots.saturation(masks)
    image = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_array_equal(image, abs(outputs["a.tanh"]) > 0.97)
    assert figure.axes[1].get_title() == "b.tanh: 0.0% saturated"


def test_lines_over_time_are_the_numbers():
    ratios = {f"w{i}": RNG.normal(-3, 0.1, 97) for i in range(11)}
    saturation_over_time = partial(plots.saturation_over_time, limit=18.0)
    for draw in (plots.update_ratios, saturation_over_time):
        figure = draw(STEPS, ratios)
        for name, ratio in ratios.items():
            np.testing.assert_array_equal(lines(figure)[name], np.transpose([STEPS, ratio]))
        styles = {(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines[:11]}
        assert len(styles) == 11  # no two lines look the same


def test_the_loss_curve_has_its_means_marks_and_yardsticks():
    losses = RNG.normal(2, 0.1, 97)
    figure = plots.loss_curve(
        STEPS,
        losses,
        single=(losses - 0.3, losses + 0.5),
        validation=(np.array([10, 20]), np.array([2.1, 2.0])),
        drop_step=50,
        yardsticks={"uniform": 3.296, "counting": 2.454},
    )
    binned = lines(figure)["training, mean"]
    assert len(binned) == 50
    assert binned[0].tolist() == [1.5, pytest.approx(losses[:2].mean())]
    assert lines(figure)["validation"].tolist() == [[10, 2.1], [20, 2.0]]
    assert lines(figure)["learning rate drops"][:, 0].tolist() == [50, 50]
    assert [label for label in legend(figure) if label.split()[0] in ("uniform", "counting")] == [
        "uniform 3.296, above the picture",
        "counting 2.454",
    ]
    (band,) = figure.axes[0].collections
    assert band.get_datalim(figure.axes[0].transData).ymax == pytest.approx(losses.max() + 0.5)
    after = plots.loss_curve(STEPS, losses, drop_step=100_000)
    assert "learning rate drops" not in lines(after)
    assert len(plots.loss_curve(STEPS[:1], losses[:1]).axes) == 1


def test_a_spike_at_the_start_is_cut_off_and_said():
    falling = np.linspace(2.4, 2.0, 97)
    assert texts(plots.loss_curve(STEPS, falling)) == []
    spiked = np.append(27.5, falling[1:])
    figure = plots.loss_curve(STEPS, spiked, yardsticks={"uniform": 3.3, "counting": 1.9})
    low, high = figure.axes[0].get_ylim()
    assert low < 1.9 < 2.4 < high < 3
    (said,) = texts(figure)
    assert "losses reach 27.50" in said


def test_compared_losses_are_drawn_over_steps_and_seconds():
    nan = np.nan
    run = {
        "step": np.array([10, 20, 30]),
        "seconds": np.array([1.0, 2.0, 4.0]),
        "training": np.array([3.0, 2.5, 2.4]),
        "validation": np.array([nan, 2.6, nan]),
    }
    figure = plots.losses_compared({"a": run, "b": run | {"validation": np.full(3, nan)}})
    steps, seconds = figure.axes
    assert legend(figure) == ["a", "b"]
    for axes, unit in ((steps, "step"), (seconds, "seconds")):
        training, validation, other = [np.asarray(line.get_xydata()) for line in axes.lines]
        assert (
            training.tolist()
            == other.tolist()
            == np.transpose([run[unit], run["training"]]).tolist()
        )
        assert validation.tolist() == [[run[unit][1], 2.6]]


def test_the_embedding_is_projected_on_its_principal_components():
    vectors = np.outer(np.arange(7), [3.0, 4.0, 0.0]) + 0.01 * RNG.normal(size=(7, 3))
    figure = plots.embedding(vectors, LABELS)
    shown = figure.axes[0].texts
    x = np.array([text.get_position()[0] for text in shown])
    np.testing.assert_allclose(abs(np.diff(x)), 5, atol=0.1)
    assert "100% of the variance" in figure.axes[0].get_xlabel()
    plots.embedding(vectors[:, :1], LABELS)
    assert texts(plots.embedding(vectors, LABELS, named=[1, 4])) == ["a", "é"]


def test_predicted_against_counted_names_the_farthest_off():
    predicted = PROBS.copy()
    predicted[1, 2] *= 100
    figure = plots.predicted_against_counted(PROBS, predicted, LABELS)
    assert len(texts(figure)) == 8
    assert "ab" in texts(figure)
    drawn = np.asarray(figure.axes[0].lines[0].get_xdata())
    np.testing.assert_allclose(drawn, np.maximum(PROBS, 1e-5).ravel())


@pytest.mark.filterwarnings("ignore:Glyph .* missing")
@pytest.mark.parametrize(
    "figure",
    [
        plots.bigram_table(COUNTS, LABELS),
        plots.probability_tables({"a": PROBS, "b": PROBS}, LABELS),
        plots.embedding(RNG.normal(size=(7, 3)), LABELS),
        plots.predicted_against_counted(PROBS, PROBS[::-1], LABELS),
    ],
    ids=["table", "tables", "embedding", "against"],
)
def test_odd_characters_are_drawn_as_they_are(figure):
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=40)
    image.seek(0)
    assert matplotlib.image.imread(image).std() > 0.01
    assert "\x1b" not in "".join(texts(figure))


def test_a_figure_shows_in_a_notebook_without_a_magic_line():
    """IPython calls `_repr_png_` on the last value of a cell."""
    losses = {"run": {"step": STEPS, "seconds": STEPS, "training": RNG.random(97)}}
    losses["run"]["validation"] = np.full(97, np.nan)
    for figure in (
        plots.bigram_table(COUNTS, LABELS),
        plots.update_ratios(STEPS, {"w": RNG.normal(-3, 0.1, 97)}),
        plots.saturation({"a": np.ones((13, 17), bool)}),
        plots.losses_compared(losses),
    ):
        image = matplotlib.image.imread(io.BytesIO(figure._repr_png_()), format="png")
        assert image.std() > 0.01
