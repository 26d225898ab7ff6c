"""Searches: members of one shape, successive halving, resuming, findings."""

import html
import itertools
import json
import math
import random
import re
import shlex
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import jax
import numpy as np
import pytest
from conftest import ROOT
from programs import NAMES, command, run, summary

from mmjax import InputError, corpus, evaluate, members, mlp, search, train, vocab
from mmjax.data import context_table
from mmjax.search import Choice, Range
from mmjax.search.analysis import findings
from mmjax.search.halving import rungs
from mmjax.search.outcome import Finalist, Outcome, pareto, ranked
from mmjax.train import Recipe

SPACE = """
[fixed]
steps = 12
embedding_dim = 3
hidden_layers = 1

[space]
hidden_size = [3]
learning_rate = { low = 0.01, high = 10.0, log = true }

[search]
trials = 11
first_rung = 2
keep = 0.5
finalists = 2
slots = 4
"""
TWO_SHAPES = SPACE.replace("[3]", "[3, 5]")


# Members


@pytest.mark.slow
def test_numbers_of_the_model_differ_between_members_as_they_would_alone(tokens_of_names):
    tokens, letters = tokens_of_names
    model = mlp.MLP(vocab_size=letters.size, embedding_dim=3, hidden_size=7, hidden_layers=1)
    recipe = Recipe(steps=4, optimizer="adamw", learning_rate=0.01)
    numbers = {"dropout": [0.0, 0.3], "gain": [0.7, 2.0], "momentum": [0.2, 0.9]}
    of_recipe = {"beta1": [0.5, 0.95], "weight_decay": [0.0, 3.0]}
    keys = jax.vmap(jax.random.key)(np.array([3, 3], np.uint32))
    with jax.numpy_dtype_promotion("standard"):  # adamw raises a float to the power of its step
        states = members.init(model, recipe, keys, hyper={**numbers, **of_recipe})
        states, losses = members.advance(model, recipe, states, tokens, steps=4)
        for i, state in enumerate(members.unstack(states)):
            alone = replace(model, **{name: values[i] for name, values in numbers.items()})
            own = replace(recipe, **{name: values[i] for name, values in of_recipe.items()})
            single, expected = train.run(alone, own, keys[i], tokens)
            np.testing.assert_allclose(losses[i], expected, rtol=2e-5)
            # Not the means: Adam moves a bias before BatchNorm by rounding errors of its gradient.
            found, wanted = state.stats.output.var, single.stats.output.var
            np.testing.assert_allclose(found, wanted, rtol=1e-4)
    with pytest.raises(InputError, match="ema_decay cannot differ between members: learning_rate,"):
        members.init(model, recipe, keys, hyper={"ema_decay": [0.1, 0.2]})


def test_losses_of_members_are_those_of_each_alone(tokens_of_names, monkeypatch):
    tokens, letters = tokens_of_names
    model = mlp.MLP(vocab_size=letters.size, embedding_dim=3, hidden_size=7, hidden_layers=1)
    keys = jax.random.split(jax.random.key(0), 3)
    states = members.init(model, Recipe(), keys)
    table = context_table.collect(tokens, letters.size, model.block_size)
    monkeypatch.setattr("mmjax.evaluate.members.PIECE", 7)  # several pieces, the last one padded
    found = evaluate.member_losses(model, states, table)
    alone = [
        evaluate.loss(train.predictor(model, state), tokens) for state in members.unstack(states)
    ]
    np.testing.assert_allclose(found, alone, rtol=1e-6)


@pytest.fixture(scope="module")
def tokens_of_names():
    names = NAMES.split()
    letters = vocab.build(names)
    return corpus.encode(letters, names), letters


# Halving


def test_rungs_grow_to_the_last_step():
    assert rungs(1000, 0, 0.5) == []
    assert rungs(16, 2, 0.5) == [2, 4, 8]
    assert rungs(12, 2, 0.34) == [2, 6]
    assert rungs(10, 10, 0.25) == []
    assert rungs(30, 2, 0.75) == [2, 4, 6, 8, 12, 14, 20, 26]


@pytest.mark.slow
def sweep(monkeypatch, capsys, tmp_path, *options, names=NAMES):
    (tmp_path / "names").write_text(names)
    out = tmp_path / "out"
    path = tmp_path / "space.toml"
    if not path.exists():
        path.write_text(SPACE)
    arguments = (path, "--names", tmp_path / "names", "--out", out, "--seeds", 2, *options)
    return out, run(monkeypatch, capsys, "sweep", *arguments)


@pytest.mark.slow
def test_a_search_keeps_the_best_at_every_rung(tmp_path, monkeypatch, capsys):
    out, (status, _, errors) = sweep(monkeypatch, capsys, tmp_path)
    assert (status, errors) == (0, "")
    lines = [json.loads(line) for line in (out / "trials.jsonl").read_text().splitlines()]
    at = {
        step: [each for each in lines if each["step"] == step and each["seed"] == 0]
        for step in (2, 4, 8, 12)
    }
    assert [len(each) for each in at.values()] == [11, 6, 3, 2]
    for before, after in itertools.pairwise(at.values()):
        order = sorted(before, key=lambda each: each["loss_val"] or math.inf)
        assert {each["trial"] for each in after} == {each["trial"] for each in order[: len(after)]}
    finals = [each for each in lines if each["seed"]]
    assert Counter((each["trial"], each["seed"]) for each in finals) == Counter(
        (each["trial"], seed) for each in at[12] for seed in (1, 2)
    )
    assert not [*(out / "states").iterdir()]
    assert "Validation loss by learning_rate" in (out / "report.html").read_text()


@pytest.mark.slow
def test_the_command_of_the_winner_trains_the_network_of_the_search(tmp_path, monkeypatch, capsys):
    (tmp_path / "space.toml").write_text(TWO_SHAPES)
    out, (status, said, _) = sweep(monkeypatch, capsys, tmp_path)
    assert status == 0
    typed = said.split("Train the best: ")[1].splitlines()[0]
    options = shlex.split(typed.split("experiments.mlp ")[1])
    assert run(monkeypatch, capsys, "mlp", *options)[0] == 0
    lines = [*map(json.loads, (out / "trials.jsonl").read_text().splitlines())]
    winner = summary(out)["winner"]
    for seed in (1, 2):
        expected = next(
            each["loss_val"] for each in lines if (each["trial"], each["seed"]) == (winner, seed)
        )
        found = summary(out / "winner" / f"seed-{seed}")["loss_val"]
        assert found == pytest.approx(expected, rel=1e-4)
    assert typed in re.sub(r"\s+", " ", html.unescape((out / "report.html").read_text()))


@pytest.mark.slow
def test_the_test_names_have_no_influence(tmp_path, monkeypatch, capsys):
    names = NAMES.split()
    tables = []
    for i in range(2):
        parts = corpus.split(names)
        # Other names of the same letters in the test part, the same in the others.
        swapped = {name: name[::-1] for name in parts.test} if i else {}
        text = "\n".join(swapped.get(name, name) for name in names)
        out, (status, *_) = sweep(monkeypatch, capsys, tmp_path, names=text)
        assert status == 0
        tables.append((out / "table.csv").read_bytes())
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_a_search_killed_at_any_moment_resumes_with_the_same_table(tmp_path):
    (tmp_path / "names").write_text(NAMES)
    text = SPACE.replace("trials = 11", "trials = 7")
    (tmp_path / "space.toml").write_text(text)
    draw = random.Random(0)

    def start(out, *options):
        files = (tmp_path / "space.toml", "--names", tmp_path / "names", "--out", tmp_path / out)
        arguments = [sys.executable, "-m", "experiments.sweep", *files, "--seeds", 2, *options]
        nothing = subprocess.DEVNULL
        return subprocess.Popen([*map(str, arguments)], cwd=ROOT, stdout=nothing, stderr=nothing)

    def seconds_of(out):
        started = time.perf_counter()
        assert start(out).wait() == 0
        return time.perf_counter() - started

    # A first run compiles; with what it kept, the second lasts as long as those to be killed.
    seconds_of("compiling")
    seconds = seconds_of("whole")
    for kills in (1, 2):
        options = ["--overwrite"]
        for _ in range(kills):
            process = start("out", *options)
            time.sleep(draw.uniform(0.3, 0.9) * seconds)
            process.kill()
            process.wait()
            if (tmp_path / "out" / "sweep.json").exists():
                options = ["--resume"]
        assert start("out", *options).wait() == 0
        assert (tmp_path / "out/table.csv").read_bytes() == (
            tmp_path / "whole/table.csv"
        ).read_bytes()


@pytest.mark.slow
def test_a_stopped_search_resumes_with_the_same_table(tmp_path, monkeypatch, capsys):
    (tmp_path / "space.toml").write_text(TWO_SHAPES)
    out, (status, *_) = sweep(monkeypatch, capsys, tmp_path)
    assert status == 0
    whole = (out / "table.csv").read_bytes()
    lines = (out / "trials.jsonl").read_text().splitlines(keepends=True)
    # Stop before each unit in turn, as a kill does: the states and the lines so far are left.
    for stop_at in range(7):
        units = iter([False] * stop_at)
        monkeypatch.setattr(
            "mmjax.cli.interruption.Interruption.__bool__", lambda _, units=units: next(units, True)
        )
        out, (_, said, errors) = sweep(monkeypatch, capsys, tmp_path, "--overwrite")
        monkeypatch.undo()
        assert "--resume continues the sweep" in errors, said
        # A kill in the middle of a write cuts off a part of a unit's lines, and leaves a
        # temporary file.
        text = (out / "trials.jsonl").read_text()
        (out / "trials.jsonl").write_text(text[:-20])
        (out / "states" / ".x.safetensors.1.tmp").write_text("half")
        out, (status, _, errors) = sweep(monkeypatch, capsys, tmp_path, "--resume")
        assert (status, errors) == (0, "")
        assert (out / "table.csv").read_bytes() == whole
        assert not [*(out / "states").iterdir()]
        found = (out / "trials.jsonl").read_text().splitlines()
        assert len(found) == len(lines)


def test_another_search_is_not_resumed_and_an_unfinished_one_is_kept(tmp_path, monkeypatch, capsys):
    _, (status, _, errors) = sweep(monkeypatch, capsys, tmp_path, "--resume")
    assert (status, errors.count("\n")) == (2, 1)
    assert "holds no sweep to resume" in errors
    monkeypatch.setattr("mmjax.cli.interruption.Interruption.__bool__", lambda _: True)
    sweep(monkeypatch, capsys, tmp_path)
    monkeypatch.undo()
    for options, message in (
        ((), "holds an unfinished sweep"),
        (("--resume", "--seed", 1), "with a different --seed"),
        (("--resume", "--overwrite"), "give one of them"),
    ):
        _, (status, _, errors) = sweep(monkeypatch, capsys, tmp_path, *options)
        assert (status, errors.count("\n")) == (2, 1)
        assert message in errors
    (tmp_path / "space.toml").write_text(SPACE.replace("trials = 11", "trials = 12"))
    _, (status, _, errors) = sweep(monkeypatch, capsys, tmp_path, "--resume")
    assert status == 2
    assert "holds a sweep with a different space; give the same" in errors


# Findings


MODEL, RECIPE = mlp.MLP(), Recipe()


def outcomes_of(places, losses):
    return [
        Outcome(
            search.Trial(i, {"gain": place}, MODEL, RECIPE),
            *(100, loss, 50, loss, True, 10 * i, 1.0),
        )
        for i, (place, loss) in enumerate(zip(places, losses, strict=True))
    ]


def found(option, places, losses, spread=0.0001):
    outcomes = ranked(outcomes_of(places, losses))
    draw = np.random.default_rng(0)
    best = [
        Finalist(each.trial, [*(each.loss_val + spread * draw.normal(size=5))])
        for each in outcomes[:2]
    ]
    return [each.what for each in findings({"gain": option}, outcomes, best)]


def test_findings_say_what_a_search_cannot_answer():
    places = np.linspace(0.5, 3, 40)
    valley = 2 + 0.01 * (places - 1.6) ** 2
    option = Range(0.5, 3.0)
    assert found(option, places, valley, spread=1e-8) == []
    slope = 2 + 0.01 * places
    assert any("is at the lowest end" in what for what in found(option, places, slope))
    assert any("is at the highest end" in what for what in found(option, places, -slope))
    narrow = 2 + 3 * abs(places - 1.6)
    assert any(
        "only 1 of 40 completed trials is within" in what for what in found(option, places, narrow)
    )
    noise = 2 + 0.001 * np.random.default_rng(1).normal(size=40)
    assert any("no visible effect" in what for what in found(option, places, noise))
    assert any(
        "may be chance: its standard error over seeds" in what
        for what in found(option, places, noise, 0.1)
    )
    lost = np.where(places > 2.9, math.inf, valley)
    assert any("of 40 trials is not finite" in what for what in found(option, places, lost))


def test_an_option_without_effect_is_found_at_the_rate_of_the_test():
    """Without an effect, the test of Kruskal and Wallis sees one in 5 of 100 searches."""
    draw = np.random.default_rng(0)
    option, seen = Choice(("a", "b", "c")), 0
    for _ in range(200):
        places = draw.choice(["a", "b", "c"], size=60)
        losses = 2 + 0.01 * draw.normal(size=60)
        seen += not any("no visible effect" in what for what in found(option, places, losses))
    assert 2 <= seen <= 20


def test_the_pareto_front_is_what_no_point_beats():
    draw = np.random.default_rng(0)
    for _ in range(50):
        costs, losses = draw.integers(0, 7, 11), draw.integers(0, 7, 11)
        front = pareto(costs.tolist(), losses.tolist())
        beaten = [
            any(
                (costs[j] <= costs[i] and losses[j] < losses[i])
                or (costs[j] < costs[i] and losses[j] <= losses[i])
                for j in range(11)
            )
            for i in range(11)
        ]
        points = {(costs[i], losses[i]) for i in range(11) if not beaten[i]}
        assert {(costs[i], losses[i]) for i in front} == points
        assert len(front) == len(points)
        assert [costs[i] for i in front] == sorted(costs[i] for i in front)


def journal(folder):
    path = folder / "study.log"
    return path.read_text() if path.exists() else ""


@pytest.mark.slow
def test_processes_share_a_search_through_one_journal(tmp_path):
    """One of four is killed: it loses the trials that it trains, and the others make up for them."""
    optuna = pytest.importorskip("optuna", reason="needs pip install -e '.[optuna]'")
    (tmp_path / "names").write_text(NAMES)
    (tmp_path / "space.toml").write_text(TWO_SHAPES.replace("trials = 11", "trials = 24"))
    shared = ("--names", tmp_path / "names", "--journal", tmp_path / "study.log")
    sweep = ("experiments.sweep", tmp_path / "space.toml", *shared)
    first = command(*sweep)
    while '"op_code":4' not in journal(tmp_path):  # it has asked for its first trial
        time.sleep(0.05)
    first.kill()
    first.communicate()
    workers = [command(*sweep) for _ in range(3)]
    said = [worker.communicate() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0], said
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "study.log"))
    study = optuna.load_study(study_name="mmjax", storage=optuna.storages.JournalStorage(backend))
    trials = study.get_trials()
    assert sum(trial.state.is_finished() for trial in trials) >= 24
    lost = [trial for trial in trials if not trial.state.is_finished()]
    assert {trial.number for trial in lost} <= {*range(len(lost))}  # those of the killed one
    assert 1 <= len(lost) <= 4  # slots
    lines = journal(tmp_path).splitlines()
    assert len({json.loads(line)["worker_id"] for line in lines}) == 4  # all took part
    # The one that ends last, and whoever asks later, show the best trial of all. The other one may
    # end while the last group still trains.
    best = [out.split("Train the best: ")[1] for out, _ in said]
    later, _ = command("experiments.sweep", tmp_path / "space.toml", *shared).communicate()
    assert later.split("Train the best: ")[1] in best
    rate = float(f"{study.best_trial.params['learning_rate']:.4g}")
    assert f"--learning-rate {rate} " in later
    assert len(study.get_trials()) == len(trials)  # nothing was left to train
    other = command("experiments.sweep", tmp_path / "space.toml", *shared, "--seed", 1)
    out, errors = other.communicate()
    assert (other.returncode, out, errors.count("\n")) == (2, "", 1)
    assert "with a different --seed" in errors
