// Walk mode: cell by cell over the scene, so that a person can say "I have looked everywhere" and the page knows where not.

import { get, post } from "../api.js";
import { byId, el, icon } from "../dom.js";
import { track } from "../gestures.js";
import { onLanguage, t } from "../i18n.js";
import { number, percent } from "../format.js";
import { store } from "../store.js";
import { ask } from "../dialogs/ask.js";
import { say, toast } from "../toasts.js";
import { boundsOf, cellAt, indexOf, nextUnseen, walkOrder } from "./grid.js";
import { drawMini, drawVeil } from "./veil.js";
import { map, zoomTo } from "./scene.js";

const CELLS = [256, 512, 1024, 2048];
const state = { isOn: false, at: null, seen: new Set(), layer: null };

export const isWalking = () => state.isOn;

/** Fetch what was looked at, and draw the grid when it is wanted. */
export async function startWalk() {
  state.layer = new ol.layer.Image({ source: veilSource(), visible: false, zIndex: 4 });
  map.addLayer(state.layer);
  onLanguage(paint);
  takeIn(await get("/api/walk"));
}

function veilSource() {
  return new ol.source.ImageCanvas({
    ratio: 1,
    projection: map.getView().getProjection(),
    canvasFunction: (extent, resolution, pixelRatio, size) =>
      drawVeil({ extent, resolution, pixelRatio, size, walk: store.walk, scene: store.scene, ...state }),
  });
}

function takeIn(answer) {
  store.walk = { ...store.walk, ...answer };
  state.seen = new Set(answer.seen.map(([row, col]) => `${row},${col}`));
  store.emit("walk");
  paint();
}

export function toggleWalk() {
  state.isOn = !state.isOn;
  if (state.isOn && !state.at) state.at = nextUnseen(state.seen, store.walk) ?? [0, 0];
  state.layer.setVisible(state.isOn);
  if (state.isOn) goTo(state.at);
  store.emit("walk");
  paint();
}

function goTo(cell) {
  state.at = cell;
  paint(); // the panel first: the cell is placed beside it
  zoomTo(boundsOf(cell, { ...store.walk, ...sizes() }), { context: 0.06, least: 0 });
}

const sizes = () => ({ width: store.scene.width, height: store.scene.height });

/** The cell was looked at: mark it and go on to the next one that was not. */
export async function markAndGo() {
  const cell = state.at;
  state.seen.add(cell.join());
  const next = nextUnseen(state.seen, { ...store.walk, from: cell });
  if (next) goTo(next);
  else {
    toast(t("walk_complete"), { kind: "good" });
    paint();
  }
  await mark([cell], true);
  say(t("n_unseen", nUnseen()));
}

/** One cell on or back, marked or not. */
export function stepWalk(by) {
  const order = walkOrder(store.walk.rows, store.walk.cols);
  const index = indexOf(state.at, store.walk.cols) + by;
  goTo(order[(index + order.length) % order.length]);
}

export function unmark() {
  state.seen.delete(state.at.join());
  paint();
  return mark([state.at], false);
}

async function mark(cells, seen) {
  if (!store.run.writable) return toast(t("error_read_only"), { kind: "error" });
  try {
    takeIn(await track(post("/api/walk", { cells, seen })));
  } catch (error) {
    toast(error.message, { detail: error.hint, kind: "error" });
    takeIn(await get("/api/walk"));
  }
  return undefined;
}

const nCells = () => store.walk.rows * store.walk.cols;
const nUnseen = () => nCells() - state.seen.size;

async function changeCell(event) {
  const cell = Number(event.target.value);
  const isSure =
    !state.seen.size ||
    (await ask({ title: t("walk_cell_title"), text: t("walk_cell_text", state.seen.size), yes: t("walk_cell_yes") }));
  if (!isSure) return paint();
  try {
    takeIn(await post("/api/walk/cell", { cell }));
    goTo([0, 0]);
  } catch (error) {
    toast(error.message, { detail: error.hint, kind: "error" });
  }
  return paint();
}

function paint() {
  state.layer?.getSource().refresh();
  const box = byId("walk");
  box.hidden = !state.isOn;
  if (!state.isOn) return;
  const focused = box.contains(document.activeElement) ? document.activeElement.id : null;
  const share = state.seen.size / nCells();
  const isSeen = state.seen.has(state.at.join());
  const button = (id, run, ...content) => el("button.button", { id, type: "button", on: { click: run } }, ...content);
  box.replaceChildren(
    el(
      "div.walk-head",
      {},
      el("h2", {}, icon("walk"), t("walk")),
      button("walk-close", toggleWalk, t("close"), el("kbd", {}, "W")),
    ),
    el(
      "div.walk-body",
      {},
      miniMap(),
      el(
        "div.walk-facts",
        {},
        el("p.walk-count", { id: "walk-unseen" }, nUnseen() ? t("n_unseen", nUnseen()) : t("walk_complete")),
        el("div.meter", {}, el("i", { style: { width: `${100 * share}%` } })),
        el("p.muted.small", {}, t("n_seen_of", number(state.seen.size), number(nCells()), percent(share))),
        el("p.small", {}, t("cell_at", state.at[0] + 1, state.at[1] + 1), isSeen && el("span.seen-tag", {}, t("seen"))),
      ),
    ),
    el(
      "div.walk-actions",
      {},
      button("walk-back", () => stepWalk(-1), t("walk_back"), el("kbd", {}, "⇧↵")),
      el(
        "button.button.is-primary",
        { id: "walk-mark", type: "button", on: { click: markAndGo } },
        t("walk_mark"),
        el("kbd", {}, "↵"),
      ),
    ),
    el(
      "div.walk-actions",
      {},
      el("label.small", { htmlFor: "walk-cell" }, t("cell_size")),
      cellChoice(),
      isSeen && button("walk-unmark", unmark, t("walk_unmark")),
    ),
  );
  if (focused) byId(focused)?.focus();
}

function miniMap() {
  const canvas = el("canvas", { role: "img", title: t("mini_help"), "aria-label": t("n_unseen", nUnseen()) });
  const place = drawMini(canvas, { walk: store.walk, scene: store.scene, ...state });
  canvas.addEventListener("click", (event) => {
    const cell = cellAt([event.offsetX / place, event.offsetY / place], { ...store.walk, ...sizes() });
    if (cell) goTo(cell);
  });
  return canvas;
}

function cellChoice() {
  const sizesShown = [...new Set([...CELLS, store.walk.cell])].sort((a, b) => a - b);
  const options = sizesShown.map((cell) =>
    el("option", { value: cell, selected: cell === store.walk.cell }, `${cell} ${t("unit_px")}`),
  );
  return el("select.field", { id: "walk-cell", disabled: !store.run.writable, on: { change: changeCell } }, options);
}
