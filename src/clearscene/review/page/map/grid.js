// The cells of walk mode: plain functions without page or server.

/** Cells in the order of a walk: to the right in one row and back in the next. `[row, col]` each. */
export function walkOrder(rows, cols) {
  const order = [];
  for (let row = 0; row < rows; row += 1) {
    for (let n = 0; n < cols; n += 1) order.push([row, row % 2 ? cols - 1 - n : n]);
  }
  return order;
}

/** Place of a cell in that order. Law: `walkOrder(rows, cols)[indexOf([row, col], cols)]` is `[row, col]`. */
export function indexOf([row, col], cols) {
  return row * cols + (row % 2 ? cols - 1 - col : col);
}

/** The next cell not in `seen` (a Set of "row,col"), after one that is given, from the start again after the end; null if none. */
export function nextUnseen(seen, { rows, cols, from = null }) {
  const order = walkOrder(rows, cols);
  const start = from ? indexOf(from, cols) + 1 : 0;
  for (let n = 0; n < order.length; n += 1) {
    const cell = order[(start + n) % order.length];
    if (!seen.has(cell.join())) return cell;
  }
  return null;
}

/** Bounds of a cell in scene pixels, cut at the scene's edge: [left, top, right, bottom]. */
export function boundsOf([row, col], { cell, width, height }) {
  return [col * cell, row * cell, Math.min((col + 1) * cell, width), Math.min((row + 1) * cell, height)];
}

/** The cell that a pixel lies in, or null outside of the scene. */
export function cellAt([col, row], { cell, width, height }) {
  if (col < 0 || row < 0 || col >= width || row >= height) return null;
  return [Math.floor(row / cell), Math.floor(col / cell)];
}
