// BatchNorm of one unit: its number before and after, beside the running mean and spread.

const RANGE = 3.5; // standard deviations that are drawn on both sides

/** Return a bell curve with a number marked on it, as elements of a drawing of 400 by 96. */
function bell(title, value, mean, spread) {
  const reach = Math.max(RANGE, Math.abs(value - mean) / spread + 0.3);
  const x = (number) => 200 + (190 * (number - mean)) / spread / reach;
  const curve = Array.from({ length: 81 }, (_, i) => {
    const z = ((i - 40) / 40) * reach;
    return `${x(mean + z * spread).toFixed(1)} ${(74 - 48 * Math.exp((-z * z) / 2)).toFixed(1)}`;
  });
  const at = x(value);
  const anchor = at < 60 ? "start" : at > 340 ? "end" : "middle";
  return [
    drawn("path", { class: "curve", d: `M${curve.join("L")}` }),
    drawn("path", { class: "axis", d: `M10 74H390M200 70V78` }),
    drawn("text", { "class": "soft", "x": 200, "y": 93, "text-anchor": "middle" }, fixed(mean)),
    drawn("text", { class: "soft", x: 10, y: 14 }, title),
    drawn("path", { class: "marker", d: `M${at} 24V74` }),
    drawn("text", { "class": "now", "x": at, "y": 18, "text-anchor": anchor }, fixed(value)),
  ];
}

/** Make the part of the view; return a function that shows the outputs of every layer. */
function batchNormView(model, alphabet) {
  const layers = model.layers.concat(model.output).filter((layer) => layer.norm);
  const part = byId("batchnorm");
  part.hidden = model.norm !== "batch" || layers.length === 0;
  if (part.hidden) return { show() {}, choose() {} };
  const [layerField, unitField] = [byId("bn-layer"), byId("bn-unit")];
  layerField.replaceChildren(...layers.map(({ name }) => element("option", {}, name)));
  let outputs = null;

  function show() {
    const layer = layers[layerField.selectedIndex];
    const units = layer.bias.length;
    unitField.max = units - 1;
    const unit = Math.min(units - 1, Math.max(0, Math.round(unitField.valueAsNumber) || 0));
    const [before, after] = ["linear", "norm"].map((kind) => outputs[`${layer.name}.${kind}`][unit]);
    const mean = layer.running.mean[unit];
    const spread = Math.sqrt(layer.running.var[unit]);
    const [gamma, beta] = [layer.norm.gamma[unit], layer.norm.beta[unit]];
    byId("bn-before").replaceChildren(...bell("before", before, mean, spread || 1));
    byId("bn-after").replaceChildren(...bell("after", after, beta, Math.abs(gamma) || 1));
    const far = (before - mean) / (spread || 1);
    const letter = layer.name === "output" ? ` (the logit of ${alphabet.labels[unit]})` : "";
    byId("bn-said").textContent = `Unit ${unit} of ${layer.name}${letter}: ${fixed(before)} before. Its `
      + `running mean is ${fixed(mean)} and its spread ${fixed(spread)}, so this is `
      + `${fixed(Math.abs(far))} spreads ${far < 0 ? "below" : "above"} the mean. Times `
      + `${fixed(gamma)}, plus ${fixed(beta)}: ${fixed(after)} after.`;
  }

  layerField.addEventListener("change", show);
  unitField.addEventListener("input", show);
  return {
    show(newOutputs) {
      outputs = newOutputs;
      show();
    },
    /** Show a unit of a layer that BatchNorm normalises. */
    choose(name, unit) {
      const at = layers.findIndex((layer) => layer.name === name);
      if (at < 0) return;
      layerField.selectedIndex = at;
      unitField.value = unit;
      show();
    },
  };
}
