// Next-letter distributions, computed once for each context, and names drawn from them.

const END = 0; // the boundary: the token before the first letter and after the last
const MAX_LENGTH = 64;
const MAX_CACHED = 4_000_000; // numbers, 32 MB

/** Values by context, for as long as they fit. */
class Cache {
  constructor(numbersEach) {
    this.most = Math.max(1_000, Math.floor(MAX_CACHED / numbersEach));
    this.values = new Map();
  }
  get(key) { return this.values.get(key); }
  set(key, value) {
    if (this.values.size >= this.most) this.values.clear();
    this.values.set(key, value);
  }
}

/** What a model predicts after the start of a name: log-probabilities of the next token. */
class Predictions {
  constructor(model) {
    this.model = model;
    this.cache = new Cache(model.vocabSize);
  }

  /** Return a text that stands for the tokens that the model sees: the end of `tokens`. */
  key(tokens) {
    return String.fromCharCode(...tokens.slice(-this.model.blockSize));
  }

  /** Return the log-probabilities after each of several starts, given by their keys. */
  of(keys) {
    const { vocabSize, blockSize } = this.model;
    const found = new Map();
    for (const key of keys) found.set(key, this.cache.get(key));
    const missing = [...found.keys()].filter((key) => !found.get(key));
    if (missing.length) {
      const contexts = new Int32Array(missing.length * blockSize);
      missing.forEach((key, row) => {
        const start = (row + 1) * blockSize - key.length;
        for (let i = 0; i < key.length; i++) contexts[start + i] = key.charCodeAt(i);
      });
      const logits = this.model.logits(contexts, missing.length);
      missing.forEach((key, row) => {
        const logs = logSoftmax(logits.subarray(row * vocabSize, (row + 1) * vocabSize));
        found.set(key, logs);
        this.cache.set(key, logs);
      });
    }
    return keys.map((key) => found.get(key));
  }

  /** Return the log-probabilities at every place of a name, the end included. */
  along(tokens) {
    return this.of([...tokens, END].map((_, i) => this.key(tokens.slice(0, i))));
  }

  /** Return the surprise of a whole name, in nats for each token, the end included. */
  surprise(tokens) {
    const logs = this.along(tokens);
    return [...tokens, END].reduce((sum, token, i) => sum - logs[i][token], 0) / logs.length;
  }
}

/**
 * Return weights to draw by, 0 where a token is left out; see mmjax/generate/filters.py.
 * A temperature of 0 takes the likeliest token. Tokens that tie with the last one kept are kept.
 */
function filtered(logProbs, { temperature = 1, topK = null, topP = null }) {
  if (temperature < 1e-6) [temperature, topK] = [1, 1];
  let logits = logProbs.map((log) => log / temperature);
  if (topK !== null && topK < logits.length) {
    const least = logits.slice().sort()[logits.length - topK];
    logits = logits.map((logit) => (logit >= least ? logit : -Infinity));
  }
  const probs = logSoftmax(logits).map(Math.exp);
  if (topP === null || topP >= 1) return probs;
  // The smallest probability for which all smaller ones and it are more than 1 - topP together.
  let together = 0;
  const least = probs.slice().sort().find((prob) => {
    together += prob;
    return together > (1 - topP) * (1 + 3e-6);
  });
  return probs.map((prob) => (prob >= least ? prob : 0));
}

/** Draws names with one set of settings: temperature, topK and topP. */
class Sampler {
  constructor(predictions, random, settings = {}) {
    Object.assign(this, { predictions, random, settings });
    this.cache = new Cache(predictions.model.vocabSize); // cumulative probabilities by context
  }

  /** Return the cumulative probabilities after each start, given by their keys. */
  cumulative(keys) {
    const missing = [...new Set(keys.filter((key) => !this.cache.get(key)))];
    const made = new Map(this.predictions.of(missing).map((logs, i) => {
      let sum = 0;
      const sums = filtered(logs, this.settings).map((prob) => (sum += prob));
      this.cache.set(missing[i], sums);
      return [missing[i], sums];
    }));
    return keys.map((key) => made.get(key) ?? this.cache.get(key));
  }

  /**
   * Return `count` drawn names as {tokens, ended}, all of which begin with `prefix`.
   * A name that reaches `maxLength` letters is cut there and has not `ended`.
   */
  draw(count, { prefix = [], maxLength = MAX_LENGTH } = {}) {
    const names = Array.from({ length: count }, () => ({ tokens: [...prefix], ended: false }));
    let open = names;
    while (open.length) {
      const sums = this.cumulative(open.map((name) => this.predictions.key(name.tokens)));
      open = open.filter((name, i) => {
        const token = firstAbove(sums[i], this.random() * sums[i].at(-1));
        name.ended = token === END;
        if (!name.ended && name.tokens.length < maxLength) {
          name.tokens.push(token);
          return true;
        }
        return false;
      });
    }
    return names;
  }
}

/** Return the index of the first number above a bound, in ascending numbers. */
function firstAbove(sums, bound) {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle] > bound) high = middle;
    else low = middle + 1;
  }
  return low;
}
