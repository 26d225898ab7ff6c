"""The verdict on a run: its figures, its kinds, and advice that helps."""

import random
import shlex
from dataclasses import asdict
from typing import Any

import jax
import pytest
from programs import run, summary

from mmjax import mlp, train
from mmjax.cli.options import kind_of, parse
from mmjax.commands.train_options import of_recipe
from mmjax.evaluate.copies import copies
from mmjax.report.snapshot import verdict_lines
from mmjax.runs import command_line, verdict
from mmjax.runs.reading import read_config

SETTINGS = {
    **asdict(train.Recipe()),
    **asdict(mlp.MLP()) | {"widths": []},
    **{"recipe": "lecture", "names": "list.txt", "out": "runs/a", "seed": 0},
    **{"unique": False, "split_seed": 42, "shuffles": 2},
}
GOOD = {
    **{"loss_train": 2.0, "loss_val": 2.05, "kneser_ney_loss_val": 2.03},
    **{"steps": 3_000, "stopped_at_step": None, "stopped_because": None},
    **{"samples_new": 0.8, "samples_listed": 0.2, "samples_near": 0.5, "samples_distinct": 0.9},
    **{"held_out_listed": 0.12, "ideal_listed": 0.15},
}
MEMORISED = {"loss_train": 1.0, "loss_val": 3.5, "samples_listed": 0.9, "ideal_listed": 0.01}


def one_edit_apart(a, b):
    """Return whether two names are equal or one edit apart, by making every edit."""
    letters = sorted({*b})
    deleted = {a[:i] + a[i + 1 :] for i in range(len(a))}
    replaced = {a[:i] + c + a[i + 1 :] for i in range(len(a)) for c in letters}
    inserted = {a[:i] + c + a[i:] for i in range(len(a) + 1) for c in letters}
    return b in {a} | deleted | replaced | inserted


def test_copies_are_counted_as_by_hand():
    draw = random.Random(0)
    name = lambda: "".join(draw.choices("abc", k=draw.randint(1, 6)))  # noqa: E731
    parts = {
        part: [name() for _ in range(n)] for part, n in (("train", 41), ("val", 7), ("test", 5))
    }
    samples = [name() for _ in range(97)]
    found = copies(samples, parts)
    held_out = parts["val"] + parts["test"]
    listed = {*parts["train"], *held_out}
    new = [each for each in samples if each not in listed]
    near = [each for each in new if any(one_edit_apart(each, other) for other in listed)]
    assert found.samples_new == len(new) / 97
    assert found.samples_new + found.samples_listed == pytest.approx(1)
    assert found.samples_near == len(near) / len(new)
    assert 0 < len(near) < len(new)
    assert found.samples_distinct == len({*samples}) / 97
    assert found.held_out_listed == sum(each in parts["train"] for each in held_out) / 12
    assert copies(parts["train"], parts).samples_near is None


def test_a_model_that_copies_nothing_repeats_what_is_ideal():
    """Names of all lists are drawn alike, so the training part is no more likely than the rest."""
    draw = random.Random(0)
    words = [f"{a}{b}{c}" for a in "abcdefgh" for b in "abcdefgh" for c in "abcdefgh"]
    listed = draw.sample(words, 200)
    parts = {"train": listed[:160], "val": listed[160:180], "test": listed[180:]}
    fair = copies(draw.choices(words, k=20_000), parts)
    assert fair.held_out_listed == 0
    assert fair.ideal_listed == pytest.approx(fair.samples_listed, rel=0.1)
    assert fair.samples_listed == pytest.approx(200 / 512, rel=0.05)
    copied = copies(draw.choices(listed[:160], k=20_000), parts)
    assert (copied.samples_listed, copied.ideal_listed) == (1, 0)


@pytest.mark.parametrize(
    ("changes", "settings", "kind", "said"),
    [
        ({}, {}, "good", "experiments.sample runs/a -n 100 --new-only"),
        ({"loss_val": 2.3, "loss_train": 2.29}, {}, "underfitted", "--recipe fast"),
        (
            {"loss_val": 2.3, "loss_train": 2.29},
            {**asdict(train.RECIPES["fast"]), "recipe": "fast"},
            "underfitted",
            "--recipe auto",
        ),
        (MEMORISED, {}, "memorised", "--recipe auto"),
        ({**MEMORISED, "kneser_ney_loss_val": None}, {}, "memorised", "--recipe auto"),
        (MEMORISED, {"recipe": "auto"}, "few", "-n 100 --new-only"),
        ({"loss_train": 1.4}, {"recipe": "auto"}, "few", "-n 100 --new-only"),
        ({"stopped_because": "interrupted"}, {"recipe": "auto"}, "unfinished", "--recipe auto"),
        ({}, {"recipe": "auto"}, "good", "-n 100 --new-only"),
        ({"stopped_at_step": 7}, {}, "failed", "--learning-rate 0.01"),
        ({"loss_val": None}, {}, "failed", "--learning-rate 0.01"),
        ({"stopped_because": "interrupted"}, {}, "unfinished", "--resume"),
    ],
)
def test_each_kind_of_run_gets_its_verdict(changes, settings, kind, said):
    judged = verdict.of(GOOD | changes, SETTINGS | settings)
    assert judged.kind == kind
    assert said in judged.command
    assert len(verdict_lines(judged).splitlines()) <= 6
    assert ("20 % are in the list" in " ".join(judged.sentences)) == (
        kind != "failed" and "samples_listed" not in changes
    )


def test_a_gap_alone_is_no_fault_while_validation_beats_counting():
    assert verdict.of(GOOD | {"loss_train": 1.6}, SETTINGS).kind == "good"
    assert verdict.of(GOOD | {"loss_train": 1.6, "loss_val": 2.1}, SETTINGS).kind == "memorised"


def test_a_run_of_an_earlier_version_has_a_verdict_too():
    old = {name: value for name, value in GOOD.items() if "listed" not in name}
    judged = verdict.of({n: v for n, v in old.items() if "samples" not in n}, SETTINGS)
    assert judged.kind == "good"
    assert len(judged.sentences) == 1


def test_commands_are_what_the_program_takes():
    """They keep the options of the run that the advice does not change."""
    own = {"block_size": 8, "unique": True, "widths": [17, 17], "residual": True, "tied": True}
    own["out"] = "runs/my run"
    for changes in (MEMORISED, {"loss_val": 2.3, "loss_train": 2.29}, {"stopped_at_step": 1}):
        judged = verdict.of(GOOD | changes, SETTINGS | own)
        assert judged.command.startswith(command_line.EXPERIMENTS["train"])
        typed = ["--names", *shlex.split(judged.command)[4:]]
        options: Any = parse("mlp", kind_of(of_recipe, typed), typed)
        assert options.name_list.unique
        assert str(options.out) == "runs/my run-2"
        if changes is MEMORISED:
            assert options.recipe == "auto"  # which chooses the network
        else:
            assert (options.model.block_size, options.model.tied) == (8, True)
            assert (options.model.residual, options.model.widths) == (True, (17, 17))


def test_commands_are_those_of_mmjax_where_it_runs():
    command_line.use({"train": "mmjax train", "sample": "mmjax sample"})
    typed = verdict.of(GOOD | MEMORISED, SETTINGS).command
    assert typed == "mmjax train list.txt --recipe auto --out runs/a-2"
    assert verdict.of(GOOD, SETTINGS).command == "mmjax sample runs/a -n 100 --new-only"


def test_a_run_folder_gets_a_name_of_its_own():
    def out(folder):
        return shlex.split(command_line.train({**SETTINGS, "out": folder}))[-1]

    assert [out(f"runs/{name}") for name in ("a", "a-2", "a-b")] == [
        *("runs/a-2", "runs/a-3", "runs/a-b-2")
    ]


@pytest.mark.slow
def test_the_advice_helps_a_network_that_has_learned_by_heart(monkeypatch, capsys, tmp_path):
    """Invented words of a few syllables: the advice lowers validation loss and copies."""
    draw = random.Random(1)
    syllables = [c + v for c in ("", *"kstnhmyr") for v in "aiueo"]
    words = {"".join(draw.choices(syllables, k=draw.choice((2, 3, 3, 4)))) for _ in range(300)}
    names = tmp_path / "words.txt"
    names.write_text("\n".join(sorted(words)))
    out = tmp_path / "run"
    given = ("--names", names, "--block-size", 6, "--steps", 3_000, "--out", out, "--no-watch")
    status, said, _ = run(monkeypatch, capsys, "mlp", *given)
    assert status == 0
    before = summary(out)
    judged = verdict.of(before, read_config(out, ["names"]))
    assert judged.kind == "memorised"
    assert judged.headline in said
    assert judged.command in said
    with jax.numpy_dtype_promotion("standard"):  # nadamw raises a float to the power of its step
        status, said, _ = run(
            monkeypatch, capsys, "mlp", *shlex.split(judged.command)[3:], "--steps", 240
        )
    assert status == 0
    after = summary(tmp_path / "run-2")
    for part in ("val", "test"):
        assert after[f"loss_{part}"] < before[f"loss_{part}"] - 0.5
    assert before["samples_listed"] > 0.5
    assert after["samples_listed"] < before["samples_listed"] - 0.3
    assert after["samples_distinct"] > before["samples_distinct"]
