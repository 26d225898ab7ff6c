// The network: the forward pass of mmjax/models/mlp.py, in evaluation.

/** An activation function, and whether an output passes on hardly any gradient. */
const ACTIVATIONS = {
  tanh: [Math.tanh, (y) => Math.abs(y) > 0.97],
  relu: [(x) => Math.max(x, 0), (y) => y <= 0],
  // The approximation by tanh, as in JAX.
  gelu: [
    (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    (y) => y <= 0 && y > -0.01,
  ],
  silu: [(x) => x / (1 + Math.exp(-x)), (y) => y <= 0 && y > -0.01],
};

/** Normalise one row of features in place; `running` is for BatchNorm. */
const NORMS = {
  batch(row, { gamma, beta }, running, eps) {
    for (let i = 0; i < row.length; i++) {
      const scale = gamma[i] / Math.sqrt(running.var[i] + eps);
      row[i] = (row[i] - running.mean[i]) * scale + beta[i];
    }
  },
  layer(row, { gamma, beta }, running, eps) {
    const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
    const scale = 1 / Math.sqrt(variance + eps);
    for (let i = 0; i < row.length; i++) row[i] = (row[i] - mean) * scale * gamma[i] + beta[i];
  },
  rms(row, { gamma }, running, eps) {
    const scale = 1 / Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / row.length + eps);
    for (let i = 0; i < row.length; i++) row[i] *= scale * gamma[i];
  },
};

/**
 * Return the network that the page holds.
 * `logits(contexts, rows, tap)` takes rows of `blockSize` tokens and returns rows of logits;
 * `tap(name, output)` sees the output of every layer.
 */
function makeMlp(description) {
  const { vocabSize, blockSize, norm, eps, residual, tied, position, embedded } = description;
  const arrays = {};
  for (const [name, stored] of Object.entries(description.arrays)) arrays[name] = decodeArray(stored);
  const [activate] = ACTIVATIONS[description.activation];
  const embedding = arrays["params.embedding"];
  const size = embedding.shape[1];
  const seen = embedded || blockSize; // the letters that are embedded

  // One layer: its linear map, the normalisation after it or null, and its moments.
  const layer = (name, path, normPath, statsPath) => ({
    name,
    weight: arrays[`${path}.weight`],
    bias: arrays[`${path}.bias`],
    norm: arrays[`${normPath}.gamma`] && {
      gamma: arrays[`${normPath}.gamma`],
      beta: arrays[`${normPath}.beta`],
    },
    running: { mean: arrays[`${statsPath}.mean`], var: arrays[`${statsPath}.var`] },
  });
  const layers = [layer("input", "params.input", "params.input_norm", "stats.input")];
  while (arrays[`params.hidden.${layers.length - 1}.linear.weight`]) {
    const name = `hidden.${layers.length - 1}`;
    layers.push(layer(name, `params.${name}.linear`, `params.${name}.norm`, `stats.${name}`));
  }
  const output = layer("output", "params.output.linear", "params.output.norm", "stats.output");
  if (tied) output.weight = timesTransposed(output.weight, embedding, size);

  function apply(layer, x, rows, tap, offset) {
    const y = linear(x, rows, layer.weight, layer.bias);
    if (offset) offset(y);
    tap(`${layer.name}.linear`, y);
    if (!layer.norm) return y;
    const normed = y.slice();
    const width = layer.bias.length;
    for (let row = 0; row < rows; row++) {
      NORMS[norm](normed.subarray(row * width, (row + 1) * width), layer.norm, layer.running, eps);
    }
    tap(`${layer.name}.norm`, normed);
    return normed;
  }

  function logits(contexts, rows, tap = () => {}) {
    let x = new Float64Array(rows * seen * size);
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < seen; i++) {
        const token = contexts[(row + 1) * blockSize - seen + i];
        x.set(embedding.subarray(token * size, (token + 1) * size), (row * seen + i) * size);
      }
    }
    // The length of the name so far has a row of weights of its own.
    const offset = position && ((y) => {
      const weights = arrays["params.position"];
      const width = weights.shape[1];
      for (let row = 0; row < rows; row++) {
        let letters = 0;
        for (let i = 0; i < blockSize; i++) letters += contexts[row * blockSize + i] !== 0;
        for (let j = 0; j < width; j++) y[row * width + j] += weights[letters * width + j];
      }
    });
    layers.forEach((each, i) => {
      const before = x;
      const y = apply(each, x, rows, tap, i === 0 && offset);
      x = new Float64Array(y.length);
      for (let j = 0; j < y.length; j++) x[j] = activate(y[j]); // faster than map
      tap(`${each.name}.${description.activation}`, x);
      if (residual && i > 0 && before.length === x.length) x = x.map((value, j) => value + before[j]);
    });
    return apply(output, x, rows, tap);
  }
  const { activation } = description;
  return { kind: "mlp", vocabSize, blockSize, logits, layers, output, activation, norm };
}

/** Return a [n, size] times the transposed b [m, size], as [n, m]. */
function timesTransposed(a, b, size) {
  const [n, m] = [a.length / size, b.length / size];
  const product = new Float64Array(n * m);
  for (let i = 0; i < n * m; i++) {
    for (let k = 0; k < size; k++) product[i] += a[Math.floor(i / m) * size + k] * b[(i % m) * size + k];
  }
  return product;
}
