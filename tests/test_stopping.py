"""Early stopping: the best state is kept, for each member as it would be alone."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest
from programs import NAMES, run, summary
from test_resume import Killed, killed_at, results

from mmjax import InputError, bigram, checkpoint, corpus, members, train, vocab, weights

MODEL = bigram.Bigram()
RECIPE = train.Recipe(steps=20, batch_size=13)
KEYS = jax.random.split(jax.random.key(0), 3)
LOSSES = {  # of each member at its 10 measurements
    0: [5, 4, 3, 2, 1, 9, 9, 9, 9, 0],
    1: [5, 6, 6, 4, 4, 4, 4, 0, 0, 0],
    2: [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
}
BEST = {0: 10, 1: 8, 2: 20}  # the step with the lowest loss, before 3 measurements without a lower


@pytest.fixture(scope="module")
def tokens(shipped_names):
    return corpus.encode(vocab.build(shipped_names), shipped_names[:97])


def fitted(state, tokens, losses, patience):
    """Train with given validation losses; return (best, what training came to)."""

    def metric(chunk):
        return [{"loss_val": float(each[chunk.step // 2 - 1])} for each in losses]

    best = train.Best(patience)
    found = train.fit(
        *(MODEL, RECIPE, state, tokens),
        chunk=2,
        metrics=[metric],
        sinks=[best.sink],
        stops=[best.stop],
    )
    return best, found


@pytest.mark.parametrize("member", LOSSES)
def test_the_state_with_the_lowest_loss_is_kept(tokens, member):
    state = train.init(MODEL, RECIPE, KEYS[member])
    best, found = fitted(state, tokens, [LOSSES[member]], 3)
    restored = best.restored(found)
    assert int(restored.state.step) == BEST[member]
    until = replace(RECIPE, steps=BEST[member])
    alone, _ = train.run(MODEL, until, KEYS[member], tokens)
    np.testing.assert_array_equal(restored.state.params.weight, alone.params.weight)
    assert best.losses == [LOSSES[member][BEST[member] // 2 - 1]]
    assert (found.reason is None) == (member == 2)
    assert found.progress.step == {0: 16, 1: 14, 2: 20}[member]


def test_members_end_as_each_would_alone(tokens):
    states = members.init(MODEL, RECIPE, KEYS)
    best, found = fitted(states, tokens, LOSSES.values(), 3)
    assert found.reason is None  # the last member improves to the end
    together = best.restored(found)
    assert together.state.step.tolist() == list(BEST.values())
    for i, state in enumerate(together.states):
        alone, _ = train.run(MODEL, replace(RECIPE, steps=BEST[i]), KEYS[i], tokens)
        np.testing.assert_allclose(state.params.weight, alone.params.weight, rtol=1e-5, atol=1e-6)


def test_without_patience_nothing_stops(tokens):
    state = train.init(MODEL, RECIPE, KEYS[0])
    best, found = fitted(state, tokens, [LOSSES[0]], None)
    assert (found.reason, found.progress.step) == (None, 20)
    assert int(best.restored(found).state.step) == 20  # the last loss is the lowest


def test_without_a_measurement_the_last_state_is_kept(tokens):
    state = train.init(MODEL, RECIPE, KEYS[0])
    found = train.fit(MODEL, RECIPE, state, tokens, chunk=2)
    assert train.Best(3).restored(found) is found
    assert train.Best(3).stop() is None


OVERFITTED = ("--embedding-dim", 7, "--hidden-size", 31, "--hidden-layers", 2, "--steps", 320)
EARLY = ("--recipe", "fast", "--batch-size", 8, "--patience", 2)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 2])
def test_a_program_stops_early_and_resumes_as_if_uninterrupted(
    monkeypatch, capsys, tmp_path, seeds
):
    names = tmp_path / "names.txt"
    names.write_text(NAMES)
    options = ("--names", names, *OVERFITTED, *EARLY, "--seeds", seeds)
    with jax.numpy_dtype_promotion("standard"):
        status, out, _ = run(monkeypatch, capsys, "mlp", *options, "--out", tmp_path / "whole")
        assert status == 0
        assert "Stopped early: no lower validation loss in 2 measurements" in out
        figures = summary(tmp_path / "whole")
        assert figures["steps"] < 320
        resume = ()
        for chunk in (5, 3):
            with monkeypatch.context() as patch:
                killed_at(patch, chunk)
                with pytest.raises(Killed):
                    run(patch, capsys, "mlp", *options, "--out", tmp_path / "killed", *resume)
            resume = ("--resume",)
        for _ in range(2):  # the second time there is nothing left to train
            run(monkeypatch, capsys, "mlp", *options, "--out", tmp_path / "killed", "--resume")
            whole, killed = results(tmp_path / "whole"), results(tmp_path / "killed")
            assert whole.keys() == killed.keys()
            for name, result in whole.items():
                assert killed[name] == result, name
    if seeds > 1:
        return
    lines = map(json.loads, (tmp_path / "whole/metrics.jsonl").read_text().splitlines())
    losses = {line["step"]: line["loss_val"] for line in lines if "loss_val" in line}
    step = min(losses, key=losses.__getitem__)
    assert figures["step_of_weights"] == step < figures["steps"]
    best = checkpoint.load(tmp_path / "whole/checkpoints/best.safetensors")
    model, _ = weights.load(tmp_path / "whole/model.safetensors")
    jax.tree.map(np.testing.assert_array_equal, model.params, best.state.params)
    assert best.notes["best"]["losses"] == [losses[step]]


@pytest.mark.slow
def test_the_proposed_rate_trains_and_ten_times_the_lowest_does_not(tokens):
    keys = jax.random.split(jax.random.key(3), 2)
    found = train.rate_test(MODEL, RECIPE, keys, tokens, highest=1e4, steps=200)
    np.testing.assert_allclose(found.rates, 1e4 * 1e6 ** (np.arange(200) / 199 - 1), rtol=1e-3)
    assert found.rates[0] < found.proposed < found.lowest < 1e4

    def end(rate):
        recipe = replace(RECIPE, steps=200, learning_rate=rate)
        return float(train.run(MODEL, recipe, keys[0], tokens)[1][-20:].mean())

    assert end(found.proposed) < end(found.proposed / 100) - 0.1
    assert end(found.proposed) < end(100 * found.lowest) - 0.1
    with pytest.raises(InputError, match="needs at least 100 steps, not 99"):
        train.rate_test(MODEL, RECIPE, keys, tokens, steps=99)
