"""Results of the playground's quiz, added up."""

import json
import math
from typing import Any

import pytest
from programs import run

from mmjax.errors import InputError
from mmjax.evaluate import quiz


def content(right=11, n=20, **changes) -> dict[str, Any]:
    """Return the content of a file in which every other name is real, and the first are right."""
    other = {"real": "made up", "made up": "real"}
    answers = []
    for i in range(n):
        truth = ("real", "made up")[i % 2]
        answer = truth if i < right else other[truth]
        answers.append({"name": f"n{i}", "truth": truth, "answer": answer, "milliseconds": 900 + i})
    about = {"person": "ada", "title": "MLP of names.txt", "model": "0a1b2c3d", "date": "2026"}
    return {"format": quiz.FORMAT, **about, "answers": answers} | changes


def saved(folder, *contents):
    paths = [folder / f"{i}.json" for i in range(len(contents))]
    for path, each in zip(paths, contents, strict=True):
        path.write_text(json.dumps(each))
    return paths


@pytest.mark.parametrize(("right", "n"), [(0, 7), (11, 20), (40, 40), (530, 1_000)])
def test_the_interval_holds_the_shares_that_are_within_two_errors_of_the_answers(right, n):
    """At both ends, the distance is 1.96 times the error of a share that is the end."""
    low, high = quiz.wilson(right, n)
    for end in (low, high):
        if 1e-12 < end < 1 - 1e-12:
            error = math.sqrt(end * (1 - end) / n)
            assert abs(right / n - end) / error == pytest.approx(1.959964, abs=1e-4)
    assert low <= right / n <= high


def test_a_score_counts_right_answers_and_separates_bias_from_skill(tmp_path):
    half, always_real = content(), content()
    for answer in always_real["answers"]:
        answer["answer"] = "real"
    quizzes = [quiz.read(path) for path in saved(tmp_path, half, always_real, content(20))]
    assert quiz.score(quizzes[:1])[:2] == (20, 11)
    guess = quiz.score(quizzes[1:2])
    assert guess.share == 0.5
    assert guess.d_prime == pytest.approx(0)
    perfect = quiz.score(quizzes[2:])
    # 10 of 10 real ones called real, and no other, each with half an answer more.
    assert perfect.d_prime == pytest.approx(2 * 1.690622, abs=1e-5)
    assert quiz.score(quizzes)[:2] == (60, 41)


def test_results_are_added_up_by_model_and_person(monkeypatch, capsys, tmp_path):
    paths = saved(
        tmp_path,
        content(11, date="1"),
        content(13, date="2"),
        content(20, person=""),
        content(6, title="\x1b[2J<&"),
        content(7, model="f0"),
    )
    picture = tmp_path / "judge.svg"
    status, out, err = run(monkeypatch, capsys, "judge", *paths, "--out", picture)
    assert (status, err) == (0, "")
    rows = [line.split() for line in out.splitlines()[1:6]]
    assert " ".join(rows[0]).startswith("MLP of names.txt (0a1b2c3d) ada 40 60 % 45 % 74 %")
    assert " ".join(rows[1]).startswith("MLP of names.txt (0a1b2c3d) (no name) 20 100 % 84 % 100 %")
    assert " ".join(rows[2]).startswith("MLP of names.txt (0a1b2c3d) everyone 60 73 %")
    assert " ".join(rows[3]).startswith(r"\x1b[2J<& (0a1b2c3d) ada 20 30 %")
    assert " ".join(rows[4]).startswith("MLP of names.txt (f0) ada 20 35 %")
    assert "\x1b" not in out
    assert "MLP of names.txt (0a1b2c3d), everyone" in picture.read_text()


def test_the_same_answers_twice_are_refused(monkeypatch, capsys, tmp_path):
    paths = saved(tmp_path, content(), content())
    status, _, err = run(monkeypatch, capsys, "judge", *paths, "--out", tmp_path / "x.svg")
    assert status == 2
    assert err.count("\n") == 1
    assert "1.json: has the same answers as" in err
    assert not (tmp_path / "x.svg").exists()


WRONG = {
    "no JSON": "{",
    "binary": "\0\ufffd",
    "a list": "[]",
    "too deep": "[" * 100_000,
    "another format": json.dumps(content(format="other 1")),
    "no title": json.dumps({k: v for k, v in content().items() if k != "title"}),
    "a title that is no text": json.dumps(content(title=3)),
    "no answers": json.dumps(content(answers=[])),
    "answers that are none": json.dumps(content(answers=["real"])),
    "an answer that is none": json.dumps(
        content(answers=[{"name": "a", "truth": "real", "answer": "maybe"}])
    ),
    "a truth that is a list": json.dumps(
        content(answers=[{"name": "a", "truth": ["real"], "answer": "real"}])
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_is_refused_by_name(wrong, tmp_path):
    path = tmp_path / "wrong.json"
    path.write_text(WRONG[wrong], encoding="utf-8")
    with pytest.raises(InputError, match=r"wrong\.json: is not a result of the quiz: ") as error:
        quiz.read(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_line(monkeypatch, capsys, tmp_path):
    status, _, err = run(monkeypatch, capsys, "judge", tmp_path / "none.json")
    assert status == 2
    assert err.count("\n") == 1
    assert "give a file that the quiz of a playground.html saved" in err
