"""What a terminal shows while a network trains, and that it changes nothing."""

import io

import jax
import numpy as np
import pytest

from mmjax import corpus, metrics, mlp, train, vocab
from mmjax.cli import live
from mmjax.cli.live import LiveNames
from mmjax.cli.progress import progress_bar

NAMES = ["ann", "bob", "zoe", "neil", "anna"]
LETTERS = vocab.build(NAMES)
MODEL = mlp.MLP(vocab_size=LETTERS.size, hidden_size=13, hidden_layers=2)
RECIPE = train.Recipe(steps=12, batch_size=7)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def trained(live_names, stream, monkeypatch):
    monkeypatch.setattr("sys.stderr", stream)
    state = train.init(MODEL, RECIPE, jax.random.key(0))
    losses = []
    with progress_bar(RECIPE, None, live=live_names) as move:
        fitted = train.fit(
            *(MODEL, RECIPE, state, corpus.encode(LETTERS, NAMES)),
            chunk=4,
            metrics=[metrics.losses(RECIPE)],
            sinks=[lambda records, chunk: losses.append(chunk.losses), move],
        )
    return fitted.state, np.concatenate(losses, axis=1), stream.getvalue()


def test_names_drawn_while_training_do_not_change_it(monkeypatch):
    monkeypatch.setattr(live, "PAUSE", 0.0)
    monkeypatch.setattr(live, "SHARE", 1.0)
    state, losses, shown = trained(LiveNames(MODEL, LETTERS, 0), Terminal(), monkeypatch)
    assert shown.index("compiling") < shown.index("names: ") < shown.index("12.0/12.0")
    drawn = [part.split("\x1b")[0] for part in shown.split("names: ")[1:]]
    assert len({*drawn}) >= 2  # another state and other random numbers give other names
    assert all(len(names.split(", ")) == live.NAMES for names in drawn)
    plain, plain_losses, shown = trained(None, Terminal(), monkeypatch)
    assert "compiling" in shown
    assert "names: " not in shown
    np.testing.assert_array_equal(losses, plain_losses)
    jax.tree.map(np.testing.assert_array_equal, state.params, plain.params)
    np.testing.assert_array_equal(jax.random.key_data(state.key), jax.random.key_data(plain.key))


def test_without_a_terminal_nothing_is_drawn_or_shown(monkeypatch):
    monkeypatch.setattr(LiveNames, "draw", lambda *_: pytest.fail("drawn"))
    assert trained(LiveNames(MODEL, LETTERS, 0), io.StringIO(), monkeypatch)[2] == ""


def test_drawing_takes_a_small_share_of_the_time(monkeypatch):
    """The clock is injected: a draw takes 1 second of every 3."""
    clock = [0.0]
    monkeypatch.setattr(live.time, "perf_counter", lambda: clock[0])

    def slow(*_):
        clock[0] += 1.0
        return np.array([[1, 0], [2, 3], [0, 0]])

    monkeypatch.setattr(live, "_draw", slow)
    names = LiveNames(MODEL, LETTERS, 0)
    state = train.init(MODEL, RECIPE, jax.random.key(0))
    times = []
    for _ in range(200):
        clock[0] += 1.0
        if (drawn := names.draw(state)) is not None:
            times.append(clock[0])
            assert drawn == "a, be, "
    assert times[0] - 1 == live.PAUSE
    assert len(times) == pytest.approx(live.SHARE * clock[0], abs=2)
