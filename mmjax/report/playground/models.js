// All kinds of models. Each has vocabSize, blockSize, and logits(contexts, rows) as in mlp.js.

/** Return the model that a JSON object of the page describes. */
function makeModel(description) {
  const make = { mlp: makeMlp, table: makeTable, counted: makeCounted, mixture: makeMixture };
  return make[description.kind](description);
}

/** A table with a row of logits for every context; the bigram has one for every token. */
function makeTable({ vocabSize, blockSize, logits: stored }) {
  const table = decodeArray(stored);
  function logits(contexts, rows) {
    const found = new Float64Array(rows * vocabSize);
    for (let row = 0; row < rows; row++) {
      let index = 0;
      for (let i = 0; i < blockSize; i++) index = index * vocabSize + contexts[row * blockSize + i];
      found.set(table.subarray(index * vocabSize, (index + 1) * vocabSize), row * vocabSize);
    }
    return found;
  }
  return { kind: "table", vocabSize, blockSize, logits };
}

/**
 * Counted contexts as a tree: the children of a context have one more token, the one before.
 * A node has entries for the tokens that followed it; all others have its share of what the
 * shorter context predicts (see `_levels` in models.py).
 */
function makeCounted({ vocabSize, blockSize, levels }) {
  let nodes = [{ children: new Map() }];
  const root = nodes[0];
  levels.forEach((stored, depth) => {
    const level = {};
    for (const [name, array] of Object.entries(stored)) level[name] = decodeArray(array);
    if (depth > 0) {
      let child = 0;
      nodes = nodes.flatMap((parent, i) =>
        Array.from({ length: level.children[i] }, () => {
          const node = { children: new Map() };
          parent.children.set(level.tokens[child++], node);
          return node;
        }));
    }
    let entry = 0;
    nodes.forEach((node, i) => {
      const end = entry + level.entries[i];
      node.share = level.shares[i];
      node.next = level.next.subarray(entry, end);
      node.logProbs = level.logProbs.subarray(entry, end);
      entry = end;
    });
  });

  function logits(contexts, rows) {
    const found = new Float64Array(rows * vocabSize).fill(-Math.log(vocabSize));
    for (let row = 0; row < rows; row++) {
      const logs = found.subarray(row * vocabSize, (row + 1) * vocabSize);
      let node = root;
      for (let back = 1; node; back++) {
        for (let token = 0; token < vocabSize; token++) logs[token] += node.share;
        node.next.forEach((token, i) => { logs[token] = node.logProbs[i]; });
        node = back <= blockSize ? node.children.get(contexts[(row + 1) * blockSize - back]) : null;
      }
    }
    return found;
  }
  return { kind: "counted", vocabSize, blockSize, logits };
}

/** A mixture: the mean of the models' probabilities, or their weighted product, scaled to 1. */
function makeMixture({ vocabSize, blockSize, mix, weights: stored, components }) {
  const models = components.map(makeModel);
  const weights = decodeArray(stored);
  const positions = stored.shape[0];
  function logits(contexts, rows) {
    const logs = models.map((model) => {
      const cut = new Int32Array(rows * model.blockSize);
      for (let row = 0; row < rows; row++) {
        const end = (row + 1) * blockSize;
        cut.set(contexts.subarray(end - model.blockSize, end), row * model.blockSize);
      }
      const all = model.logits(cut, rows);
      return Array.from({ length: rows }, (_, row) =>
        logSoftmax(all.subarray(row * vocabSize, (row + 1) * vocabSize)));
    });
    const mixed = new Float64Array(rows * vocabSize);
    for (let row = 0; row < rows; row++) {
      const context = contexts.subarray(row * blockSize, (row + 1) * blockSize);
      const letters = context.reduce((sum, token) => sum + (token !== 0), 0);
      const at = Math.min(letters, positions - 1) * models.length;
      for (let token = 0; token < vocabSize; token++) {
        const terms = logs.map((each) => each[row][token]);
        mixed[row * vocabSize + token] = mix === "linear"
          ? logSumExp(terms.map((log, k) => log + Math.log(weights[at + k])))
          // A probability of 0 counts as exp(-100), since 0 times minus infinity is no number.
          : terms.reduce((sum, log, k) => sum + weights[at + k] * Math.max(log, -100), 0);
      }
      const own = mixed.subarray(row * vocabSize, (row + 1) * vocabSize);
      own.set(logSoftmax(own));
    }
    return mixed;
  }
  return { kind: "mixture", vocabSize, blockSize, logits };
}
