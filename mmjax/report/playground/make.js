// Make: new names, as the controls ask for them.

const SHOWN = 32;
const BATCH = 64;
const PATIENCE = { tries: 100_000, milliseconds: 4_000 };

/** Let the browser show what has changed. */
const pause = () => new Promise((done) => setTimeout(done));

/** Return the settings in the form. An empty field sets nothing. */
function settingsOf(form) {
  const number = (name) => {
    const field = form.elements[name];
    return field.value === "" || !field.checkValidity() ? null : field.valueAsNumber;
  };
  return {
    temperature: number("temperature"),
    topK: number("top-k"),
    topP: number("top-p"),
    shortest: number("shortest") ?? 1,
    longest: number("longest") ?? MAX_LENGTH,
    prefix: form.elements.prefix.value,
    suffix: form.elements.suffix.value,
    onlyNew: form.elements["only-new"].checked,
  };
}

/**
 * Draw distinct names that meet the settings, batch by batch, until there are enough.
 * Names that do not are thrown away: so the others have the model's own probabilities, given the
 * conditions. Returns {names, tries}, or null if `stale()` becomes true.
 */
async function searchNames(sampler, alphabet, settings, { listed, stale, count = SHOWN }) {
  const prefix = alphabet.encode(settings.prefix).tokens;
  const suffix = alphabet.decode(alphabet.encode(settings.suffix).tokens);
  const names = new Set();
  let [tries, started, paused] = [0, performance.now(), performance.now()];
  while (names.size < count && tries < PATIENCE.tries) {
    for (const { tokens, ended } of sampler.draw(BATCH, { prefix, maxLength: settings.longest })) {
      tries += 1;
      const fits = tokens.length >= settings.shortest && tokens.length <= settings.longest;
      if (!ended || !fits) continue;
      const name = alphabet.decode(tokens);
      if (!name.endsWith(suffix) || (settings.onlyNew && listed?.(name))) continue;
      if (names.size < count) names.add(name);
    }
    const now = performance.now();
    if (now - started > PATIENCE.milliseconds) break;
    if (now - paused > 50) {
      await pause();
      paused = performance.now();
    }
    if (stale()) return null;
  }
  return { names: [...names], tries };
}

/** Make the view. `choose(name)` shows a name in the next view. */
function makeView({ predictions, random, alphabet, listed, title, checksum, choose }) {
  const form = byId("make-form");
  const markOf = (name) => (listed ? (listed(name) ? "in the list" : "new") : "");
  const surpriseOf = (name) => predictions.surprise(alphabet.encode(name).tokens);
  let [shown, request] = [[], 0];
  const shortlist = new Shortlist(`${title} ${checksum}`, { markOf, surpriseOf, onChange: () => showKept() });

  function showKept() {
    for (const button of byId("names").querySelectorAll(".keep")) {
      const kept = shortlist.has(shown[button.dataset.at]);
      button.setAttribute("aria-pressed", kept);
      button.textContent = kept ? "★" : "☆";
    }
  }

  function item(name, at) {
    const mark = markOf(name);
    return element("li", {},
      element("button", { "class": "name", "title": "Score this name", "onclick": () => choose(name) },
        nameElement(name)),
      element("span", { class: mark === "new" ? "mark new" : "mark" }, mark),
      element("button", {
        "class": "keep",
        "data-at": at,
        "aria-label": `Keep ${visible(name)}`,
        "title": "Keep this name in the shortlist",
        "onclick": () => shortlist.toggle(name),
      }));
  }

  function say(result, settings) {
    const { unknown } = alphabet.encode(settings.prefix + settings.suffix);
    const lines = [plural(result.names.length, "name")];
    if (listed) {
      const fresh = result.names.filter((name) => !listed(name)).length;
      lines.push(`${fresh.toLocaleString("en")} of them new`);
    }
    let text = `${lines.join(", ")}, of ${result.tries.toLocaleString("en")} tried.`;
    if (result.names.length < SHOWN) text += " Few names meet these settings; loosen them for more.";
    if (unknown.length) text += ` Ignored, since no listed name has it: ${unknown.map(visible).join(" ")}`;
    byId("make-said").textContent = text;
  }

  async function make() {
    const own = ++request;
    const settings = settingsOf(form);
    form.elements.temperature.nextElementSibling.textContent = settings.temperature.toFixed(2);
    form.elements["top-p"].nextElementSibling.textContent = settings.topP.toFixed(2);
    const sampler = new Sampler(predictions, random, settings);
    const result = await searchNames(sampler, alphabet, settings, { listed, stale: () => own !== request });
    if (!result) return;
    shown = result.names;
    byId("names").replaceChildren(...shown.map(item));
    showKept();
    say(result, settings);
  }

  form.addEventListener("input", make);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    make();
  });
  form.addEventListener("reset", () => setTimeout(make));
  byId("make-copy").addEventListener("click", async () => {
    const done = await copy(shown.join("\n"));
    byId("make-said").textContent = done
      ? `Copied ${plural(shown.length, "name")}.`
      : "The browser does not let the page copy.";
  });
  if (!listed) form.elements["only-new"].closest("label").hidden = true;
  make();
}
