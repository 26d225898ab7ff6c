// Real or made up? A blind quiz of names that the model never saw and names that it drew.

const QUESTIONS = 20;

/**
 * Return the questions, shuffled: {name, truth}. Half are held-out names. The other half are drawn,
 * distinct and new, from the model as it is.
 */
async function questionsOf({ predictions, random, alphabet, listed, heldOut }) {
  const half = Math.min(QUESTIONS / 2, heldOut.length);
  const settings = { prefix: "", suffix: "", shortest: 1, longest: MAX_LENGTH, onlyNew: true };
  const sampler = new Sampler(predictions, random);
  const found = await searchNames(sampler, alphabet, settings, { listed, stale: () => false, count: half });
  const madeUp = found.names.map((name) => ({ name, truth: "made up" }));
  const real = shuffled(heldOut, random).slice(0, madeUp.length);
  return shuffled([...madeUp, ...real.map((name) => ({ name, truth: "real" }))], random);
}

/** Make the view; return a function that tells it whether it is shown. */
function quizView(parts) {
  let [questions, answers, since, isShown] = [[], [], 0, false];

  const part = (name) => {
    for (const each of ["start", "question", "result"]) byId(`quiz-${each}`).hidden = each !== name;
  };

  function ask() {
    byId("quiz-name").replaceChildren(nameElement(questions[answers.length].name));
    byId("quiz-progress").textContent = `${answers.length + 1} of ${questions.length}`;
    byId("quiz-bar").value = answers.length;
    since = performance.now();
  }

  async function start() {
    questions = await questionsOf(parts);
    answers = [];
    byId("quiz-said").textContent = questions.length ? "" : "The model makes no new names.";
    if (!questions.length) return;
    byId("quiz-bar").max = questions.length;
    part("question");
    ask();
    byId("quiz-question").focus();
  }

  function answer(given) {
    const milliseconds = Math.round(performance.now() - since);
    answers.push({ ...questions[answers.length], answer: given, milliseconds });
    if (answers.length < questions.length) return ask();
    part("result");
    showResult({
      format: "mmjax quiz 1",
      person: byId("quiz-person").value.trim(),
      title: parts.title,
      model: parts.checksum, // tells models with the same title apart
      date: new Date().toISOString(),
      answers,
    });
    byId("quiz-result").focus();
  }

  const keys = { r: "real", m: "made up", ArrowLeft: "real", ArrowRight: "made up" };
  document.addEventListener("keydown", (event) => {
    const given = keys[event.key] ?? keys[event.key.toLowerCase()];
    const elsewhere = event.target.closest('input, [role="tab"]');
    const asking = isShown && !byId("quiz-question").hidden;
    if (!asking || !given || elsewhere || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    answer(given);
  });
  byId("quiz-real").addEventListener("click", () => answer("real"));
  byId("quiz-made-up").addEventListener("click", () => answer("made up"));
  byId("quiz-begin").addEventListener("click", start);
  byId("quiz-again").addEventListener("click", start);
  byId("quiz-save").addEventListener("click", () => saveResult());
  part("start");
  return (shown) => { isShown = shown; };
}
