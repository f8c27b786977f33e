// Order, filter and steps through the findings: plain functions without page or server, tested on their own.

/** The four statuses, in the order of the filter. */
export const STATUSES = ["proposed", "accepted", "added", "rejected"];

export const SORTS = ["penalty", "confidence", "place"];

/** Statuses in which nothing is left to decide. */
export function isDecided(finding) {
  return finding.status !== "proposed";
}

/** Center of a finding's bounds: [col, row]. */
export function centerOf(finding) {
  const [left, top, right, bottom] = finding.bounds;
  return [(left + right) / 2, (top + bottom) / 2];
}

/**
 * Compare by place as a person would walk the scene: in strips from top to bottom,
 * to the right in one and back to the left in the next, so that neighbors stay neighbors.
 */
function byPlace(strip) {
  const key = (finding) => {
    const [col, row] = centerOf(finding);
    const n = Math.floor(row / strip);
    return [n, n % 2 ? -col : col];
  };
  return (a, b) => {
    const [stripA, colA] = key(a);
    const [stripB, colB] = key(b);
    return stripA - stripB || colA - colB;
  };
}

const COMPARE = {
  penalty: () => (a, b) => (b.penalty ?? 0) - (a.penalty ?? 0) || b.confidence - a.confidence,
  confidence: () => (a, b) => b.confidence - a.confidence,
  place: (strip) => byPlace(strip),
};

/**
 * Keys of findings in the order asked for; equals by their number. Law: a permutation of the keys.
 * @param {Iterable<object>} findings
 * @param {{by: string, isReversed?: boolean, strip?: number}} options strip: height of a strip in pixels, for `place`
 */
export function sortKeys(findings, { by, isReversed = false, strip = 512 }) {
  const compare = COMPARE[by](strip);
  const sign = isReversed ? -1 : 1;
  return [...findings].sort((a, b) => sign * compare(a, b) || a.id - b.id).map((finding) => finding.key);
}

/** Whether a finding passes the filter. An empty set of types or statuses lets all through. */
export function passes(finding, filter) {
  if (filter.types.size && !filter.types.has(finding.type)) return false;
  return !filter.statuses.size || filter.statuses.has(finding.status);
}

/**
 * The key `step` places on, or null past the ends.
 * @param {number[]} keys shown keys
 * @param {number|null} current key to start from
 * @param {number} lastIndex where the current key was when it was still shown
 */
export function stepFrom(keys, current, step, lastIndex = 0) {
  if (!keys.length) return null;
  const index = keys.indexOf(current);
  if (index < 0) return keys[Math.min(Math.max(step > 0 ? lastIndex : lastIndex - 1, 0), keys.length - 1)];
  return keys[index + step] ?? null;
}

/** The next key after the current one that is still to be decided, from the top again after the end; null if none. */
export function nextOpen(keys, current, isOpen) {
  const start = keys.indexOf(current);
  for (let n = 1; n <= keys.length; n += 1) {
    const key = keys[(start + n) % keys.length];
    if (key !== current && isOpen(key)) return key;
  }
  return null;
}

/** How many findings there are of each type and of each status. */
export function countBy(findings, field) {
  const counts = new Map();
  for (const finding of findings) counts.set(finding[field], (counts.get(finding[field]) ?? 0) + 1);
  return counts;
}

/** Keys from one to the other in the order shown, ends included, for shift and click. */
export function span(keys, from, to) {
  const [a, b] = [keys.indexOf(from), keys.indexOf(to)];
  if (a < 0 || b < 0) return b < 0 ? [] : [to];
  return keys.slice(Math.min(a, b), Math.max(a, b) + 1);
}
