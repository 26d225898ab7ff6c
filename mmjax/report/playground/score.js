// Score a name: how surprising each letter is, and the name beside names the model never saw.

const COMPARED = 300; // held-out names

/** Make the view; return a function to call when it is shown. */
function scoreView({ predictions, random, alphabet, listed, heldOut, typed }) {
  const sampler = new Sampler(predictions, random);
  const others = []; // surprises of held-out names
  let [measured, focusOn] = [false, null];

  /** Go another way: the name up to a place, and then this token. */
  function go(place, token) {
    const start = alphabet.encode(typed.value).tokens.slice(0, place);
    focusOn = token === END ? place : place + 1;
    typed.set(alphabet.decode(token === END ? start : [...start, token]));
  }

  function verdict(name, tokens) {
    const mean = predictions.surprise(tokens);
    const total = mean * (tokens.length + 1);
    const odds = Math.exp(total);
    const about = odds < 1e15 ? Number(odds.toPrecision(3)).toLocaleString("en") : odds.toExponential(1);
    const parts = total === Infinity
      ? ["The model never makes this name"]
      : [`${fixed(mean)} nats per character`, `about 1 in ${about} made names`];
    if (listed) parts.push(listed(name) ? "in the list" : "not in the list");
    let text = `${parts.join("; ")}.`;
    if (measured && others.length) {
      const above = others.filter((other) => other > mean).length / others.length;
      text += ` More typical than ${percent(above)} of ${plural(others.length, "real name")} left out of training.`;
    }
    return text;
  }

  function show() {
    const { tokens, unknown } = alphabet.encode(typed.value);
    const name = alphabet.decode(tokens.slice(0, MAX_LENGTH));
    const cut = alphabet.encode(name).tokens;
    byId("places").replaceChildren(...placesOf(predictions, alphabet, cut, go));
    byId("score-said").textContent = cut.length ? verdict(name, cut) : "Type a name, or choose its first character.";
    byId("score-unknown").textContent = unknown.length
      ? `Ignored, since no listed name has it: ${unknown.map(visible).join(" ")}`
      : "";
    if (focusOn !== null) byId("places").children[focusOn]?.querySelector("button").focus();
    focusOn = null;
  }

  /** Measure the held-out names, a few at a time. */
  async function measure() {
    if (measured) return;
    for (const [i, name] of heldOut.slice(0, COMPARED).entries()) {
      others.push(predictions.surprise(alphabet.encode(name).tokens));
      if (i % 10 === 9) await pause();
    }
    measured = true;
    show();
  }

  // On a bar, the key of a letter goes that way.
  byId("places").addEventListener("keydown", (event) => {
    const place = [...byId("places").children].indexOf(event.target.closest("li"));
    const [token] = event.key.length === 1 ? alphabet.encode(event.key).tokens : [];
    if (place < 0 || !token || event.ctrlKey || event.metaKey || event.altKey || event.key === " ") return;
    event.preventDefault();
    go(place, token);
  });
  byId("finish").addEventListener("click", () => {
    const { tokens } = alphabet.encode(typed.value);
    typed.set(alphabet.decode(sampler.draw(1, { prefix: tokens })[0].tokens));
  });
  typed.listeners.push(show);
  return measure;
}
