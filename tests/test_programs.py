"""The programs as a user types them: what they print, leave behind, and refuse."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import stdev

import jax
import pytest
from conftest import ROOT
from programs import PROGRAMS, command, contents, run, summary

from experiments import bigram_fits, compare
from mmjax import corpus, evaluate, vocab, weights
from mmjax.commands import sample
from mmjax.commands import train as mlp
from mmjax.commands.name_list import SplitList
from mmjax.commands.train_options import Model, Options, Settings
from mmjax.train import loop
from mmjax.train.loop import finite

PICTURES = {
    *("instruments", "loss", "update_ratios", "saturation_over_time"),
    *("activations", "gradients", "weight_gradients", "saturation"),
    *("embedding_film", "embedding", "predicted_against_counted", "bigram_table"),
}
SMALL = ("--hidden-size", 13, "--hidden-layers", 2)
NAMES = "ann\nbob\nZoë\nO'Neil\nann\nSt. Ives\nli-li\nbo\ncy\ndee\neve\nfay\n"


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text(NAMES, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def mlp_run(tmp_path_factory):
    """Train briefly on the shipped list, by the command line; return (folder, output)."""
    out = tmp_path_factory.mktemp("runs") / "mlp"
    process = command("experiments.mlp", "--steps", 1_500, "--out", out, "--seed", 3)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert errors == ""  # no progress bar without a terminal
    return out, output


def test_mlp_leaves_a_whole_run_folder(mlp_run):
    folder, output = mlp_run
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "metrics.jsonl",
        "summary.json",
        "samples.txt",
        "instruments.json",
        "model.safetensors",
        "embedding.safetensors",
        "report.html",
        "playground.html",
        "figures",
        "checkpoints",
    }
    assert {path.stem for path in (folder / "figures").iterdir()} == PICTURES
    figures = summary(folder)
    assert figures["names"] == 32_178
    assert figures["parameters"] == 47_351
    assert [figures[f"examples_{part}"] for part in ("train", "val", "test")] == [
        183_324,
        22_943,
        22_934,
    ]
    assert figures["steps"] == 1_500
    assert abs(figures["initial_loss"] - math.log(27)) < 0.05
    for part in ("train", "val", "test", "val_unseen", "test_unseen"):
        assert 2.2 < figures[f"loss_{part}"] < 2.5
        assert f"{figures[f'loss_{part}']:.4f}" in output
        assert f"{figures[f'kneser_ney_loss_{part}']:.4f}" in output
    assert figures["kneser_ney_loss_train"] < figures["kneser_ney_loss_val"] < figures["loss_val"]
    assert figures["perplexity_val"] == pytest.approx(math.exp(figures["loss_val"]))
    assert 0 < figures["bigram_check_kl"] < figures["bigram_check_kl_val"] < 0.2
    assert 0 < figures["bigram_check_kl_reference"] < figures["bigram_check_kl_sampled"] < 0.2
    assert figures["training_seconds"] > 0
    assert figures["steps_per_second"] > 0
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in metrics] == list(range(30, 1_501, 30))
    assert metrics[0]["loss_batch"] > metrics[-1]["loss_batch"]
    assert [line["step"] for line in metrics if "loss_val" in line] == [300, 600, 900, 1_200, 1_500]
    config = json.loads((folder / "config.json").read_text())
    assert (config["seed"], config["vocab_size"], config["learning_rate"]) == (3, 27, 0.1)


def test_the_saved_weights_give_the_reported_loss_and_the_shown_samples(mlp_run, shipped_names):
    folder, output = mlp_run
    predictor, letters = weights.load(folder / "model.safetensors")
    val = corpus.encode(letters, corpus.split(shipped_names).val)
    assert evaluate.loss(predictor, val) == pytest.approx(summary(folder)["loss_val"], rel=1e-6)
    lines = (folder / "samples.txt").read_text().splitlines()
    assert len(lines) == 20
    known = set(shipped_names)
    for line in lines:
        name, mark = line.split("\t")
        assert mark == ("in the list" if name in known else "new")
        assert name in output


def test_sample_reads_the_run(mlp_run, monkeypatch, capsys, shipped_names):
    folder, _ = mlp_run
    options = (folder, "-n", 20, "--temperature", 0.8)
    status, out, err = run(monkeypatch, capsys, "sample", *options)
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 20
    assert run(monkeypatch, capsys, "sample", *options)[1] == out
    assert run(monkeypatch, capsys, "sample", *options, "--seed", 1)[1] != out
    known = set(shipped_names)
    options = (folder, "-n", 300, "--new-only", "--prefix", "an", "--top-k", 5, "--top-p", 0.9)
    _, out, _ = run(monkeypatch, capsys, "sample", *options)
    names = out.splitlines()
    assert len(names) == 300
    assert all(name.startswith("an") and name not in known for name in names)
    cut = ("-n", 50, "--cut", 3, "--format", "text")
    _, out, _ = run(monkeypatch, capsys, "sample", folder, *cut)
    assert "\tnew, cut" in out
    assert max(len(line.split("\t")[0]) for line in out.splitlines()) == 3


@pytest.mark.slow
def test_diagnose_shows_the_lectures_tables_and_rebuilds_the_report(mlp_run, monkeypatch, capsys):
    folder, trained = mlp_run
    written = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    shutil.rmtree(folder / "figures")
    status, out, err = run(monkeypatch, capsys, "diagnose", folder)
    assert (status, err) == (0, "")
    assert (folder / "report.html").read_bytes() == written  # bitwise what training wrote
    _, _, instruments, *tables, findings, drawn = out.rstrip().split("\n\n")
    activations, gradients, weight_gradients = tables
    gauges = json.loads((folder / "instruments.json").read_text())
    assert all(name in instruments for name in gauges)
    assert {path.stem for path in (folder / "figures").iterdir()} == PICTURES
    assert all(name in drawn for name in PICTURES)
    for table in (activations, gradients):
        assert [line.split()[0] for line in table.splitlines()[2:]] == ["1", "4", "7", "10", "13"]
    assert len(weight_gradients.splitlines()) == 2 + 7
    assert "30 x 100" in weight_gradients
    assert "Note: saturated tanh, layer 1 (input.tanh)" in findings
    assert findings in trained  # training printed the same at its end
    (folder / "config.json").rename(folder / "away")
    status, _, err = run(monkeypatch, capsys, "diagnose", folder)
    (folder / "away").rename(folder / "config.json")
    assert status == 2
    assert "config.json: no such file; give a run folder" in err


@pytest.mark.slow
def test_metrics_are_written_and_handed_over(tmp_path, names):
    seen = []
    options = Options(
        name_list=SplitList(names),
        recipe=Settings(steps=1_100),
        model=Model(hidden_size=13, hidden_layers=2),
        report=False,
        out=tmp_path / "run",
    )
    assert mlp.program(options, on_metrics=seen.append) == 0
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == seen
    assert [record["step"] for record in seen] == list(range(22, 1_101, 22))
    assert set(seen[0]) == {
        *("step", "seconds", "lr", "loss_batch", "loss_batch_low", "loss_batch_high"),
        *(f"update_ratio/{name}.weight" for name in ("input", "hidden.0.linear", "output.linear")),
        "update_ratio/embedding",
        *(f"saturation/{name}.tanh" for name in ("input", "hidden.0")),
    }
    assert all(-4 < v < -1 for k, v in seen[0].items() if k.startswith("update_ratio"))
    assert all(0 < v < 100 for k, v in seen[0].items() if k.startswith("saturation"))


def test_a_loss_that_is_no_number_stops_with_the_last_good_state(
    monkeypatch, capsys, tmp_path, names
):
    """The test injects the fault: NaN in the third chunk's losses and parameters."""
    advance, chunks = loop.advance, []

    def spoilt(*args, **kwargs):
        state, losses = advance(*args, **kwargs)
        chunks.append(len(chunks))
        if len(chunks) == 3:
            state = state._replace(params=jax.tree.map(lambda x: x * float("nan"), state.params))
            losses = losses.at[417:].set(float("nan"))
        return state, losses

    monkeypatch.setattr(loop, "advance", spoilt)
    out = tmp_path / "run"
    options = ("--names", names, "--out", out, "--steps", 50_000, *SMALL, "--no-watch")
    status, output, err = run(monkeypatch, capsys, "mlp", *options)
    assert status == 1
    assert "the loss of step 2,417 is not finite" in err
    assert "kept the state of step 2,000" in err
    assert "Fault: diverging loss, training: nan" in output
    assert summary(out)["steps"] == 2_000
    predictor, _ = weights.load(out / "model.safetensors")
    assert finite(predictor.params)
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 2


@pytest.mark.slow
def test_each_of_several_seeds_is_its_own_single_run(monkeypatch, capsys, tmp_path, names):
    out = tmp_path / "run"
    options = ("--names", names, "--steps", 60, *SMALL)
    status, printed, err = run(
        *(monkeypatch, capsys, "mlp", *options, "--out", out),
        *("--seed", 3, "--seeds", 2),
    )
    assert (status, err) == (0, "")
    assert {path.name for path in out.iterdir()} == {
        *("config.json", "metrics.jsonl", "summary.json", "losses.svg", "checkpoints"),
        *("seed-3", "seed-4"),
    }
    members, together = [summary(out / f"seed-{seed}") for seed in (3, 4)], summary(out)
    for figure in ("loss_train", "loss_val", "loss_test"):
        found = [member[figure] for member in members]
        assert together[figure] == pytest.approx(sum(found) / 2)
        assert together[f"{figure}_std"] == pytest.approx(stdev(found))
        assert re.search(rf"{figure} +{sum(found) / 2:.4f} +{stdev(found):.4f}", printed)
    assert run(monkeypatch, capsys, "diagnose", out / "seed-4")[0] == 0
    for program in ("diagnose", "sample"):
        status, _, err = run(monkeypatch, capsys, program, out)
        assert status == 2
        assert (
            f"holds the networks of several seeds; give one of them, such as {out / 'seed-3'}"
            in err
        )
    lines = (out / "seed-4/metrics.jsonl").read_text().splitlines()
    # A single run in the same folder removes all their files.
    run(monkeypatch, capsys, "mlp", *options, "--out", out, "--seed", 4)
    assert {path.name for path in out.iterdir()} == {
        *("config.json", "metrics.jsonl", "summary.json", "samples.txt", "model.safetensors"),
        *("checkpoints", "instruments.json", "embedding.safetensors"),
    }
    for figure in ("loss_train", "loss_val", "loss_test"):
        assert summary(out)[figure] == pytest.approx(members[1][figure], rel=1e-4)
    alone = (out / "metrics.jsonl").read_text().splitlines()
    for line, member_line in zip(map(json.loads, alone), map(json.loads, lines), strict=True):
        for key, value in line.items():
            if key.startswith("saturation"):  # rounding may move a unit over the threshold
                assert value == pytest.approx(member_line[key], abs=1)
            elif key != "seconds":
                assert value == pytest.approx(member_line[key], rel=1e-3)


@pytest.mark.slow
def test_the_fast_recipe_leaves_the_same_kind_of_run(monkeypatch, capsys, tmp_path, names):
    out = tmp_path / "run"
    options = ("--names", names, "--out", out, "--steps", 200, *SMALL, "--no-early-stopping")
    with jax.numpy_dtype_promotion("standard"):  # nadamw raises a float to the power of its step
        status, output, err = run(monkeypatch, capsys, "mlp", "--recipe", "fast", *options)
    assert (status, err) == (0, "")
    assert "200 of 200 steps" in output
    config = json.loads((out / "config.json").read_text())
    assert (config["recipe"], config["warmup_steps"], config["batch_size"]) == ("fast", 100, 256)
    assert (config["data"], config["optimizer"]) == ("contexts", "nadamw")
    assert summary(out)["loss_train"] < 1.5
    rates = [json.loads(line)["lr"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert max(rates) == pytest.approx(0.02, rel=0.05)
    assert rates[-1] < 0.001
    with jax.numpy_dtype_promotion("standard"):
        assert run(monkeypatch, capsys, "diagnose", out)[0] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--recipe", "quick"], "invalid choice 'quick'"),
        (["--recipe"], "Missing value for argument '--recipe'"),
        (
            ["--optimizer", "adm"],
            "optimizer must be one of sgd, momentum, nesterov, adamw, nadamw, lion, muon, not 'adm'",
        ),
        (
            ["--schedule", "up"],
            "schedule must be one of step, constant, linear, cosine, one-cycle, rising, not 'up'",
        ),
        (
            ["--weight-decay", 1],
            "sgd has no weight decay; give a weight_decay of 0, or another optimizer",
        ),
        (["--recipe", "fast", "--batch-size", 1], "--batch-size must be a whole number from 2"),
        (["--recipe", "fast", "--weight-decay", "nan"], "--weight-decay must be a number from 0"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(monkeypatch, capsys, options, said):
    status, out, err = run(monkeypatch, capsys, "mlp", *options)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_a_bigrams_report_is_rebuilt_too(monkeypatch, capsys, tmp_path, names):
    out = tmp_path / "run"
    options = ("--names", names, "--out", out, "--steps", 200)
    _, output, _ = run(monkeypatch, capsys, "bigram", *options, report=True)
    assert "report.html" in output
    assert {path.stem for path in (out / "figures").iterdir()} == {
        *("loss", "bigram_table", "probability_tables"),
    }
    written = (out / "report.html").read_bytes()
    status, output, _ = run(monkeypatch, capsys, "diagnose", out)
    assert status == 0
    assert f"{summary(out)['neural_nll']:.4f}" in output
    assert (out / "report.html").read_bytes() == written


@pytest.mark.slow
def test_compare_shows_what_differs(mlp_run, monkeypatch, capsys, tmp_path, names):
    other = tmp_path / "other"
    run(monkeypatch, capsys, "mlp", "--names", names, "--out", other, "--steps", 20, "--seed", 5)
    picture = tmp_path / "pictures/both.svg"
    status, out, err = run(monkeypatch, capsys, "compare", mlp_run[0], other, "--out", picture)
    assert (status, err) == (0, "")
    settings, figures, written = out.rstrip().split("\n\n")
    rows = {line.split()[0]: line.split()[1:] for line in settings.splitlines()[2:]}
    assert rows["seed"] == ["3", "5"]
    assert rows["steps"] == ["1500", "20"]
    assert "hidden_size" not in rows  # the same in both
    assert "out" not in rows
    rows = {line.split()[0]: line.split()[1:] for line in figures.splitlines()[2:]}
    assert rows["loss_val"] == [f"{summary(run)['loss_val']:.4f}" for run in (mlp_run[0], other)]
    assert written.splitlines() == [str(picture), str(picture.with_stem("both-instruments"))]
    assert ">other</text>" in picture.read_text()
    status, _, err = run(
        monkeypatch, capsys, "compare", mlp_run[0], other, "--out", tmp_path / "a.png"
    )
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_runs_of_the_same_name_are_told_apart_by_their_paths():
    assert compare.labels([Path("a/x"), Path("b/x"), Path("b/y")]) == ["a/x", "b/x", "y"]


@pytest.mark.slow
def test_bigram_on_a_list_of_ones_own(monkeypatch, capsys, tmp_path, names):
    out = tmp_path / "run"
    options = ("--names", names, "--out", out, "--spell", "Zoë", "--steps", 2_000)
    status, output, err = run(monkeypatch, capsys, "bigram", *options)
    assert (status, err) == (0, "")
    figures = summary(out)
    assert (figures["names"], figures["unique_names"]) == (12, 11)
    assert figures["bigrams"] == len(NAMES)
    assert figures["vocab_size"] == len(set(NAMES))
    assert figures["counts_nll"] < figures["neural_nll"] < figures["counts_nll"] + 0.02
    assert figures["counts_nll"] < figures["counts_nll_smoothed"]
    assert figures["neural_vs_counts_max_abs_diff"] < 0.1
    assert "Zo" in output
    assert "ë<.>" in output  # the list has a dot, so this shows the boundary
    assert f"No bigram can score below {figures['counts_nll']:.4f}" in output
    assert "2.425" not in output  # this list's floor is lower
    for model in ("model", "counts"):
        status, sampled, _ = run(
            monkeypatch, capsys, "sample", out / f"{model}.safetensors", "-n", 7
        )
        assert status == 0
        assert len(sampled.splitlines()) == 7


@pytest.mark.slow
def test_the_table_without_smoothing_is_drawn_from(monkeypatch, capsys, tmp_path):
    """Missing pairs have a probability of 0, and its logarithm is minus infinity."""
    (tmp_path / "names").write_text("abab\nabc\nab\n")
    options = ("--names", tmp_path / "names", "--out", tmp_path / "run", "--steps", 2)
    run(monkeypatch, capsys, "bigram", *options, "--smoothing", 0, "--no-report")
    table = tmp_path / "run/counts.safetensors"
    status, drawn, _ = run(monkeypatch, capsys, "sample", table, "-n", 50)
    assert status == 0
    assert all(re.fullmatch(r"(ab)+c?", line) for line in drawn.splitlines())


@pytest.mark.slow
def test_counting_leaves_a_run_that_is_sampled_and_repeated(
    mlp_run, monkeypatch, capsys, tmp_path, names
):
    out = tmp_path / "run"
    options = ("--names", names, "--orders", 2, 3, "--unique", "--no-tune")
    linear = ("--mixture", "linear", "--out", out)
    status, output, err = run(monkeypatch, capsys, "counting", *options, *linear)
    assert (status, err) == (0, "")
    assert {path.name for path in out.iterdir()} == {
        *("config.json", "metrics.jsonl", "summary.json", "samples.txt", "model.safetensors"),
        "playground.html",
    }
    figures = summary(out)
    assert figures["names"] == 11
    keys = ("order_2_formula", "order_3_formula", "linear_mixture_formula")
    val = {key: figures[f"{key}_loss_val"] for key in keys}
    assert figures["loss_val"] == min(val.values())
    for key, loss in val.items():
        assert f"{loss:.4f}" in output, key
    predictor, letters = weights.load(out / "model.safetensors")
    listed = corpus.read_names(names, unique=True)
    tokens = corpus.encode(letters, corpus.split(listed).test)
    assert evaluate.loss(predictor, tokens) == pytest.approx(figures["loss_test"], rel=1e-5)
    assert run(monkeypatch, capsys, "sample", out, "-n", 7)[1].count("\n") == 7
    status, _, err = run(monkeypatch, capsys, "diagnose", out)
    assert status == 2
    assert "run: is no run of experiments.mlp or experiments.bigram; give one" in err
    # The same options again, without the mixture.
    for orders in (3, "3", ["--out=x"], True):
        (tmp_path / "config.json").write_text(json.dumps({"orders": orders}))
        status, _, err = run(monkeypatch, capsys, "counting", "--config", tmp_path / "config.json")
        assert status == 2
        assert "; give a list of numbers" in err
    again = ("--config", out / "config.json", "--mixture", "none", "--out", tmp_path / "again")
    status, output, _ = run(monkeypatch, capsys, "counting", *again)
    assert status == 0
    assert "tuned:" not in output
    figures = summary(tmp_path / "again")
    assert figures["loss_val"] == min(val["order_2_formula"], val["order_3_formula"])
    both = (out, mlp_run[0], "--out", tmp_path / "both.svg")
    status, output, err = run(monkeypatch, capsys, "compare", *both)
    assert (status, err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in output.splitlines() if line}
    assert rows["loss_val"] == [f"{summary(run)['loss_val']:.4f}" for run in both[:2]]
    status, _, err = run(monkeypatch, capsys, "compare", out, tmp_path / "again")
    assert status == 2
    assert "have no metrics to compare; train with --steps of 1 or more" in err


@pytest.mark.slow
def test_counting_tunes_on_the_validation_part(monkeypatch, capsys, tmp_path, names):
    out = tmp_path / "run"
    options = ("--names", names, "--orders", 2, "--mixture", "none", "--out", out)
    status, output, err = run(monkeypatch, capsys, "counting", *options)
    assert (status, err) == (0, "")
    figures = summary(out)
    assert figures["best"] == "order 2, tuned"
    assert figures["order_2_tuned_loss_val"] < figures["order_2_formula_loss_val"]
    assert f"{figures['order_2_tuned_loss_test']:.4f}" in output


def test_references_take_no_more_steps_than_were_asked_for():
    def steps(asked):
        return [recipe.steps for recipe in bigram_fits.references(asked).values()]

    assert (steps(10_000), steps(4_999), steps(7)) == ([100, 100, 5_000], [100, 100], [7, 7])


@pytest.mark.slow
def test_bigram_shows_the_lecture_beside_counting(monkeypatch, capsys, tmp_path):
    _, output, _ = run(monkeypatch, capsys, "bigram", "--out", tmp_path / "run", "--steps", 100)
    assert "the lecture's settings" in output
    assert "2.425 is below it" in output
    assert "\naj" in output


@pytest.mark.slow
def test_mlp_on_a_list_of_ones_own(monkeypatch, capsys, tmp_path, names):
    options = ("--names", names, "--out", tmp_path / "run", "--steps", 50, *SMALL)
    status, _, err = run(monkeypatch, capsys, "mlp", *options, "--block-size", 5, "--calibrate")
    assert (status, err) == (0, "")
    _, vocabulary = weights.load(tmp_path / "run/model.safetensors")
    assert vocabulary == vocab.build(NAMES.splitlines())


@pytest.mark.slow
def test_mlp_on_a_list_of_many_characters(monkeypatch, capsys, tmp_path):
    """A table of all pairs of 9,000 characters would have 81 million cells."""
    characters = [chr(0x4E00 + i) for i in range(9_000)]
    words = ["".join(characters[i : i + 3]) for i in range(0, 9_000, 3)]
    (tmp_path / "names").write_text("\n".join(words))
    options = ("--names", tmp_path / "names", "--out", tmp_path / "run", "--steps", 20, *SMALL)
    status, _, err = run(monkeypatch, capsys, "mlp", *options, report=True)
    assert (status, err) == (0, "")
    figures = summary(tmp_path / "run")
    assert figures["loss_val"] == pytest.approx(math.log(9_001), abs=1)
    assert figures["kneser_ney_loss_val"] is None  # its table would be too large
    assert figures["bigram_check_passed"] is False
    assert (tmp_path / "run/report.html").exists()


@pytest.mark.slow
def test_an_untrained_network_is_said_not_to_agree_with_counting(monkeypatch, capsys, tmp_path):
    out = tmp_path / "run"
    status, output, _ = run(monkeypatch, capsys, "mlp", "--steps", 0, "--out", out)
    assert status == 0
    assert "DOES NOT AGREE WITH COUNTING" in output
    assert summary(out)["bigram_check_kl"] > 0.5
    assert summary(out)["bigram_check_kl_sampled"] > 0.5
    assert summary(out)["bigram_check_passed"] is False
    assert summary(out)["initial_loss"] is None


@pytest.mark.slow
def test_a_second_run_leaves_nothing_of_the_first(monkeypatch, capsys, tmp_path, names):
    out = tmp_path / "run"
    options = ("--names", names, "--out", out, "--steps", 10)
    run(monkeypatch, capsys, "bigram", *options)
    (out / "notes.txt").write_text("mine")
    run(monkeypatch, capsys, "mlp", *options)
    assert not (out / "counts.safetensors").exists()
    assert "parameters" in summary(out)
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_training_is_saved(tmp_path, number):
    out = tmp_path / "run"
    process = command("experiments.mlp", "--steps", 2_000_000, "--out", out, *SMALL, "--no-report")
    metrics = out / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not (metrics.exists() and metrics.read_text().count("\n") >= 3):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "interrupt again to stop at once" in errors
    steps = summary(out)["steps"]
    assert 3_000 <= steps < 2_000_000
    assert json.loads(metrics.read_text().splitlines()[-1])["step"] == steps
    assert f"{steps:,} of 2,000,000 steps" in output
    weights.load(out / "model.safetensors")


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_explains_every_option(program, monkeypatch, capsys):
    status, out, _ = run(monkeypatch, capsys, program, "--help")
    assert status == 0
    assert "InputError" not in out
    options = [line for line in out.splitlines() if line.lstrip("│ ").startswith("-")]
    brief = ("diagnose", "compare", "judge", "score")
    assert len(options) >= (2 if program in brief else 8)
    assert "--vocab-size" not in out


GARBAGE = bytes(range(256))
BAD = [
    ("mlp", ["--names", "{tmp}/none.txt"], r"none\.txt: no such file"),
    ("mlp", ["--names", "{tmp}"], r"is a folder"),
    ("mlp", ["--names", "{tmp}/empty"], r"empty: holds no names"),
    ("mlp", ["--names", "{tmp}/garbage"], r"garbage: line 3, byte 115 \(0x80\) is not UTF-8"),
    ("mlp", ["--names", "{tmp}/one"], r"a list of 1 name is too short"),
    ("bigram", ["--names", "{tmp}/many"], r"70,000 distinct characters are more than the 65,535"),
    ("bigram", ["--names", "{tmp}/large"], r"9,000 distinct characters are too many for a table"),
    (
        "mlp",
        ["--batch-size", "1"],
        r"--batch-size must be a whole number from 2 to 1,048,576, not 1",
    ),
    ("mlp", ["--batch-size", "-5"], r"--batch-size must be"),
    ("mlp", ["--steps", "-1"], r"--steps must be a whole number from 0"),
    ("mlp", ["--steps", "99999999999"], r"--steps must be a whole number from 0"),
    ("mlp", ["--learning-rate", "nan"], r"--learning-rate must be a number from"),
    ("mlp", ["--hidden-layers", "0"], r"--hidden-layers must be"),
    ("mlp", ["--shuffles", "-1"], r"shuffles must be"),
    ("mlp", ["--seed", "-1"], r"seed must be"),
    (
        "mlp",
        ["--names", "{tmp}/names.txt", "--out", "{tmp}/one"],
        r"one: cannot be made: ",
    ),
    (
        "mlp",
        ["--names", "{tmp}/names.txt", "--out", "{tmp}/one/x"],
        r"x: cannot be made: ",
    ),
    ("bigram", ["--names", "{tmp}/names.txt", "--out", "/proc/x"], r"cannot be made: "),
    ("bigram", ["--names", "{tmp}/names.txt", "--spell", "xyz"], r"has the character 'x'"),
    ("bigram", ["--smoothing", "-1"], r"smoothing must be"),
    ("counting", ["--names", "{tmp}/one"], r"a list of 1 name is too short"),
    ("counting", ["--orders", "3", "0"], r"orders must be whole numbers from 1 to 1,000, such as"),
    ("counting", ["--orders", "3", "3"], r"an order is given twice"),
    (
        "counting",
        ["--names", "{tmp}/large"],
        r"contexts of up to 6 characters, at least .* too many",
    ),
    ("sample", ["{tmp}/nothing"], r"nothing: no such file"),
    ("sample", ["{tmp}"], r"model\.safetensors: no such file"),
    ("sample", ["{tmp}/garbage"], r"garbage: not a complete safetensors file"),
    ("sample", ["{run}", "--prefix", "Q9"], r"'Q9' has the character 'Q' \(U\+0051\)"),
    ("sample", ["{run}", "--prefix", "a" * 64], r"the prefix has 64 characters"),
    ("sample", ["{run}", "--temperature", "-1"], r"temperature must be"),
    ("sample", ["{run}", "--top-p", "2"], r"--top-p must be"),
    ("sample", ["{run}", "-n", "-1"], r"count must be"),
    ("sample", ["{run}", "--names", "{tmp}/none.txt"], r"none\.txt: no such file"),
    ("diagnose", ["{tmp}"], r"model\.safetensors: no such file"),
    ("diagnose", ["{run}", "--names", "{tmp}/none.txt"], r"none\.txt: no such file"),
    ("compare", ["{run}"], r"give two or more run folders"),
    ("compare", ["{run}", "{run}"], r"a run is given twice"),
    ("compare", ["{run}", "{tmp}"], r"config\.json: no such file; give a run folder"),
    (
        "compare",
        ["{run}", "{tmp}", "--out", "x.gif"],
        r"x\.gif: give the picture a name with .svg or",
    ),
]


@pytest.mark.parametrize(("program", "options", "message"), BAD)
def test_bad_input_is_one_line_and_status_2(
    monkeypatch, capsys, tmp_path, mlp_run, names, program, options, message
):
    (tmp_path / "empty").touch()
    (tmp_path / "garbage").write_bytes(GARBAGE)
    (tmp_path / "one").write_text("ann\n")
    (tmp_path / "many").write_text(
        "".join(map(chr, range(0xF0000, 0xF0000 + 70_000))), encoding="utf-8"
    )
    large = "\n".join(chr(0x4E00 + i) for i in range(9_000))
    (tmp_path / "large").write_text(large, encoding="utf-8")
    options = [option.format(tmp=tmp_path, run=mlp_run[0]) for option in options]
    if program in ("mlp", "bigram", "counting") and "--out" not in options:
        options += ["--out", str(tmp_path / "out")]
    before = sorted(tmp_path.rglob("*"))
    status, out, err = run(monkeypatch, capsys, program, *options)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert re.search(message, err), err
    assert sorted(tmp_path.rglob("*")) == before  # nothing was written, not even in part


@pytest.mark.slow
def test_bad_input_spares_the_run_that_is_there(monkeypatch, capsys, tmp_path, names):
    out = tmp_path / "run"
    options = ("--names", names, "--out", out, "--steps", 10, *SMALL)
    run(monkeypatch, capsys, "mlp", *options)
    before = contents(out)
    assert run(monkeypatch, capsys, "mlp", *options, "--names", tmp_path / "none")[0] == 2
    assert run(monkeypatch, capsys, "mlp", *options, "--batch-size", 0)[0] == 2
    assert contents(out) == before


@pytest.mark.parametrize(
    ("program", "options", "message"),
    [
        ("mlp", ["--hiden-size", "3"], "Unrecognized options: --hiden-size"),
        ("mlp", ["--batch-size", "many"], "--batch-size: invalid literal for int.*'many'"),
        ("bigram", ["--penalty", "x"], "--penalty: could not convert string to float"),
        ("sample", [], "PATH"),
        ("sample", ["run", "-n"], "-n"),
    ],
)
def test_an_option_that_cannot_be_read_is_one_line_and_status_2(
    monkeypatch, capsys, program, options, message
):
    status, out, err = run(monkeypatch, capsys, program, *options)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert re.search(message, err), err
    assert "--help" in err


def test_a_list_that_is_gone_is_asked_for(monkeypatch, capsys, tmp_path, names):
    out = tmp_path / "run"
    run(monkeypatch, capsys, "mlp", "--names", names, "--out", out, "--steps", 10, *SMALL)
    names.unlink()
    status, _, err = run(monkeypatch, capsys, "sample", out)
    assert status == 2
    assert "is missing; give one with --names" in err
    (out / "config.json").unlink()
    status, _, err = run(monkeypatch, capsys, "sample", out)
    assert status == 2
    assert "give the list with --names" in err


@pytest.mark.slow
def test_new_only_gives_up_where_nothing_new_comes(monkeypatch, capsys, tmp_path, names):
    out = tmp_path / "run"
    run(monkeypatch, capsys, "bigram", "--names", names, "--out", out, "--steps", 10)
    everything = tmp_path / "everything.txt"
    everything.write_text("a\n")
    monkeypatch.setattr(sample, "GIVE_UP", 2_000)
    options = (out, "--new-only", "--names", everything, "--cut", 1, "--top-k", 1)
    monkeypatch.setattr(corpus, "read_names", lambda _, **__: ["", *map(chr, range(999))])
    status, _, err = run(monkeypatch, capsys, "sample", *options)
    assert status == 2
    assert "the last 2,000 names drawn are all in the list" in err


@pytest.mark.slow
def test_a_name_cannot_drive_the_terminal(monkeypatch, capsys, tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("a\x1b[31mb\u202ec\n" * 9, encoding="utf-8")
    out = tmp_path / "run"
    run(monkeypatch, capsys, "bigram", "--names", path, "--out", out, "--steps", 3_000)
    assert "\x1b" in (out / "samples.txt").read_text(encoding="utf-8")
    _, piped, _ = run(monkeypatch, capsys, "sample", out, "-n", 50)
    assert "a\x1b[31mb\u202ec" in piped.splitlines()
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    for form in ("auto", "csv", "json", "jsonl"):
        _, shown, _ = run(monkeypatch, capsys, "sample", out, "-n", 50, "--format", form)
        assert re.search(r"a\\(x1b|u001b)\[31mb\\u202ec", shown)
        assert not set(shown) & {"\x1b", "\u202e"}


KEEP = """
import jax, jax.numpy as jnp
from mmjax.cli.compiled import keep_compiled
keep_compiled()
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((97, 97)))
print(jax.config.jax_compilation_cache_dir)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "chosen", "kept"),
    [(None, None, True), (0o700, None, True), (0o770, None, False), (0o700, "elsewhere", False)],
)
def test_compiled_code_is_kept_only_where_nobody_else_can_write(tmp_path, mode, chosen, kept):
    folder = tmp_path / "mmjax"
    if mode:
        folder.mkdir()
        folder.chmod(mode)
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    if chosen:
        environment["JAX_COMPILATION_CACHE_DIR"] = str(tmp_path / chosen)
    command = [sys.executable, "-c", KEEP]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stderr == ""
    assert bool([*folder.glob("jit_*")]) == kept
    assert done.stdout.strip() == (
        str(folder) if kept else str(tmp_path / chosen) if chosen else "None"
    )
    if kept:
        assert folder.stat().st_mode & 0o777 == 0o700


def test_compiled_code_is_not_taken_through_a_link(tmp_path):
    (tmp_path / "theirs").mkdir(mode=0o700)
    (tmp_path / "mmjax").symlink_to(tmp_path / "theirs")
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", KEEP]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("None\n", "")


@pytest.mark.slow
def test_a_closed_pipe_is_no_error(mlp_run):
    folder, _ = mlp_run
    with command("experiments.sample", folder, "-n", 100_000) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 0


@pytest.mark.slow
def test_rates_proposes_a_rate_and_draws_it(monkeypatch, capsys, tmp_path):
    (tmp_path / "names.txt").write_text("ann\nbob\nzoe\nneil\nanna\nives\nlili\n")
    options = ("--names", tmp_path / "names.txt", "--hidden-size", 17, "--hidden-layers", 2)
    options = (*options, "--test-steps", 200, "--seeds", 2, "--out", tmp_path / "out")
    status, out, _ = run(monkeypatch, capsys, "rates", *options)
    assert status == 0
    found = json.loads((tmp_path / "out/rates.json").read_text())
    assert f"Proposed: --learning-rate {found['proposed']:.1g}" in out
    assert found["proposed"] == pytest.approx(found["lowest_at"] / 10)
    assert len(found["rates"]) == len(found["losses"]) == 200
    assert "<svg" in (tmp_path / "out/rates.svg").read_text()


@pytest.mark.slow
def test_distill_teaches_a_network_and_leaves_a_run(monkeypatch, capsys, tmp_path, names):
    options = ("--names", names, "--hidden-size", 17, "--hidden-layers", 2, "--steps", 200)
    options = (*options, "--teachers", 2, "--seeds", 2, "--out", tmp_path / "out")
    with jax.numpy_dtype_promotion("standard"):
        status, out, _ = run(monkeypatch, capsys, "distill", *options)
    assert status == 0
    figures = summary(tmp_path / "out")
    assert f"{figures['loss_val']:.4f}" in out
    assert figures["teacher_loss_val"] <= figures["kneser-ney_3_loss_val"] + 1e-3
    student, _ = weights.load(tmp_path / "out/model.safetensors")
    teacher, _ = weights.load(tmp_path / "out/teacher.safetensors")
    assert type(student.model).__name__ == "MLP"
    assert type(teacher.model).__name__ == "Mixture"
    status, out, _ = run(monkeypatch, capsys, "sample", tmp_path / "out", "-n", 3)
    assert (status, len(out.splitlines())) == (0, 3)


@pytest.mark.slow
def test_the_seed_of_the_teachers_changes_the_networks_that_teach(
    monkeypatch, capsys, tmp_path, names
):
    options = ("--names", names, "--hidden-size", 17, "--steps", 20, "--teachers", 1)
    found = {}
    for seed in (2**31 + 1, 2**31 + 2):
        out = tmp_path / str(seed)
        args = (*options, "--teachers-seed", seed, "--out", out)
        with jax.numpy_dtype_promotion("standard"):
            assert run(monkeypatch, capsys, "distill", *args)[0] == 0
        found[seed] = summary(out)
    first, second = found.values()
    assert first["one_network_loss_val"] != second["one_network_loss_val"]
    assert first["kneser-ney_3_loss_val"] == second["kneser-ney_3_loss_val"]


@pytest.mark.parametrize("option", ["--data=windows", "--early-stopping", "--noise=0.1"])
def test_distill_refuses_what_a_student_has_not(monkeypatch, capsys, tmp_path, names, option):
    options = ("--names", names, "--out", tmp_path / "out", option)
    status, _, err = run(monkeypatch, capsys, "distill", *options)
    assert (status, len(err.splitlines())) == (2, 1)
    assert "learns from the teacher's contexts, as they are, to the last step" in err
    assert not (tmp_path / "out").exists()
