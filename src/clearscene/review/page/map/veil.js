// Drawing the grid of walk mode: a veil over what was not looked at, and the small map of it.

import { boundsOf } from "./grid.js";
import { theme } from "../prefs.js";

const VEIL = "rgba(20, 40, 70, 0.34)";
const EDGE = "rgba(255, 255, 255, 0.5)";
const HERE = "#ffd54a";
const MINI_PX = 132;
const LEAST_CELL_PX = 4;

/** A canvas of the map's size: cells not looked at lie under a veil, the cell at hand is framed. */
export function drawVeil({ extent, resolution, pixelRatio, size, walk, scene, seen, at }) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = size;
  const pen = canvas.getContext("2d");
  const scale = pixelRatio / resolution;
  const box = (cell) => {
    const [left, top, right, bottom] = boundsOf(cell, { cell: walk.cell, width: scene.width, height: scene.height });
    return [(left - extent[0]) * scale, (top + extent[3]) * scale, (right - left) * scale, (bottom - top) * scale];
  };
  const [first, last] = visible(extent, walk);
  pen.strokeStyle = EDGE;
  pen.lineWidth = pixelRatio;
  const hasEdges = walk.cell * scale >= LEAST_CELL_PX * pixelRatio;
  for (let row = first[0]; row <= last[0]; row += 1) {
    for (let col = first[1]; col <= last[1]; col += 1) {
      const isHere = at && row === at[0] && col === at[1];
      pen.fillStyle = VEIL;
      if (!seen.has(`${row},${col}`) && !isHere) pen.fillRect(...box([row, col]));
      if (hasEdges) pen.strokeRect(...box([row, col]));
    }
  }
  if (at) frame(pen, box(at), pixelRatio);
  return canvas;
}

function visible(extent, walk) {
  const clamp = (value, most) => Math.min(Math.max(Math.floor(value / walk.cell), 0), most - 1);
  return [
    [clamp(-extent[3], walk.rows), clamp(extent[0], walk.cols)],
    [clamp(-extent[1], walk.rows), clamp(extent[2], walk.cols)],
  ];
}

function frame(pen, box, pixelRatio) {
  pen.strokeStyle = "rgba(0,0,0,.6)";
  pen.lineWidth = 5 * pixelRatio;
  pen.strokeRect(...box);
  pen.strokeStyle = HERE;
  pen.lineWidth = 2.5 * pixelRatio;
  pen.strokeRect(...box);
}

/** Draw the whole grid small; returns how many screen pixels a scene pixel has. */
export function drawMini(canvas, { walk, scene, seen, at }) {
  const place = MINI_PX / Math.max(scene.width, scene.height);
  const ratio = devicePixelRatio;
  const [width, height] = [scene.width * place, scene.height * place];
  [canvas.width, canvas.height] = [Math.ceil(width * ratio), Math.ceil(height * ratio)];
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  const isDark = theme() === "dark";
  const step = walk.cell * place * ratio;
  const gap = step > 4 ? ratio : 0;
  for (let row = 0; row < walk.rows; row += 1) {
    for (let col = 0; col < walk.cols; col += 1) {
      const isHere = at && row === at[0] && col === at[1];
      pen.fillStyle = isHere ? HERE : seen.has(`${row},${col}`) ? "#2f9e6b" : isDark ? "#3a4856" : "#cfd7de";
      pen.fillRect(col * step, row * step, Math.max(step - gap, 1), Math.max(step - gap, 1));
    }
  }
  return place;
}
