// The list of names: whether a name is in it, and names and tokens as each other.

/** Return a function that says whether a name is listed, or null without a list. */
function makeListed(stored) {
  if (!stored) return null;
  if (stored.kind === "text") {
    const names = new Set(stored.text.split("\n"));
    return (name) => names.has(name);
  }
  const bytes = decodeArray(stored.bits);
  const bits = 8 * bytes.length;
  return (name) => {
    const [first, second] = [hashed(name, 0), hashed(name, 1)];
    for (let i = 0; i < stored.hashes; i++) {
      const place = (first + i * second) % bits; // below 2 ** 53, so it is exact
      if (!(bytes[place >> 3] & (1 << (place & 7)))) return false;
    }
    return true;
  };
}

/** Return a hash of 32 bits of a text in UTF-16: FNV-1a, then the last steps of MurmurHash3. */
function hashed(text, seed) {
  let value = 2166136261 ^ seed;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    value = Math.imul(value ^ (unit & 255), 16777619);
    value = Math.imul(value ^ (unit >> 8), 16777619);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** Characters and tokens: character i is token i + 1. */
class Alphabet {
  constructor(characters, boundary) {
    this.characters = Array.from(characters); // by code point
    const label = (character) => (character === " " ? "\u2423" : visible(character)); // an open box
    this.labels = [boundary, ...this.characters.map(label)];
    this.tokenOf = new Map(this.characters.map((character, i) => [character, i + 1]));
  }

  /**
   * Return {tokens, unknown}: the tokens of the known characters, and the unknown characters.
   * A capital letter that is unknown counts as its small letter.
   */
  encode(text) {
    const tokens = [];
    const unknown = new Set();
    for (const character of text) {
      const token = this.tokenOf.get(character) ?? this.tokenOf.get(character.toLowerCase());
      if (token) tokens.push(token);
      else unknown.add(character);
    }
    return { tokens, unknown: [...unknown] };
  }

  /** Return the name that tokens spell. */
  decode(tokens) {
    return tokens.map((token) => this.characters[token - 1]).join("");
  }
}

/** Return a text with characters that cannot be seen, or that turn the text around, as codes. */
function visible(text) {
  // Joiners stay, since letters of some scripts need them.
  return text.replace(/[\p{C}\p{Z}]/gu, (character) =>
    " \u200c\u200d".includes(character) ? character : `\\u{${character.codePointAt(0).toString(16)}}`);
}
