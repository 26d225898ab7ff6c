// Parts of the page that all views share: elements, keys, tabs, files and the typed name.

const byId = (id) => document.getElementById(id);

/** Return a new element. A text among the children is shown as text, never read as markup. */
function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Return a new element of a drawing. */
function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) node.style.setProperty(name, value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Return a name as an element, kept apart from the direction of the text around it. */
function nameElement(name) {
  return element("bdi", {}, visible(name));
}

/** Let arrow keys move the focus among the buttons of a group, of which Tab reaches one. */
function arrowKeys(group, { onMove = () => {} } = {}) {
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const buttons = [...group.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = buttons[(at + step + buttons.length) % buttons.length];
    for (const button of buttons) button.tabIndex = button === next ? 0 : -1;
    next.focus();
    onMove(next);
  });
}

/** Make the tabs work, by pointer and by arrow keys. Tells `onShow` which view is shown. */
function makeTabs(onShow) {
  const tabs = [...document.querySelectorAll('[role="tab"]')].filter((tab) => !tab.hidden);
  const show = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", tab === chosen);
      tab.tabIndex = tab === chosen ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
    onShow(chosen.getAttribute("aria-controls"));
  };
  for (const tab of tabs) tab.addEventListener("click", () => show(tab));
  arrowKeys(byId("tabs"), { onMove: show });
  show(tabs[0]);
  return (view) => show(tabs.find((tab) => tab.getAttribute("aria-controls") === view));
}

/** The typed name, which several views show and change. */
class Typed {
  constructor() {
    this.value = "";
    this.listeners = [];
    this.inputs = [...document.querySelectorAll("[data-typed]")];
    for (const input of this.inputs) input.addEventListener("input", () => this.set(input.value));
  }
  set(value) {
    this.value = value;
    for (const input of this.inputs) if (input.value !== value) input.value = value;
    for (const listener of this.listeners) listener(value);
  }
}

/** Save a text as a file. */
function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Copy a text to the clipboard; return whether that worked. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Some browsers have no clipboard for a page from the disk, but obey this older command.
    const area = element("textarea", { class: "unseen" });
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}

/** Return a share in percent, with a decimal below 10 %. */
function percent(share) {
  if (share > 0 && share < 0.0005) return "<0.1 %";
  return `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
}

/** Return a number with its decimals and a minus sign, not a hyphen. */
function fixed(number, decimals = 2) {
  return number === Infinity ? "\u221e" : number.toFixed(decimals).replace("-", "\u2212");
}

const plural = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
