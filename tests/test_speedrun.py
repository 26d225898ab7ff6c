"""Speedruns: what counts as a record, how it is timed, and that the test part is not used."""

import json
import math
import os
from functools import partial

import jax
import numpy as np
import pytest
from conftest import ROOT
from programs import run

from experiments.speedruns import (
    batches,
    code_version,
    course,
    entries,
    logs,
    rules,
    students,
    tracks,
)
from experiments.speedruns.tracks import Entry
from experiments.speedruns.trial import Trial, Try
from mmjax import Predictor, corpus, counting, data, evaluate, mlp, train

NAMES = corpus.read_names(ROOT / "data/names.txt")[:1_500]
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def ready():
    return course.of_names(NAMES)


def test_the_score_is_that_of_a_test_of_the_mean():
    for _ in range(20):
        values = RNG.normal(2.068, 0.001, 20).tolist()
        mean = sum(values) / 20
        sigma = math.sqrt(sum((value - mean) ** 2 for value in values) / 19)
        expected = (2.07 - mean) * math.sqrt(20) / sigma
        assert rules.score(values, 2.07) == pytest.approx(expected)
    assert rules.score([2.0, 2.0], 2.07) == math.inf
    assert rules.score([2.08, 2.08], 2.07) == -math.inf
    assert rules.score([1.95, 1.95 + 1e-15], 1.96) == math.inf
    assert math.isnan(rules.score([2.0], 2.07))


def test_a_mean_at_the_target_passes_one_time_in_a_thousand():
    """The bound is that of a normal distribution; 20 values with their own std pass it more often."""
    drawn = RNG.normal(0.0, 1.0, (20_000, 20))
    passed = np.mean([rules.score(values, 0.0) >= rules.BOUND for values in drawn.tolist()])
    assert 0.001 < passed < 0.006


def test_records_are_compared_seed_by_seed():
    slow = [Try(seed, 2.0 + seed, 2.0) for seed in range(5)]
    fast = [Try(seed, 1.9 + seed + seed % 2 / 100, 2.1) for seed in range(5)]
    pair = Trial(1.0, 9, fast), Trial(1.0, 9, slow)
    seconds, steps, loss = (
        rules.better(tracks.TRACKS[track], *pair, (300, 400))
        for track in ("lecture-seconds", "lecture-steps", "open-loss")
    )
    assert seconds > rules.BOUND  # their own spread is larger than the difference
    assert steps == math.inf
    assert loss == -math.inf


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "yes"),
        ({"seeds": [0]}, "fewer than 20 seeds"),
        ({"score": 3.0}, "does not reach the target"),
        ({"score": math.nan}, "does not reach the target"),
        ({"score_against": 3.0}, "not significantly better than smooth"),
        ({"target": None, "score": None}, "yes"),
        ({"limit": 600.0, "seconds": [1.0, 601.0]}, "more than 600 s"),
        ({"against": None, "score_against": None}, "in turns with the entry before"),
        ({"against": None, "score_against": None, "entry": "smooth"}, "yes"),
    ],
)
def test_a_log_counts_only_by_the_rules(changes, reason):
    log = {"track": "lecture-seconds", "entry": "even", "seeds": [*range(20)], "limit": None}
    log |= {"target": 2.07, "score": 3.1, "against": "smooth", "score_against": 3.1}
    assert reason in rules.counts({**log, **changes})


def test_the_course_does_not_depend_on_the_test_names(ready):
    at = {name: len(part) for name, part in corpus.split(NAMES)._asdict().items()}
    places = corpus.split([*map(str, range(len(NAMES)))]).test  # type: ignore[arg-type]
    other = list(NAMES)
    for place in places:
        other[int(place)] = "日本-ß"
    assert len(places) == at["test"]
    changed = course.of_names(other)
    assert changed.vocab_size == ready.vocab_size
    np.testing.assert_array_equal(changed.tokens, ready.tokens)
    np.testing.assert_array_equal(changed.val, ready.val)


def test_the_smoothed_table_is_kneser_ney_after_the_contexts_of_the_list(ready):
    table = students.smoothed(ready, 3)
    plain = data.context_table.collect(ready.tokens, ready.vocab_size, 3)
    counted = counting.fit(ready.tokens, ready.vocab_size, 3)
    expected = jax.nn.softmax(counted.logits(table.contexts))
    np.testing.assert_allclose(table.next_probs, expected, atol=1e-6)
    weights = np.diff(np.asarray(table.ends), prepend=0) / 2**30
    frequency = np.diff(np.asarray(plain.ends), prepend=0) / int(plain.ends[-1])
    order = np.lexsort(np.asarray(table.contexts).T[::-1])
    np.testing.assert_array_equal(np.asarray(table.contexts)[order], plain.contexts)
    np.testing.assert_allclose(weights[order], frequency, atol=1e-8)


def test_even_batches_have_each_context_as_often_as_the_list():
    weights = RNG.integers(1, 50, 300)
    ends = np.cumsum(weights)
    rows = np.asarray(batches.even_rows(jax.random.key(0), jax.numpy.asarray(ends), 500, 64))
    assert rows.shape == (500, 64)
    expected = weights / ends[-1]
    for batch in rows[:20]:
        found = np.bincount(batch, minlength=300)
        assert (np.abs(found - 64 * expected) < 1 + 1e-3).all()
    found = np.bincount(rows.ravel(), minlength=300) / rows.size
    drawn = np.sqrt(expected * (1 - expected) / rows.size)  # error of batches drawn at random
    assert np.sqrt(np.mean(((found - expected) / drawn) ** 2)) < 0.3


@pytest.mark.slow
def test_two_cores_train_as_one_on_average(ready):
    """Only BatchNorm differs, since each core normalises its own half of a batch."""
    recipe = train.Recipe(
        steps=60, batch_size=512, optimizer="adamw", schedule="linear", learning_rate=0.02
    )
    with jax.numpy_dtype_promotion("standard"):
        one, two = (
            students.of_counting(recipe, ready, 0, cores=cores, optimizer=None) for cores in (1, 2)
        )
    losses = [evaluate.loss(each, ready.val) for each in (one, two)]
    assert losses[0] < 2.6
    assert abs(losses[0] - losses[1]) < 0.02


def test_entries_are_refused_by_name(monkeypatch, capsys, tmp_path):
    for given, said in [
        (("lecture-seconds", "--entry", "none"), "has no entry 'none'; it has smooth"),
        (("open-loss", "--against", "fast"), "has no entry 'fast'; it has counting"),
        (("open-loss", "--alone", "--against", "counting"), "not both"),
        (("marathon",), "invalid choice"),
        (("open-loss", "--names", tmp_path / "none"), "no such file"),
    ]:
        status, out, err = run(monkeypatch, capsys, "speedrun", *given, "--out", tmp_path / "out")
        assert (status, out, len(err.splitlines())) == (2, "", 1)
        assert said in err
        assert not (tmp_path / "out").exists()


def tiny(steps):
    """Return an entry with a small network and few steps."""

    def trained(steps, course, seed):
        model = mlp.MLP(course.vocab_size, hidden_size=8, hidden_layers=1, embedding_dim=3)
        recipe = train.Recipe(steps=steps)
        state, _ = train.run(model, recipe, jax.random.key(seed), course.tokens)
        return Predictor(model, state.params, state.stats)

    return Entry(partial(trained, steps), f"{steps} steps", steps)


@pytest.mark.slow
def test_a_speedrun_from_the_command_line_to_the_table(monkeypatch, capsys, tmp_path):
    pinned = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda *a: pinned.append(a), raising=False)
    monkeypatch.setattr(logs, "RECORDS", tmp_path / "records")
    monkeypatch.setattr(rules, "OFFICIAL", 3)
    track = "lecture-steps"
    monkeypatch.setitem(entries.ENTRIES, track, {"longer": tiny(60), "shorter": tiny(40)})
    monkeypatch.setitem(tracks.TRACKS, track, tracks.TRACKS[track]._replace(target=3.2))
    (tmp_path / "records").mkdir()
    page = tmp_path / "records/README.md"
    page.write_text(f"before\n<!-- {track} -->\nold\n<!-- end -->\nafter\n")
    (tmp_path / "names").write_text("\n".join(NAMES))
    given = (track, "--names", tmp_path / "names", "--seeds", 3, "--out", tmp_path / "out")

    status, out, err = run(monkeypatch, capsys, "speedrun", *given)
    assert (status, err) == (0, "")
    assert not hasattr(os, "sched_getaffinity") or len(pinned[0][1]) <= 2
    log = json.loads((tmp_path / "out/log.json").read_text())
    assert (log["entry"], log["against"], log["counts"]) == ("shorter", "longer", "yes")
    assert log["seeds"] == [0, 1, 2]
    assert all(len(log[key]) == 3 for key in ("seconds", "against_seconds", "against_loss_val"))
    assert log["score"] == pytest.approx(rules.score(log["loss_val"], 3.2))
    assert log["code"] == code_version.code_version()
    assert all(f"validation loss {loss:.4f}" in out for loss in log["loss_val"])
    assert not list((tmp_path / "records").glob("*/*"))

    status, out, err = run(monkeypatch, capsys, "speedrun", *given, "--keep")
    assert (status, err) == (0, "")
    assert (tmp_path / "records" / track / "02-shorter/log.json").exists()
    text = page.read_text()
    assert text.startswith(f"before\n<!-- {track} -->\n| entry |")
    assert "| shorter | 40 steps |" in text
    assert text.endswith("<!-- end -->\nafter\n")

    # With the same seeds, other test names give the same losses.
    other = list(NAMES)
    for place in corpus.split([*map(str, range(len(NAMES)))]).test:
        other[int(place)] = "zzyzx"
    (tmp_path / "names").write_text("\n".join(other))
    assert run(monkeypatch, capsys, "speedrun", *given, "--alone")[0] == 0
    again = json.loads((tmp_path / "out/log.json").read_text())
    assert again["loss_val"] == log["loss_val"]
    assert again["list"] != log["list"]


def test_the_page_of_records_is_what_the_logs_say():
    """If this fails, run `python -m experiments.speedrun` with --keep again."""
    page = (logs.RECORDS / "README.md").read_text(encoding="utf-8")
    assert logs.with_tables(page) == page
    for track in tracks.TRACKS:
        assert f"<!-- {track} -->" in page
        numbered = {f"{n:02}-{name}" for n, name in enumerate(entries.ENTRIES[track], 1)}
        for path in (logs.RECORDS / track).glob("*/log.json"):
            log = json.loads(path.read_text(encoding="utf-8"))
            assert path.parent.name in numbered
            assert (log["track"], log["counts"]) == (track, "yes")
