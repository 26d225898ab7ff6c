// The result of the quiz: the score with its interval, every answer, and a file of both.

const CHANCE = 0.5;
let lastResult = null;

/**
 * Return the 95 % interval of a share, [low, high], by Wilson's score. Source: Wilson, Probable
 * inference, the law of succession, and statistical inference, 1927.
 */
function wilson(right, n) {
  const z = 1.959964;
  const share = right / n;
  const middle = share + (z * z) / (2 * n);
  const half = z * Math.sqrt((share * (1 - share) + (z * z) / (4 * n)) / n);
  const scale = 1 + (z * z) / n;
  return [(middle - half) / scale, (middle + half) / scale];
}

/** Show a result: {person, title, date, answers}. */
function showResult(result) {
  lastResult = result;
  const { answers } = result;
  const right = answers.filter((each) => each.answer === each.truth).length;
  const [low, high] = wilson(right, answers.length);
  byId("quiz-score").textContent = `${right} of ${answers.length} right`;
  const against = low > CHANCE
    ? "You can tell the model's names from real ones."
    : high < CHANCE ? "You did worse than guessing." : "This could be luck.";
  byId("quiz-interval").textContent = `That is ${percent(right / answers.length)}; guessing gives 50 %. The 95 % interval is ${
    percent(low)} to ${percent(high)}. ${against}`;
  const x = (share) => 4 + 392 * share;
  byId("quiz-picture").replaceChildren(
    drawn("path", { class: "axis", d: `M4 24H396` }),
    drawn("path", { class: "chance", d: `M${x(CHANCE)} 6V42` }),
    drawn("path", { class: "marker", d: `M${x(low)} 24H${x(high)}` }),
    drawn("circle", { class: "now", cx: x(right / answers.length), cy: 24, r: 6 }),
    ...[["0 %", 4, "start"], ["50 %, guessing", 200, "middle"], ["100 %", 396, "end"]].map(
      ([text, at, anchor]) => drawn("text", { "class": "soft", "x": at, "y": 60, "text-anchor": anchor }, text)),
  );
  byId("quiz-answers").replaceChildren(...answers.map((each) => element("tr", {},
    element("th", { scope: "row" }, nameElement(each.name)),
    element("td", {}, each.truth),
    element("td", {}, each.answer),
    element("td", { class: each.answer === each.truth ? "good" : "bad" },
      each.answer === each.truth ? "right" : "wrong"),
    element("td", {}, `${(each.milliseconds / 1000).toFixed(1)} s`))));
}

/** Save the last result for `python -m experiments.judge`. */
function saveResult() {
  const name = `quiz-${lastResult.date.replaceAll(/[^0-9]/g, "").slice(0, 14)}.json`;
  download(name, "application/json", `${JSON.stringify(lastResult, null, 2)}\n`);
}
