"""The film of an embedding: which stills it has, how it is kept, and how it is drawn."""

import numpy as np
import pytest
from programs import run

from mmjax import InputError, plots
from mmjax.runs import film


def test_stills_double_their_distance():
    due = [step for step in range(0, 1_001) if film.is_due(step, 20)]
    assert due == [0, 20, 40, 80, 160, 320, 640]


def test_a_film_is_read_as_it_was_written_up_to_a_step(tmp_path):
    rng = np.random.default_rng(0)
    stills = {step: rng.normal(size=(7, 3)).astype(np.float32) for step in (0, 20, 40, 160)}
    assert film.read(tmp_path, 160) == {}
    film.write(tmp_path, stills)
    found = film.read(tmp_path, 40)
    assert [*found] == [0, 20, 40]
    for step, still in found.items():
        np.testing.assert_array_equal(still, stills[step])
    assert [*film.read(tmp_path, 1_000)] == [*stills]


@pytest.mark.parametrize("content", [b"", b"no film", None])
def test_a_damaged_film_is_refused(tmp_path, content):
    film.write(tmp_path, {0: np.zeros(3)} if content is None else {0: np.zeros((3, 2))})
    path = tmp_path / "embedding.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"embedding\.safetensors: is not a film of an embedding"):
        film.read(tmp_path, 0)


def test_a_film_is_drawn_where_the_vectors_moved():
    """Only one direction changes, so the first axis is that direction, and the rest stands still."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=(5, 3))
    moves = np.array([[-3.0], [-1.0], [0.0], [1.0], [3.0]]) * np.array([[0.0, 1.0, 0.0]])
    stills = {step: start + step / 10 * moves for step in range(0, 18, 2)}
    figure = plots.embedding_film(stills, ["a", "b", "c", "d", "e"], [0, 4])
    assert [axes.get_title() for axes in figure.axes] == [
        f"step {s}" for s in (0, 4, 6, 10, 12, 16)
    ]
    centred = start - start.mean(axis=0)
    for axes, step in zip(figure.axes, (0, 4, 6, 10, 12, 16), strict=True):
        drawn = np.asarray(axes.lines[0].get_xydata())[:, 0]
        expected = centred[:, 1] + step / 10 * moves[:, 1]
        sign = np.sign(drawn @ expected)
        np.testing.assert_allclose(sign * drawn, expected, atol=1e-9)
        assert [text.get_text() for text in axes.texts] == ["a", "e"]


@pytest.mark.slow
def test_a_run_keeps_its_first_and_its_doubled_steps(monkeypatch, capsys, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("\n".join(["ann", "bob", "cy", "dee", "eve", "fay", "gus", "hal"] * 5))
    out = tmp_path / "run"
    options = ("--names", names, "--steps", 300, "--seeds", 2, "--no-report", "--hidden-size", 7)
    assert run(monkeypatch, capsys, "mlp", *options, "--out", out)[0] == 0
    films = [film.read(out / f"seed-{seed}", 300) for seed in (0, 1)]
    assert [[*each] for each in films] == [[0, 6, 12, 24, 48, 96, 192]] * 2
    assert not np.array_equal(films[0][0], films[1][0])
    assert not np.array_equal(films[0][0], films[0][192])
