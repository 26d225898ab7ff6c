// The shortlist: names that the reader keeps, to copy or to download.

class Shortlist {
  /** `markOf(name)` is "new" or "in the list"; `surpriseOf(name)` is in nats for each character. */
  constructor(model, { markOf, surpriseOf, onChange }) {
    Object.assign(this, { markOf, surpriseOf, onChange });
    this.storedAs = `mmjax shortlist: ${model}`;
    this.names = new Set(this.stored());
    byId("shortlist-text").addEventListener("click", () =>
      download("shortlist.txt", "text/plain", [...this.names, ""].join("\n")));
    byId("shortlist-csv").addEventListener("click", () =>
      download("shortlist.csv", "text/csv", this.csv()));
    byId("shortlist-clear").addEventListener("click", () => {
      this.names.clear();
      this.changed();
      byId("make-again").focus(); // the clear button is gone
    });
    this.changed();
  }

  has(name) { return this.names.has(name); }

  /** Keep a name, or drop it if it is kept. */
  toggle(name) {
    if (!this.names.delete(name)) this.names.add(name);
    this.changed();
  }

  csv() {
    const quoted = (name) => `"${name.replaceAll('"', '""')}"`;
    const lines = [...this.names].map((name) =>
      [quoted(name), this.markOf(name), this.surpriseOf(name).toFixed(4)].join(","));
    return ["name,mark,nats_per_character", ...lines, ""].join("\r\n");
  }

  changed() {
    byId("shortlist").hidden = this.names.size === 0;
    byId("shortlist-names").replaceChildren(...[...this.names].map((name) =>
      element("li", {}, nameElement(name), " ", element("button", {
        "class": "quiet",
        "aria-label": `Drop ${visible(name)}`,
        "onclick": () => this.toggle(name),
      }, "×"))));
    try {
      localStorage.setItem(this.storedAs, JSON.stringify([...this.names]));
    } catch { /* a browser may refuse to store for a page from the disk */ }
    this.onChange();
  }

  stored() {
    try {
      const names = JSON.parse(localStorage.getItem(this.storedAs)) ?? [];
      return names.filter((name) => typeof name === "string");
    } catch {
      return [];
    }
  }
}
