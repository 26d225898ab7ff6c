"""The exercises of the guide: solutions keep all laws, and every law finds a mistake."""

import os
import re
import signal
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from conftest import ROOT
from programs import command

from experiments import exercise
from experiments.exercise import EXERCISES
from experiments.exercises import checking
from experiments.exercises.checking import check, skeleton
from mmjax.cli.program import main

SOLUTIONS = ROOT / "docs/guide/solutions"
# (exercise, law that finds it, text of the solution, text in its place, words of the sentence)
# fmt: off
MISTAKES = [
    (1, "total", 'f".{name}."', "name", "'emma' must have 5 pairs in all, not 3 (is '.' put"),
    (1, "total", "return counts", "return", "must return a dict, not None (is the return missing?)"),
    (1, "total", "return counts", "return {'em': 1}", "tuples of two characters, such as"),
    (1, "total", "return counts", "return {('e', 'm'): 0.5}", "('e', 'm') is 0.5"),
    (1, "ends", '".{name}."', '"{name}.."', "7 names must have 7 pairs that end with '.', not 14"),
    (1, "lists_add_up", "in names", "in sorted(set(names))", "if ['anna', 'bob', 'zoe'] and"),
    (1, "reversed_names", "{name}", "{''.join(sorted(name))}", "is read backwards, the"),
    (1, "by_hand", "return counts", "return {(b, a): n for (a, b), n in counts.items()}", "['emma']"),
    (2, "rows_sum_to_one", "axis=1", "axis=0", "not 0.89843 (the columns sum to 1: divide by the"),
    (2, "rows_sum_to_one", ", keepdims=True", "", "sum(axis=1, keepdims=True) keeps it a column"),
    (2, "rows_sum_to_one", "(axis=1, keepdims=True)", "()", "must be 1, not"),
    (2, "unseen", "counts + smoothing", "counts + 0 * smoothing", "a count of 0 must not give 0"),
    (2, "large_smoothing", "counts + smoothing", "counts + 1", "10,000,000 each of the 5"),
    (2, "order_of_letters", "return ", "smoothed[0] += 1\n    return ", "after exchanging letters"),
    (2, "smoothed_by_hand", "+ smoothing", "+ smoothing / 5", "with smoothing 0.5, a probability"),
    (2, "counts_unchanged", "= counts + smoothing", "= counts\n    counts += smoothing", "+= does"),
    (3, "equal_probabilities", ".mean()", ".sum()", "31 pairs must be 3.2958, not 102.17 (is it the mean over"),
    (3, "equal_probabilities", "-np.log", "np.log", "not -3.2958 (is the minus missing?)"),
    (3, "equal_probabilities", "np.log(", "np.log2(", "(is it the natural logarithm?)"),
    (3, "equal_probabilities", ".mean()", "", "must be one number, not an array of shape [31]"),
    (3, "equal_probabilities", "-np.log(chosen)", "chosen", "is the logarithm missing?"),
    (3, "certain", "chosen)", "chosen / 27 * len(probs))", "has probability 1, must be 0, not 2.197"),
    (3, "order_in_a_pair", "pairs[:, 0], pairs[:, 1]", "pairs[:, 1], pairs[:, 0]", "is it probs[3, 0]"),
    (3, "list_twice", ".mean()", ".sum() / 13", "given twice: its loss must be"),
    (3, "two_parts", "chosen = ", "pairs = np.unique(pairs, axis=0)\n    chosen = ", "occurs again?"),
    (3, "impossible_pair", "chosen)", "chosen.clip(1e-9))", "infinite, not 2.9407 (is a small"),
    (3, "impossible_pair", "-np.log(chosen).mean()", "(-np.log(chosen) * (chosen > 0)).mean()", "infinite, not nan"),
    (4, "zero_weights", "jnp.mean", "jnp.sum", "must be 1.9459, not 21.405 (is it the mean over"),
    (4, "zero_weights", "value_and_grad", "grad", "must return a tuple (loss, grad), not an array"),
    (4, "plain_loss", "weights[contexts]", "weights.T[contexts]", "row c of the weights the logits"),
    (4, "other_rows", "jax.value_and_grad(loss)(weights)", "loss(weights), jax.grad(loss)(weights).T", "no context is 2, so row 2 of the"),
    (4, "rows_balance", "targets])", "targets]) + jnp.mean(weights[contexts])", "sum over a row of"),
    (4, "slopes", "jax.value_and_grad(loss)(weights)", "loss(weights), -jax.grad(loss)(weights)", "is its sign turned?"),
    (4, "slopes", "jax.value_and_grad(loss)(weights)", "loss(weights), 11 * jax.grad(loss)(weights)", "is it divided by the 11 examples?"),
    (4, "large_weights", "jax.nn.log_softmax(weights[contexts], axis=1)", "jnp.log(jax.nn.softmax(weights[contexts], axis=1))", "weights as large as 1000 the loss must be 1"),
    (5, "how_many", "[*name, 0]", "name", "must be an array of shape [5, 3], not"),
    (5, "targets_are_names", "[*name, 0]", "[0, *name]", "targets of the name [5, 13, 13, 1] must"),
    (5, "names_begin_with_zeros", "[0] * block_size", "context if contexts else [0] * block_size", "first context of the name [2]"),
    (5, "names_begin_with_zeros", "context = [*context[1:], target]", "context.pop(0); context.append(target)", "does each example have its own list?"),
    (5, "windows_slide", "[*context[1:], target]", "[target, *context[:-1]]", "must be followed by the context"),
    (5, "other_block_sizes", "[*context[1:], target]", "[*context[-(block_size - 1):], target]", "in the law 'Contexts of one letter"),
    (5, "names_alone", "for name in names", "for name in sorted(names, key=len)", "alone, but"),
    (6, "last_state", "jax.lax.scan(step, state, inputs)", "jax.lax.scan(step, state, inputs)[::-1]", "(state, outputs) in this order"),
    (6, "last_state", "scan(step, state,", "scan(step, 0 * state,", "the state 10 before them, a step that adds its input to the state, the last state must be 23, not 13"),
    (6, "stacked_outputs", "scan(step,", "scan(lambda s, x: step(x, s),", "a step that returns x * x"),
    (6, "stacked_outputs", "inputs)", "inputs)[0], inputs", "step that returns x * x, the output"),
    (6, "stacked_outputs", "inputs)", "inputs)[0], step(state, inputs[-1])[1]", "shape [7], not one"),
    (6, "any_state", "jax.lax.scan(step, state, inputs)", "(out := jax.lax.scan(step, state, inputs)) and (jax.tree.leaves(out[0])[0], out[1])", "a dict as the state it must"),
    (6, "traced_once", "return jax.lax.scan(step, state, inputs)", "outputs = []\n    for x in inputs:\n        state, out = step(state, x)\n        outputs.append(out)\n    return state, jax.numpy.stack(outputs)", "called step 500 times"),
    (6, "inside_jit", "scan(step, state, inputs)", "scan(step, state, jax.numpy.array(inputs.tolist()))", "06.py, line 8: ConcretizationTypeError"),
    (7, "shapes", "(fan_in, fan_out)", "(fan_out, fan_in)", "of shape [211, 307], not an array of shape [307, 211]"),
    (7, "zero_bias", "zeros", "ones", "the bias must be 0, but its first entry is 1"),
    (7, "size_of_weights", "fan_in**0.5", "fan_out**0.5", "(is it fan_in, and not fan_out?)"),
    (7, "size_of_weights", " / fan_in**0.5", "", "(is it divided by sqrt(fan_in)?)"),
    (7, "size_of_weights", "fan_in**0.5", "fan_in", "(is the root of fan_in missing?)"),
    (7, "size_of_weights", "* gain", "", "(is the gain missing?)"),
    (7, "size_of_weights", "fan_in**0.5", "fan_in**0.5 + 0.01", "the mean of the weights must be near"),
    (7, "keys", "normal(key,", "normal(jax.random.key(0),", "must not give the same weights"),
    (7, "normal", "normal(key, (fan_in, fan_out))", "uniform(key, (fan_in, fan_out), minval=-1, maxval=1) * 3**0.5", "is it a uniform distribution?"),
    (7, "outputs", "(fan_in, fan_out))", "(fan_in, 1)) * jnp.ones((1, fan_out))", "outputs for an input"),
    (8, "normalised", "mean, var = x.mean(axis=0), x.var(axis=0)", "mean, var = x.mean(axis=0), x.var(axis=0, ddof=1)", "the biased one?"),
    (8, "normalised", "    if train:", "    if not train:", "the mean of a feature of y"),
    (8, "gamma_and_beta", "gamma * (x", "(x", "with gamma and beta, y"),
    (8, "running_moves", ", ddof=1", "", "the new running variance, at [0], must be"),
    (8, "running_moves", "0.9 * running[0] + 0.1 * mean", "0.1 * running[0] + 0.9 * mean", "0.9 is for the old"),
    (8, "running_moves", "running = (", "_ = (", "it stays as it is"),
    (8, "evaluation", "if train:", "if True:", "in evaluation the running statistics must stay"),
    (8, "constant_feature", " + 1e-5", "", "2 in all rows, at [0], must be 4, not nan (is eps"),
    (8, "inside_jit", "return y, running", "return y, tuple(map(jnp.array, (r.tolist() for r in running)))", "08.py, line"),
    (9, "columns_balance", "dy - through_mean - ", "dy - ", "does the gradient also go through the mean"),
    (9, "columns_balance", "axis=0", "axis=1", "must be 0"),
    (9, "orthogonal", " - through_var", "", "does the gradient also go through the variance"),
    (9, "shifted_dy", " - through_mean", "", "same number to all rows of dy, dx"),
    (9, "gamma_scales", "gamma[None, :] / std", "1 / std", "(is gamma in dx?)"),
    (9, "features_apart", "(axis=0, keepdims=True) + 1e-5", "() + 1e-5", "beside the other features"),
    (9, "slopes", "gamma[None, :] / std * ", "gamma[None, :] * ", "dx of each feature is the slope times"),
    (10, "healthy", '"healthy"', '"fine"', "must return one of 'dead', 'saturated', 'vanishing', 'he"),
    (10, "healthy", "outputs.std() < 0.1", "outputs.std() < 0.2", "must be 'healthy', not 'vanishing'"),
    (10, "dead_unit", "size > 0.99", "outputs > 0.99", "whose unit 4 gives -0.995 for every example"),
    (10, "every_example", "all(axis=0)", "any(axis=0)", "0.995 for all examples but one must be 'hea"),
    (10, "every_example", "all(axis=0)", "all(axis=1)", "units all give 0.995 for one example alone"),
    (10, "saturated", "0.4", "0.5", "44% of its outputs at 0.98 or -0.98 must be 'saturated'"),
    (10, "vanishing", "outputs.std()", "size.mean()", "standard deviation is 0.11 must be 'healthy'"),
    (10, "precedence", 'return "saturated"', 'return "vanishing" if outputs.std() < 0.1 else "saturated"', "(so the deviation is below 0.1) must"),
    (11, "one_is_better", "float(weights[losses.argmin(), 0])", "losses.argmin()", "from 0 to 1, not 1000"),
    (11, "one_is_better", "linspace(0, 1,", "linspace(0.01, 0.99,", "weight of a must be 1, not 0.99"),
    (11, "one_is_better", "weights[losses", "1 - weights[losses", "weight of a must be 1, not 0"),
    (11, "not_worse", "float(weights[losses.argmin(), 0])", "0.5", "but one model alone has"),
    (11, "lowest", "-jnp.log(mixed)", "-mixed", "is it the log of the mixture"),
    (11, "lowest", "1001", "8", "is it found to 1e-3?"),
    (11, "swapped", "losses.argmin()", "losses.argmin() // 10 * 7", "so best_weight(b, a) must be"),
    (11, "repeated", "losses.argmin()", "losses.argmin() * 211 // len(a)", "given three times, the weight"),
    (11, "impossible", "mixed).mean", "mixed.clip(1e-30))[:, 6:].mean", "a gives one example the probab"),
    (12, "every_run", "(keys)", "(keys).mean(axis=0)", "with 5 keys and 7 losses of each, losses must"),
    (12, "row_is_run", "(keys)", "(keys)[::-1]", "the loss of run 0, at [0], must be"),
    (12, "row_is_run", "jax.vmap(train_one)(keys)", "jax.vmap(lambda _: train_one(keys[0]))(keys)", "does each key have its own run"),
    (12, "order_of_keys", "(keys)", "(jax.random.split(keys[0], len(keys)))", "after reordering"),
    (12, "traced_once", "jax.vmap(train_one)(keys)", "jax.numpy.stack([train_one(key) for key in keys])", "called train_one 11 times"),
    (12, "traced_once", "jax.vmap(train_one)(keys)", "jax.lax.map(train_one, keys)", "one run after the other"),
    (12, "any_result", "(keys)", "(keys)[:, :]", "12.py, line"),
    (12, "inside_jit", "(keys)", "(keys).block_until_ready()", "12.py, line"),
]
# fmt: on


def solution(number):
    return (SOLUTIONS / f"{number:02}.py").read_text(encoding="utf-8")


def law_of(number, name):
    (law,) = [law for law in EXERCISES[number - 1].laws if getattr(law, "__name__", "") == name]
    return law


def with_mistake(folder, number, old, new):
    text = solution(number)
    assert old in text
    path = folder / f"{number:02}.py"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def run(monkeypatch, capsys, *options):
    """Run the program in this process; return (status, output, errors)."""
    monkeypatch.setattr("sys.argv", ["exercise", *map(str, options)])
    with pytest.raises(SystemExit) as exit_info:
        main("python -m experiments.exercise", exercise.Options, exercise.program)
    out, err = capsys.readouterr()
    return exit_info.value.code, out, err


@pytest.mark.parametrize("number", range(1, 13))
def test_the_solution_keeps_every_law(number):
    wanted = EXERCISES[number - 1]
    held, trouble = check(wanted, SOLUTIONS / f"{number:02}.py")
    assert trouble == ""
    assert len(held) == len(set(held)) == len(wanted.laws)
    assert 3 <= len(held) <= 6
    assert wanted.number == number
    assert f"def {wanted.signature}:" in re.sub(
        r"\(\s*(.*?),?\s*\) ->", r"(\1) ->", solution(number)
    )
    assert f'"""Exercise {number}: {wanted.title}."""' in solution(number)


@pytest.mark.parametrize(("number", "name", "old", "new", "words"), MISTAKES)
def test_a_law_finds_a_mistake(tmp_path, number, name, old, new, words):
    path = with_mistake(tmp_path, number, old, new)
    wanted = EXERCISES[number - 1]
    held, trouble = check(replace(wanted, laws=(law_of(number, name),)), path)
    assert held == []
    assert words in trouble
    assert trouble.startswith(f"{number:02}.py")


def test_every_law_has_a_mistake():
    laws = {(number, name) for number, name, *_ in MISTAKES}
    assert laws == {
        (each.number, getattr(law, "__name__", "")) for each in EXERCISES for law in each.laws
    }


@pytest.mark.parametrize("number", range(1, 13))
def test_the_task_is_short_and_the_skeleton_is_still_to_be_written(tmp_path, number):
    wanted = EXERCISES[number - 1]
    assert 3 <= len(wanted.task.splitlines()) <= 8
    text = skeleton(wanted)
    assert max(map(len, text.splitlines())) <= 100
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    line = len(text.splitlines())
    assert check(wanted, path) == ([], f"mine.py: {wanted.name}: still to be written (line {line})")


def test_the_skeleton_is_written_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(monkeypatch, capsys, 3)
    path = tmp_path / "exercises/03.py"
    assert (status, err) == (0, "")
    assert "exercises/03.py is written" in out
    assert "Return the mean of -log(probs[a, b])" in out
    path.write_text(text := path.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    status, out, err = run(monkeypatch, capsys, 3)
    assert (status, err) == (1, "")
    assert "✗ 03.py: loss: still to be written" in out
    assert path.read_text(encoding="utf-8") == text
    status, out, _ = run(monkeypatch, capsys)
    assert status == 0
    assert len([line for line in out.splitlines() if "not begun" in line]) == 11
    assert re.search(r" 3  the loss of a table +in exercises/03.py\n", out)


def test_a_solution_is_praised_with_its_laws(tmp_path, monkeypatch, capsys):
    for number, following in ((10, "Next: the best mixture"), (12, "It was the last exercise.")):
        path = with_mistake(tmp_path, number, '"""', '"""')
        status, out, err = run(monkeypatch, capsys, number, "--file", path)
        assert (status, err) == (0, "")
        assert out.count("✓") == len(EXERCISES[number - 1].laws)
        assert f"Compare with docs/guide/solutions/{number}.py." in out
        assert following in out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "is not in the file; write def loss(probs, pairs)"),
        ("loss = 3", "loss: must be a function, not a int"),
        ("def loss(probs): return 0", "must take 2 arguments; write def loss(probs, pairs)"),
        (
            "def loss(p, q):\n    return 1 / 0",
            "line 2: ZeroDivisionError: division by zero (in the law",
        ),
        ("def loss(p, q):\n  return p.x(\n", "03.py, line 2: SyntaxError: '(' was never closed"),
        (
            "def loss(p, q):\nreturn 1",
            "03.py, line 2: IndentationError: expected an indented block",
        ),
        ("import nothing_of_this_name", "line 1: ModuleNotFoundError: No module named"),
        ("def loss(p, q): return 'low'", "the result must be one number, not a str"),
        ("def loss(p, q): raise SystemExit(3)", "line 1: SystemExit: 3"),
        ("def loss(p, q): return loss(p, q)", "line 1: RecursionError: maximum"),
        ("\0", "null bytes"),
        ("import warnings\nwarnings.warn('x')\nx = '\\d'", "is not in the file"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, monkeypatch, capsys, text, said):
    path = tmp_path / "03.py"
    path.write_text(text, encoding="utf-8")
    status, out, err = run(monkeypatch, capsys, 3, "--file", path)
    assert (status, err) == (1, "")
    (line,) = [line for line in out.splitlines() if "✗" in line]
    assert said in line
    assert out.endswith(f"{line}\n")


def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "latin.py").write_bytes(b"# caf\xe9\n")
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nothing.py")
    for options, said in (
        ((0,), "0: give the number of an exercise, 1 to 12"),
        ((13,), "13: give the number of an exercise, 1 to 12"),
        (("x",), "see python -m experiments.exercise --help"),
        (("--file", "x.py"), "--file needs the number of an exercise"),
        ((3, "--file", tmp_path), "is a folder; give a Python file with --file"),
        ((3, "--file", tmp_path / "latin.py"), "latin.py: is not UTF-8; save it as UTF-8 text"),
        ((3, "--file", tmp_path / "dangling.py"), "dangling.py: no such file"),
        ((3, "--file", tmp_path / "latin.py/03.py"), "latin.py: cannot be made: "),
    ):
        status, _, err = run(monkeypatch, capsys, *options)
        assert (status, err.count("\n")) == (2, 1)
        assert err.startswith("experiments.exercise: ")
        assert said in err
    assert not (tmp_path / "nothing.py").exists()


def test_code_that_takes_too_long_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "LIMIT", 0.2)
    path = tmp_path / "03.py"
    wait = "import time\nend = time.time() + 0.4\nwhile time.time() < end: time.sleep(0.01)\n"
    inside = wait.replace("\n", "\n    ")
    for text, doing in (
        (wait, "the file"),
        (
            f"def loss(p, q):\n    {inside}\n",
            "the law 'Equal probabilities over n letters have the",
        ),
    ):
        path.write_text(text, encoding="utf-8")
        _, trouble = check(EXERCISES[2], path)
        assert trouble.startswith(f"03.py: {doing}")
        assert trouble.endswith("took more than 0.2 s (is there an endless loop?)")
    time.sleep(0.3)  # until the threads are done


@pytest.mark.slow
def test_the_solutions_are_checked_as_a_learner_does():
    for number in range(1, 13):
        path = SOLUTIONS / f"{number:02}.py"
        process = command("experiments.exercise", number, "--file", path)
        output, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
        assert output.count("✓") == len(EXERCISES[number - 1].laws)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "while True: pass",
        "import jax\nloop = jax.lax.while_loop\n"
        "jax.jit(lambda x: loop(lambda c: c > 0, lambda c: c + 1.0 - 1.0, x))(1.0).block_until_ready()",
    ],
)
def test_ctrl_c_ends_an_endless_loop_with_one_line(tmp_path, text):
    path = tmp_path / "03.py"
    path.write_text(f"print('begun', flush=True)\n{text}\n", encoding="utf-8")
    process = command("experiments.exercise", 3, "--file", path)
    assert process.stdout
    try:
        while "begun" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    assert (process.returncode, errors) == (130, "experiments.exercise: interrupted\n")
