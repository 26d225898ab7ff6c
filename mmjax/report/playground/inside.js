// Look inside: what every layer of the network does at one place of the typed name.

/** Return the part of the view that shows one layer, with a function that shows its outputs. */
function layerStrip({ name, bias }, activation, onChoose) {
  const cells = Array.from(bias, (_, unit) => element("i", { "data-unit": unit }));
  const strip = element("div", { class: "strip", role: "img" }, ...cells);
  strip.addEventListener("click", (event) => {
    if (event.target.dataset.unit) onChoose(name, Number(event.target.dataset.unit));
  });
  const said = element("span", { class: "soft" });
  const [, isSaturated] = ACTIVATIONS[activation];
  return {
    part: element("div", { class: "layer" }, element("p", {}, `${name}, ${activation} `, said), strip),
    show(outputs) {
      // tanh has its own range; the other functions have none, so the largest output is 1.
      const most = activation === "tanh" ? 1 : Math.max(...outputs.map(Math.abs)) || 1;
      let saturated = 0;
      outputs.forEach((output, unit) => {
        const flat = isSaturated(output);
        saturated += flat;
        cells[unit].style.setProperty("--v", Math.abs(output) / most);
        cells[unit].className = `${output < 0 ? "minus" : ""} ${flat ? "flat" : ""}`;
        cells[unit].title = `unit ${unit}: ${fixed(output, 3)}`;
      });
      said.textContent = `${saturated.toLocaleString("en")} of ${outputs.length.toLocaleString("en")} saturated`;
      strip.setAttribute("aria-label", `Outputs of ${name}: ${said.textContent}`);
    },
  };
}

/** Make the view of a network. Other models have none. */
function insideView({ model, alphabet, embedding, typed }) {
  const showEmbedding = embeddingView(embedding, alphabet);
  const batchNorm = batchNormView(model, alphabet);
  const strips = model.layers.map((layer) => layerStrip(layer, model.activation, batchNorm.choose));
  byId("layers").replaceChildren(...strips.map(({ part }) => part));
  let [tokens, place] = [[], 0];

  function show() {
    const context = new Int32Array(model.blockSize);
    const start = tokens.slice(0, place).slice(-model.blockSize);
    context.set(start, model.blockSize - start.length);
    const outputs = {};
    model.logits(context, 1, (name, output) => { outputs[name] = output; });
    showEmbedding(context);
    strips.forEach(({ show: showStrip }, i) =>
      showStrip(outputs[`${model.layers[i].name}.${model.activation}`]));
    batchNorm.show(outputs);
    byId("inside-said").textContent = `The network sees ${
      Array.from(context, (token) => alphabet.labels[token]).join(" ")} and predicts what comes next.`;
  }

  function choose(newPlace) {
    place = newPlace;
    [...byId("inside-places").children].forEach((button, i) => {
      button.setAttribute("aria-checked", i === place);
      button.tabIndex = i === place ? 0 : -1;
    });
    show();
  }

  function showPlaces() {
    const atEnd = place === tokens.length;
    tokens = alphabet.encode(typed.value).tokens.slice(0, MAX_LENGTH);
    const letters = [...tokens, END];
    byId("inside-places").replaceChildren(...letters.map((token, i) => element("button", {
      "role": "radio",
      "aria-label": `Place ${i + 1}, ${token === END ? "the end" : alphabet.labels[token]}`,
      "onclick": () => choose(i),
    }, alphabet.labels[token])));
    choose(atEnd ? tokens.length : Math.min(place, tokens.length));
  }

  arrowKeys(byId("inside-places"), { onMove: (button) => button.click() });
  typed.listeners.push(showPlaces);
}
