// The embedding: the letters in the plane of its first two principal components.

const MOST_LABELS = 120; // of a larger alphabet, only the letters of the context have labels

/** Return a function that draws the embedding and marks the tokens of a context. */
function embeddingView({ points, shares }, alphabet) {
  const place = ([x, y]) => ({ x: 200 + 180 * x, y: 200 - 180 * y });
  const labelled = points.length <= MOST_LABELS;
  const marks = points.map((point, token) => {
    const { x, y } = place(point);
    return labelled
      ? drawn("text", { x, y }, alphabet.labels[token])
      : drawn("circle", { cx: x, cy: y, r: 2 });
  });
  const labels = drawn("g", { class: "now" });
  const picture = byId("embedding");
  picture.replaceChildren(
    drawn("path", { class: "axis", d: "M0 200H400M200 0V400" }), ...marks, labels);
  byId("embedding-shares").textContent = `First two principal components: ${percent(shares[0])} and ${
    percent(shares[1])} of the variance.`;

  return (context) => {
    const now = [...new Set(context)];
    marks.forEach((mark, token) => mark.classList.toggle("hidden", now.includes(token)));
    labels.replaceChildren(...now.map((token) =>
      drawn("text", place(points[token]), alphabet.labels[token])));
    picture.setAttribute("aria-label", `Map of the letters; marked: ${
      now.map((token) => alphabet.labels[token]).join(" ")}`);
  };
}
