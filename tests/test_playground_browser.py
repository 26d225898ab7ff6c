"""The playground as a person uses it, and its model beside JAX.

Without Chromium or playwright these tests are skipped.
"""

import json
import shutil
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

from mmjax import Predictor, Vocab, bigram, corpus, counting, mlp, train, vocab
from mmjax.evaluate import quiz
from mmjax.generate.filters import filter_logits
from mmjax.models import lookup
from mmjax.report import playground
from mmjax.runs.lists import parts_of

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra browser")
expect = playwright.expect
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium or Chrome"),
]

NAMES = ["ann", "bob", "zoe", "neil", "anna", "ives", "lili", "bo", "cy", "dee", "eve", "fay"]
MARKUP = "</script><img src=x onerror=alert(1)>'\"&lt;"
HOSTILE = [
    MARKUP,
    "\u202eabc",
    "\u2028\u2029",
    "<!--",
    "=1+1",
    "ام\u200cیر",
    "\U0001d4b3\U0001d4b4",
    *NAMES,
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        # Chromium's sandbox does not work as root in a container, and these pages are our own.
        yield started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture
def open_page(browser, tmp_path):
    """Return a function that writes a model's page and opens it.

    At the end, no page has said anything in the console or asked for anything.
    """
    said, asked, contexts, own = [], [], [], set()

    def opened(predictor, letters, *, names=NAMES, held_out=NAMES, title="a title", **options):
        path = tmp_path / f"{len(contexts)}.html"
        playground.write(path, predictor, letters, listed=names, held_out=held_out, title=title)
        own.add(path.as_uri())
        contexts.append(browser.new_context(accept_downloads=True, **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{path.as_uri()}#seed=7")
        page.wait_for_function("document.getElementById('make-said').textContent")  # names are made
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
    assert {url for url in asked if not url.startswith(("data:", "blob:"))} == own


def disturbed(model, seed=0):
    """Return a model in which no two numbers are alike, and all variances are positive."""
    key = jax.random.key(seed)
    leaves, tree = jax.tree.flatten(model.init(key))
    keys = jax.random.split(jax.random.fold_in(key, 1), len(leaves))
    moved = [
        x * jnp.exp(0.3 * jax.random.normal(k, x.shape)) for x, k in zip(leaves, keys, strict=True)
    ]
    moved = [
        jnp.where(x == 0, 0.1 * jax.random.normal(k, x.shape), x)
        for x, k in zip(moved, keys, strict=True)
    ]
    return Predictor(model, *jax.tree.unflatten(tree, moved))


def names_as_contexts(rng, size, block, count):
    """Return contexts as names have them: boundaries, and then letters."""
    contexts = rng.integers(1, size, (count, block))
    letters = rng.integers(0, block + 1, count)
    return np.where(np.arange(block) >= block - letters[:, None], contexts, 0).astype(np.int32)


def difference(page, predictor, rng, count=200):
    """Return the largest difference between the page's log-probabilities and JAX's."""
    model = predictor.model
    contexts = names_as_contexts(rng, model.vocab_size, model.block_size, count)
    flat = page.evaluate(
        "([contexts, rows]) => Array.from(mmjax.model.logits(Int32Array.from(contexts), rows))",
        [contexts.ravel().tolist(), count],
    )
    found = np.array(flat).reshape(count, -1)
    wanted = np.asarray(predictor.logits(jnp.asarray(contexts)), np.float64)
    return float(abs(found - wanted).max())


NETWORKS = {
    "the lecture's": {},
    "short, without norm": {"block_size": 1, "norm": "none", "activation": "relu"},
    "long": {"block_size": 16, "norm": "layer", "activation": "gelu", "residual": True},
    "a part embedded": {"block_size": 8, "embedded": 3, "position": True, "norm": "rms"},
    "tied": {"tied": True, "norm_input": True, "activation": "silu", "embedding_dim": 5},
    "widths": {"widths": (23, 23, 31), "residual": True, "position": True, "norm_input": True},
    "logits as they are": {"norm_output": False, "tied": True, "norm": "layer", "norm_input": True},
    "one hidden layer": {"hidden_layers": 1, "norm": "rms", "eps": 1e-3},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_networks_logits_are_those_of_jax(open_page, name):
    letters = Vocab("abcdefghijkl")
    predictor = disturbed(mlp.MLP(letters.size, **{"hidden_size": 29, **NETWORKS[name]}))
    page = open_page(predictor, letters)
    assert difference(page, predictor, np.random.default_rng(1)) < 1e-5


def test_other_models_predict_as_in_jax(open_page):
    letters = vocab.build(NAMES)
    tokens = corpus.encode(letters, NAMES)
    rng = np.random.default_rng(0)
    counted = [counting.fit(tokens, letters.size, order) for order in (1, 3)]
    network = disturbed(mlp.MLP(letters.size, hidden_size=7, hidden_layers=1))
    models = {
        "bigram": (disturbed(bigram.Bigram(letters.size)), 1e-6),
        "table": (lookup.tabulate(disturbed(mlp.MLP(letters.size, 2, hidden_size=7))), 1e-6),
        "counted": (counted[1], 5e-5),
        "linear": (counting.linear([*counted, network], tokens), 1e-4),
        "geometric": (counting.geometric([*counted, network], tokens, positions=5), 1e-4),
    }
    for name, (predictor, most) in models.items():
        page = open_page(predictor, letters)
        assert difference(page, predictor, rng) < most, name
        assert page.locator("#names li").count() > 3
        assert page.locator("#tab-inside").is_hidden()


def test_rounded_parameters_change_little(open_page):
    letters = Vocab("abc")
    predictor = disturbed(mlp.MLP(letters.size, widths=(400, 400)))
    page = open_page(predictor, letters)
    assert "rounded to 16 bits" in page.locator("#notes").inner_text()
    assert 1e-6 < difference(page, predictor, np.random.default_rng(0)) < 0.02


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.5, "topK": None, "topP": None},
        {"temperature": 1.7, "topK": 3, "topP": None},
        {"temperature": 1.0, "topK": None, "topP": 0.5},
        {"temperature": 1.0, "topK": None, "topP": 0.6},
        {"temperature": 0.9, "topK": 5, "topP": 0.7},
    ],
)
def test_filters_keep_the_tokens_that_the_library_keeps(open_page, settings):
    logits = np.random.default_rng(0).normal(size=(50, 11)).astype(np.float32)
    logits[::2] = np.round(logits[::2])  # ties
    logits[0] = 0
    logits[1, :7] = -np.inf
    page = open_page(disturbed(bigram.Bigram(8)), Vocab("abcdefg"))
    # JSON has no infinity.
    rows = [[None if np.isinf(x) else float(x) for x in row] for row in logits]
    found = page.evaluate(
        """([rows, settings]) => rows.map((row) => Array.from(
          mmjax.filtered(Float64Array.from(row, (x) => x ?? -Infinity), settings)))""",
        [rows, settings],
    )
    options = {
        "temperature": settings["temperature"],
        "top_k": settings["topK"],
        "top_p": settings["topP"],
    }
    wanted = jax.nn.softmax(filter_logits(jnp.asarray(logits), **options))
    weights = np.array(found)
    np.testing.assert_allclose(weights / weights.sum(axis=1, keepdims=True), wanted, atol=1e-6)


def test_drawn_letters_have_the_models_probabilities(open_page):
    """First letters, and letters after the likeliest first one, by chi-square."""
    letters = vocab.build(NAMES)
    predictor = disturbed(mlp.MLP(letters.size, hidden_size=29))
    page = open_page(predictor, letters)
    names = page.evaluate(
        """() => new mmjax.Sampler(mmjax.predictions, mmjax.random, {temperature: 0.8, topK: 9})
          .draw(20000, {maxLength: 2}).map(({tokens}) => tokens)"""
    )

    def fits(drawn, context):
        logits = filter_logits(predictor.logits(jnp.asarray([context])), temperature=0.8, top_k=9)
        probs = np.asarray(jax.nn.softmax(logits)[0], np.float64)
        seen = np.bincount(drawn, minlength=letters.size)
        assert seen[probs == 0].sum() == 0
        wanted = len(drawn) * probs[probs > 0] / probs.sum()
        return chisquare(seen[probs > 0], wanted).pvalue

    first = np.array([[*name, 0, 0][0] for name in names])
    assert fits(first, [0, 0, 0]) > 1e-4
    common = np.bincount(first[first > 0]).argmax()
    second = np.array([[*name, 0, 0][1] for name in names if name and name[0] == common])
    assert len(second) > 1_000
    assert fits(second, [0, 0, common]) > 1e-4


@pytest.fixture(scope="module")
def lecture(shipped_names):
    """Return a network of the lecture's size, trained a little, with the shipped list."""
    letters = vocab.build(shipped_names)
    parts = parts_of(corpus.split(shipped_names, seed=42, shuffles=2))
    model, recipe = mlp.MLP(letters.size), train.Recipe(steps=600)
    state, _ = train.run(model, recipe, jax.random.key(0), corpus.encode(letters, parts["train"]))
    return train.predictor(model, state), letters, shipped_names, parts["val_unseen"]


# Milliseconds for a fixed amount of arithmetic: 8 million products and sums.
WORK = """() => Math.min(...Array.from({ length: 5 }, () => {
  const values = new Float32Array(4096).fill(0.5);
  const started = performance.now();
  for (let round = 0; round < 2000; round += 1) {
    for (let i = 0; i < values.length; i += 1) values[i] = values[i] * 0.999 + 0.001;
  }
  return performance.now() - started;
}))"""
QUIET = 9.5  # of WORK on the machine on which the limits were set, with nothing beside


def test_the_page_of_the_lectures_network_is_small_and_fast(open_page, lecture):
    """300 ms to load and 10,000 names a second, or as much longer as the machine is slower."""
    predictor, letters, names, held_out = lecture
    page = open_page(predictor, letters, names=names, held_out=held_out)
    loads = []
    for _ in range(4):
        page.reload()
        loads.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
    slower = max(1.0, page.evaluate(WORK) / QUIET)
    assert min(loads) <= 300 * slower
    rates = page.evaluate(
        """() => {
          mmjax.predictions.cache.values.clear();
          const sampler = new mmjax.Sampler(mmjax.predictions, mmjax.randomSource(1));
          return Array.from({ length: 10 }, () => {
            const started = performance.now();
            sampler.draw(5000);
            return Math.round(5e6 / (performance.now() - started));
          });
        }"""
    )
    assert max(rates) >= 10_000 / slower  # the first has to fill the cache
    print(f"loads {loads} ms, {rates} names a second, arithmetic {slower:.2f} times slower")


def test_the_same_seed_draws_the_same_names(open_page):
    letters = vocab.build(NAMES)
    predictor = disturbed(mlp.MLP(letters.size, hidden_size=29))
    first, second = (open_page(predictor, letters).locator("#names").inner_text() for _ in range(2))
    assert first == second


@contextmanager
def saved(page):
    """Yield an empty list; then it has the (name, text) of the file that the page saved."""
    found = []
    with page.expect_download() as download:
        yield found
    found += [download.value.suggested_filename, download.value.path().read_bytes().decode()]


def shown_names(page):
    return page.locator("#names bdi").all_inner_texts()


def test_names_are_made_as_the_controls_say(open_page, lecture):
    predictor, letters, names, held_out = lecture
    page = open_page(predictor, letters, names=names, held_out=held_out)
    first = shown_names(page)
    assert len(first) == len({*first}) == 32
    listed = {*names}
    marks = page.locator("#names .mark").all_inner_texts()
    assert marks == ["in the list" if name in listed else "new" for name in first]
    page.click("#make-again")
    expect(page.locator("#names bdi").first).not_to_have_text(first[0])
    assert shown_names(page) != first

    form = page.locator("#make-form")
    form.locator('[name="prefix"]').fill("An")  # a capital counts as its small letter
    form.locator('[name="shortest"]').fill("4")
    form.locator('[name="longest"]').fill("6")
    form.locator('[name="only-new"]').check()
    expect(page.locator("#make-said")).to_contain_text("32 names")
    made = shown_names(page)
    assert len(made) == 32
    assert all(name.startswith("an") and 4 <= len(name) <= 6 for name in made)
    assert not {*made} & listed

    form.locator('[name="suffix"]').fill("a!")
    expect(page.locator("#make-said")).to_contain_text("has it: !")
    assert all(name.startswith("an") and name.endswith("a") for name in shown_names(page))

    page.locator("text=Reset").click()
    expect(page.locator("#make-said")).not_to_contain_text("Ignored")
    slider = form.locator('[name="temperature"]')
    slider.focus()
    page.keyboard.press("Home")  # temperature 0: the likeliest name alone
    expect(page.locator("#names li")).to_have_count(1, timeout=10_000)
    assert slider.evaluate("x => x.nextElementSibling.textContent") == "0.00"
    page.keyboard.press("End")
    expect(page.locator("#names li")).to_have_count(32, timeout=10_000)
    form.locator('[name="top-k"]').fill("1")
    expect(page.locator("#names li")).to_have_count(1, timeout=10_000)


def test_a_shortlist_is_kept_copied_and_downloaded(open_page, lecture):
    predictor, letters, names, held_out = lecture
    page = open_page(
        *(predictor, letters),
        names=names,
        held_out=held_out,
        permissions=["clipboard-read", "clipboard-write"],
    )
    first = shown_names(page)
    page.click("#make-copy")
    expect(page.locator("#make-said")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").split("\n") == first
    assert page.locator("#shortlist").is_hidden()
    page.get_by_role("button", name=f"Keep {first[0]}", exact=True).click()
    page.get_by_role("button", name=f"Keep {first[2]}", exact=True).focus()
    page.keyboard.press("Enter")
    page.click("#make-again")
    with saved(page) as file:
        page.click("#shortlist-text")
    assert file == ["shortlist.txt", f"{first[0]}\n{first[2]}\n"]
    with saved(page) as file:
        page.click("#shortlist-csv")
    header, *lines, _ = file[1].split("\r\n")
    assert header == "name,mark,nats_per_character"
    assert [line.split(",")[0] for line in lines] == [f'"{first[0]}"', f'"{first[2]}"']
    page.get_by_role("button", name=f"Drop {first[0]}", exact=True).click()
    assert page.locator("#shortlist-names bdi").all_inner_texts() == [first[2]]
    page.reload()
    assert page.locator("#shortlist-names bdi").all_inner_texts() == [first[2]]
    page.click("#shortlist-clear")
    assert page.locator("#shortlist").is_hidden()


def test_a_name_is_scored_and_walked(open_page, lecture):
    predictor, letters, names, held_out = lecture
    page = open_page(predictor, letters, names=names, held_out=held_out)
    page.click("#tab-score")
    page.fill("#score-name", "Emma?")
    assert "has it: ?" in page.locator("#score-unknown").inner_text()
    tokens = vocab.encode(letters, "emma")
    contexts = [[0, 0, 0], [0, 0, tokens[0]], [0, *tokens[:2]], tokens[:3], tokens[1:]]
    logs = jax.nn.log_softmax(predictor.logits(jnp.asarray(np.array(contexts, np.int32))))
    surprises = [-float(logs[i, token]) for i, token in enumerate([*tokens, 0])]
    assert page.locator(".came .number").all_inner_texts() == [f"{x:.2f}" for x in surprises]
    assert (
        f"{np.mean(surprises):.2f} nats per character" in page.locator("#score-said").inner_text()
    )
    assert "in the list" in page.locator("#score-said").inner_text()
    expect(page.locator("#score-said")).to_contain_text("left out of training")

    bars = page.locator("#places li").nth(2).locator(".bar")
    likeliest = np.argsort(-np.asarray(logs[2]))[:12]
    assert bars.locator(".label").all_inner_texts()[:12] == [letters.labels[i] for i in likeliest]
    pressed = page.locator('.bar[aria-pressed="true"] .label').all_inner_texts()
    assert pressed == ["e", "m", "m", "a", "."]
    chosen = next(i for i, token in enumerate(likeliest) if token)
    bars.nth(chosen).click()
    assert page.input_value("#score-name") == f"em{letters.labels[likeliest[chosen]]}"
    page.fill("#score-name", "emma")
    page.locator("#places li").nth(1).locator(".bar").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")  # the key of a letter goes that way
    assert page.input_value("#score-name") == "ex"
    page.keyboard.press("y")  # and the focus is at the next place
    assert page.input_value("#score-name") == "exy"
    page.click("#finish")
    assert page.input_value("#score-name").startswith("exy")
    page.fill("#score-name", "")
    assert page.locator("#places li").count() == 1


def test_a_made_name_is_scored_on_request_by_keyboard(open_page, lecture):
    predictor, letters, names, held_out = lecture
    page = open_page(predictor, letters, names=names, held_out=held_out)
    name = shown_names(page)[4]
    page.locator("#names .name").nth(4).focus()
    page.keyboard.press("Enter")
    assert page.locator("#score").is_visible()
    assert page.input_value("#score-name") == name
    page.locator("#tab-score").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.locator("#inside").is_visible()
    assert page.locator("#score").is_hidden()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('section').id") == "inside"


def test_the_inside_of_the_network_is_that_of_jax(open_page, lecture):
    predictor, letters, names, held_out = lecture
    page = open_page(predictor, letters, names=names, held_out=held_out)
    page.click("#tab-inside")
    page.locator("#inside [data-typed]").fill("emma")
    page.locator("#inside-places button").nth(2).click()
    page.keyboard.press("ArrowRight")
    assert page.locator('#inside-places [aria-checked="true"]').inner_text() == "a"
    outputs = {}

    def tap(name, x):
        outputs[name] = np.asarray(x[0])
        return x

    context = jnp.asarray(vocab.encode(letters, "emm")[None].astype(np.int32))
    predictor.model.apply(predictor.params, predictor.stats, context, train=False, tap=tap)
    for i, name in enumerate(["input", *(f"hidden.{i}" for i in range(4))]):
        cells = page.locator(".strip").nth(i).locator("i")
        shown = cells.evaluate_all("all => all.map(x => Number(x.style.getPropertyValue('--v')))")
        np.testing.assert_allclose(shown, abs(outputs[f"{name}.tanh"]), atol=1e-5)
        flat = page.locator(".strip").nth(i).locator(".flat").count()
        assert flat == (abs(outputs[f"{name}.tanh"]) > 0.97).sum()
    page.locator(".strip").nth(3).locator("i").nth(17).click()
    said = page.locator("#bn-said").inner_text().replace("\u2212", "-")
    assert said.startswith(f"Unit 17 of hidden.2: {outputs['hidden.2.linear'][17]:.2f} before.")
    assert f"running mean is {predictor.stats.hidden[2].mean[17]:.2f}" in said
    assert said.endswith(f"{outputs['hidden.2.norm'][17]:.2f} after.")
    page.locator("#bn-layer").select_option("output")
    page.fill("#bn-unit", "5")
    assert "Unit 5 of output (the logit of e)" in page.locator("#bn-said").inner_text()
    assert page.locator("#embedding .now text").all_text_contents() == ["e", "m"]
    assert page.locator("#embedding > text").count() == 27


def test_the_quiz_is_blind_and_its_answers_can_be_judged(open_page, lecture, tmp_path):
    predictor, letters, names, held_out = lecture
    page = open_page(predictor, letters, names=names, held_out=held_out)
    page.click("#tab-quiz")
    page.fill("#quiz-person", "Ada M")  # an m here is no answer
    page.click("#quiz-begin")
    page.locator("#quiz-question").wait_for()
    asked, answers = [], []
    for i in range(20):
        assert page.locator("#quiz-progress").inner_text() == f"{i + 1} of 20"
        assert page.locator("#quiz-result").is_hidden()
        asked.append(page.locator("#quiz-name").inner_text())
        answers.append("real" if i % 3 else "made up")
        if i % 2:
            page.click("#quiz-real" if i % 3 else "#quiz-made-up")
        elif i % 4:
            page.keyboard.press("r" if i % 3 else "M")
        else:
            page.keyboard.press("ArrowLeft" if i % 3 else "ArrowRight")
    listed = {*names}
    truths = ["real" if name in listed else "made up" for name in asked]
    assert len({*asked}) == 20
    assert truths.count("real") == 10
    assert {name for name in asked if name in listed} <= {*held_out}
    assert page.evaluate("mmjax.wilson(13, 20)") == pytest.approx(quiz.wilson(13, 20), abs=1e-5)
    right = sum(truth == answer for truth, answer in zip(truths, answers, strict=True))
    assert page.locator("#quiz-score").inner_text() == f"{right} of 20 right"
    with saved(page) as file:
        page.click("#quiz-save")
    result = json.loads(file[1])
    (tmp_path / file[0]).write_text(file[1])
    assert quiz.score([quiz.read(tmp_path / file[0])]).right == right
    assert (result["person"], result["title"]) == ("Ada M", "a title")
    assert len(result["model"]) == 8
    assert [each["name"] for each in result["answers"]] == asked
    assert [each["truth"] for each in result["answers"]] == truths
    assert [each["answer"] for each in result["answers"]] == answers
    assert all(0 <= each["milliseconds"] < 60_000 for each in result["answers"])
    page.click("#quiz-again")
    expect(page.locator("#quiz-progress")).to_have_text("1 of 20")


def test_without_held_out_names_there_is_no_quiz(open_page):
    letters = vocab.build(NAMES)
    page = open_page(disturbed(bigram.Bigram(letters.size)), letters, held_out=[])
    assert page.locator("#tab-quiz").is_hidden()
    assert "no quiz" in page.locator("#notes").inner_text()
    page.click("#tab-score")
    page.fill("#score-name", "ann")
    assert "in the list" in page.locator("#score-said").inner_text()


def test_a_model_that_makes_one_name_has_no_quiz_and_calls_others_impossible(open_page):
    letters = Vocab("ab")
    counted = np.array([[0, 2, 0], [0, 0, 2], [2, 0, 0]])
    predictor = Predictor(bigram.Bigram(3), bigram.from_counts(counted), ())
    page = open_page(predictor, letters, names=["ab"], held_out=["ab"])
    assert shown_names(page) == ["ab"]
    page.click("#tab-score")
    page.fill("#score-name", "ab")
    assert (
        "0.00 nats per character; about 1 in 1 made names"
        in page.locator("#score-said").inner_text()
    )
    page.fill("#score-name", "ba")
    assert "never makes this name" in page.locator("#score-said").inner_text()
    assert page.locator(".number").all_inner_texts() == ["\u221e", "\u221e", "\u221e"]
    page.click("#tab-quiz")
    page.click("#quiz-begin")
    expect(page.locator("#quiz-said")).to_have_text("The model makes no new names.", timeout=20_000)


def test_hostile_names_are_shown_as_text(open_page):
    letters = vocab.build(HOSTILE)
    tokens = corpus.encode(letters, HOSTILE)
    predictor = counting.fit(tokens, letters.size, 8)  # it knows the names by heart
    page = open_page(predictor, letters, names=HOSTILE, held_out=HOSTILE, title=MARKUP)
    assert page.locator("h1").inner_text() == MARKUP
    page.locator('[name="temperature"]').focus()
    for _ in range(16):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#make-said")).to_contain_text("name")
    shown = shown_names(page)
    assert MARKUP in shown
    assert "ام\u200cیر" in shown
    assert "\\u{202e}abc" in shown
    page.click("#tab-score")
    page.fill("#score-name", MARKUP)
    assert "in the list" in page.locator("#score-said").inner_text()
    assert page.locator(".letter").all_inner_texts()[:3] == ["<", "/", "s"]
    page.fill("#score-name", "\U0001d4b3\U0001d4b4")
    assert page.locator("#places li").count() == 3
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2


def test_a_list_of_thousands_of_characters_shows_the_likeliest(open_page):
    letters = Vocab("".join(chr(0x4E00 + i) for i in range(3_000)))
    network = mlp.MLP(letters.size, block_size=2, embedding_dim=4, widths=(16,), norm="none")
    names = [letters.characters[i : i + 2] for i in range(0, 3_000, 2)]
    page = open_page(disturbed(network), letters, names=names, held_out=names)
    page.click("#tab-score")
    page.fill("#score-name", names[3])
    assert {page.locator("#places li").nth(i).locator(".bar").count() for i in range(3)} <= {12, 13}
    page.click("#tab-inside")
    assert page.locator("#embedding circle").count() == letters.size
    assert page.locator("#batchnorm").is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 3840])
def test_every_view_fits_the_screen(open_page, lecture, width, scheme):
    predictor, letters, names, held_out = lecture
    page = open_page(
        *(predictor, letters),
        names=names,
        held_out=held_out,
        title="A" * 90,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
    )
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 24, 27)")
    page.click("#tab-score")
    page.fill("#score-name", "m" * 64)
    for view in ("make", "score", "inside", "quiz"):
        page.click(f"#tab-{view}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
    page.click("#quiz-begin")
    for _ in range(20):
        page.click("#quiz-real")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_every_control_has_a_name(open_page, lecture):
    predictor, letters, names, held_out = lecture
    page = open_page(predictor, letters, names=names, held_out=held_out)
    nameless = """() => [...document.querySelectorAll('button, input, select, [role]')].filter((x) =>
      !(x.getAttribute('aria-label') || x.getAttribute('aria-labelledby') || x.textContent.trim()
        || x.labels?.length || x.role === 'status')).map((x) => x.outerHTML)"""
    assert page.evaluate(nameless) == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((x) => x.id)")
    assert len(ids) == len({*ids})
