// Start: read the data of the page, make the model, and make the views.

const data = JSON.parse(byId("data").textContent);
const model = makeModel(data.model);
const alphabet = new Alphabet(data.characters, data.boundary);
const parts = {
  model,
  alphabet,
  predictions: new Predictions(model),
  random: randomSource(seedOfPage()),
  listed: makeListed(data.listed),
  heldOut: data.heldOut,
  embedding: data.embedding,
  title: data.title,
  checksum: data.checksum,
  typed: new Typed(),
};

/** Return a sentence on the names that a reader of the page could find in it. */
function contained() {
  if (data.listed?.kind === "text") return " All names of the list are in the page.";
  return data.heldOut.length ? ` ${plural(data.heldOut.length, "name")} of the list are in the page.` : "";
}

byId("about").textContent = `${plural(data.parameters, data.model.kind === "counted" ? "number" : "parameter")} for ${
  plural(alphabet.characters.length, "character")}; each character of a name is predicted from the ${
  model.blockSize} before it. `
  + "The model runs in this page: nothing is sent anywhere." + contained();
byId("notes").replaceChildren(...data.notes.map((note) => element("li", {}, note)));

byId("tab-inside").hidden = !data.embedding;
byId("tab-quiz").hidden = data.heldOut.length === 0;
const measure = scoreView(parts);
if (data.embedding) insideView(parts);
const setQuizShown = quizView(parts);
const showView = makeTabs((view) => {
  setQuizShown(view === "quiz");
  if (view === "score") measure();
});
makeView({
  ...parts,
  choose(name) {
    parts.typed.set(name);
    showView("score");
    byId("score-name").focus();
  },
});
const [first] = new Sampler(parts.predictions, parts.random).draw(1);
parts.typed.set(alphabet.decode(first.tokens));

/** For tests and for the browser's console. */
window.mmjax = { ...parts, Sampler, randomSource, filtered, wilson, searchNames };
