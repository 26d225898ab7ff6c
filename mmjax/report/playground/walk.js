// A name as a walk: at every place, the letters that could come next, and the one that did.

const BARS = 12; // the likeliest letters that are shown at a place
const MOST_SURPRISE = 6; // nats that have the full colour

/** Return the tokens to show at a place: the likeliest, and the one that came. */
function likeliest(logs, came) {
  const order = Array.from(logs.keys()).sort((a, b) => logs[b] - logs[a]).slice(0, BARS);
  return order.includes(came) ? order : [...order, came];
}

/**
 * Return one place of a name as an element.
 * `start` is the name before it, `came` the token that came, and `go(token)` takes another way.
 */
function placeElement({ labels, logs, came, start, number, go }) {
  const surprise = -logs[came];
  const bars = likeliest(logs, came).map((token, i) => element("button", {
    "class": "bar",
    "tabindex": i === 0 ? 0 : -1,
    "aria-pressed": token === came,
    "aria-label": `${token === END ? "end" : labels[token]}, ${percent(Math.exp(logs[token]))}`,
    "--share": Math.exp(logs[token]),
    "onclick": () => go(token),
  },
  element("span", { class: "fill" }),
  element("span", { class: "label" }, labels[token]),
  element("span", { class: "value" }, percent(Math.exp(logs[token])))));
  const group = element("div", {
    "class": "bars",
    "role": "group",
    "aria-label": `Place ${number}: what can come ${start ? `after ${start}` : "first"}`,
  }, ...bars);
  arrowKeys(group);
  return element("li", { "class": "place", "--surprise": Math.min(1, surprise / MOST_SURPRISE) },
    element("p", { class: "came" },
      element("bdi", { class: "letter" }, labels[came]),
      element("span", { class: "number" }, fixed(surprise)),
      element("span", { class: "unseen" }, " nats of surprise")),
    group);
}

/** Return the places of a name as elements. `go(place, token)` takes another way. */
function placesOf(predictions, alphabet, tokens, go) {
  const logs = predictions.along(tokens);
  return [...tokens, END].map((came, place) => placeElement({
    labels: alphabet.labels,
    logs: logs[place],
    came,
    start: visible(alphabet.decode(tokens.slice(0, place))),
    number: place + 1,
    go: (token) => go(place, token),
  }));
}
