// Random numbers that a seed determines: `#seed=7` after the page's address repeats every draw.

/** Return a function that draws from [0, 1), the generator sfc32 by Chris Doty-Humphrey. */
function randomSource(seed) {
  let a = 0;
  let b = seed >>> 0;
  let c = Math.floor(seed / 2 ** 32) >>> 0;
  let counter = 1;
  const next = () => {
    const drawn = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + drawn) | 0;
    return (drawn >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 15; i++) next(); // mixes the seed into the state
  return next;
}

/** Return the seed in the page's address, or a random one. */
function seedOfPage() {
  const found = /[#&]seed=(\d+)/.exec(location.hash);
  return found ? Number(found[1]) : crypto.getRandomValues(new Uint32Array(1))[0];
}

/** Return a shuffled copy of a list: Fisher and Yates. */
function shuffled(items, random) {
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}
