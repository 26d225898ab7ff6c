// Arrays: decoded from the page, multiplied, and turned into probabilities.

const ARRAY_TYPES = {
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array,
  int16: Int16Array, float32: Float32Array,
};
const MINUS_INFINITY = -(2 ** 15); // among numbers that are rounded to multiples of a step

/**
 * Decode an array that the page holds as base64.
 * Integers keep their type; all other numbers become float64. The result has its `shape`.
 */
function decodeArray(stored) {
  const text = atob(stored.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  let array = new ARRAY_TYPES[stored.type](bytes.buffer);
  if (stored.step !== undefined) {
    array = Float64Array.from(array, (n) => (n === MINUS_INFINITY ? -Infinity : n * stored.step));
  } else if (stored.type === "float32") {
    array = Float64Array.from(array);
  }
  array.shape = stored.shape;
  return array;
}

/** Return x [rows, inputs] times weight [inputs, outputs] plus bias [outputs], row by row. */
function linear(x, rows, weight, bias) {
  const outputs = bias.length;
  const inputs = x.length / rows;
  const y = new Float64Array(rows * outputs);
  for (let row = 0; row < rows; row++) {
    const out = y.subarray(row * outputs, (row + 1) * outputs);
    out.set(bias);
    let i = 0;
    // Four rows of the weight at a time: `out` is then read and written a quarter as often.
    for (; i + 3 < inputs; i += 4) {
      const at = row * inputs + i;
      const [x0, x1, x2, x3] = [x[at], x[at + 1], x[at + 2], x[at + 3]];
      const [w0, w1, w2, w3] = [i * outputs, (i + 1) * outputs, (i + 2) * outputs, (i + 3) * outputs];
      for (let j = 0; j < outputs; j++) {
        out[j] += x0 * weight[w0 + j] + x1 * weight[w1 + j] + x2 * weight[w2 + j] + x3 * weight[w3 + j];
      }
    }
    for (; i < inputs; i++) {
      const xi = x[row * inputs + i];
      for (let j = 0; j < outputs; j++) out[j] += xi * weight[i * outputs + j];
    }
  }
  return y;
}

/** Return log(sum(exp(values))). */
function logSumExp(values) {
  let most = -Infinity;
  for (const value of values) if (value > most) most = value;
  if (most === -Infinity) return most;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - most);
  return most + Math.log(sum);
}

/** Return logits as log-probabilities. */
function logSoftmax(logits) {
  const total = logSumExp(logits);
  return logits.map((logit) => logit - total);
}
