// The map and its pictures: the scene, the class map and the confidence, in pixel coordinates, with no projection.

import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { number } from "../format.js";
import { isCalm } from "../prefs.js";
import { store } from "../store.js";
import { toExtent } from "./pixels.js";

const MAX_ZOOM_IN = 1 / 16; // scene pixels per screen pixel
const LEAST_CONTEXT_PX = 160;
const LEAST_ROOM_PX = 300; // where panels leave less than this, what is shown may lie under them
const MOVE_MS = 180;

export let map = null;
const pictures = {};
let projection = null;

/** Build the map; it shows the whole scene. */
export function startMap() {
  const { width, height } = store.scene;
  const extent = toExtent([0, 0, width, height]);
  projection = new ol.proj.Projection({ code: "scene-pixels", units: "pixels", extent });
  const margin = Math.max(width, height);
  map = new ol.Map({
    target: "map",
    layers: Object.values(makePictures(extent)).flat(),
    controls: [],
    interactions: ol.interaction.defaults.defaults({
      altShiftDragRotate: false,
      pinchRotate: false,
      doubleClickZoom: false,
      keyboard: false,
      zoomDuration: MOVE_MS,
    }),
    view: new ol.View({
      projection,
      center: ol.extent.getCenter(extent),
      extent: ol.extent.buffer(extent, margin),
      maxResolution: (3 * margin) / 400,
      minResolution: MAX_ZOOM_IN,
      resolution: margin / 800,
      constrainOnlyCenter: true,
      enableRotation: false,
    }),
  });
  zoomAll(0);
  map.on("pointermove", (event) => showCursor(event.coordinate));
  map.getView().on("change:resolution", showScale);
  showScale();
  byId("zoom-in").addEventListener("click", () => zoomBy(0.5));
  byId("zoom-out").addEventListener("click", () => zoomBy(2));
  byId("zoom-all").addEventListener("click", () => zoomAll());
  store.on("tiles", refresh);
  return map;
}

function makePictures(extent) {
  for (const { name } of store.tiles.layers) {
    // Below one scene pixel per screen pixel the pixels themselves are shown, not a smoothed picture of them.
    const smooth = tileLayer(name, extent, { interpolate: true, minResolution: name === "scene" ? 0.7 : 0 });
    const crisp = name === "scene" ? [tileLayer(name, extent, { interpolate: false, maxResolution: 0.7 })] : [];
    pictures[name] = [smooth, ...crisp];
  }
  return pictures;
}

function tileLayer(name, extent, { interpolate, minResolution, maxResolution }) {
  const grid = new ol.tilegrid.TileGrid({
    extent,
    origin: [0, 0],
    resolutions: store.tiles.resolutions,
    tileSize: store.tiles.size,
  });
  const isScene = name === "scene";
  const source = new ol.source.XYZ({
    projection,
    tileGrid: grid,
    interpolate,
    transition: isScene && !isCalm() ? 120 : 0,
    tileUrlFunction: urlOf(name, ""),
  });
  return new ol.layer.Tile({
    source,
    minResolution,
    maxResolution,
    visible: isScene,
    opacity: isScene ? 1 : 0.6,
    preload: isScene && interpolate ? 2 : 0,
    zIndex: isScene ? 0 : 1,
    className: `ol-layer is-${name}`,
  });
}

const urlOf =
  (name, query) =>
  ([z, x, y]) =>
    `/tiles/${name}/${z}/${x}/${y}${query}`;

/** Layers of a picture: `scene`, `classmap` or `confidence`; none where the run lacks it. */
export const layersOf = (name) => pictures[name] ?? [];

/** Show the confidence of one type, or with "" the largest of all. */
export function setConfidenceType(type) {
  const query = type ? `?type=${encodeURIComponent(type)}` : "";
  layersOf("confidence").forEach((layer) =>
    layer.getSource().setTileUrlFunction(urlOf("confidence", query), `confidence${query}`),
  );
}

function refresh() {
  if (store.tiles.ready)
    Object.values(pictures)
      .flat()
      .forEach((layer) => layer.getSource().refresh());
}

/** Show bounds of the scene with some of what is around them. */
export function zoomTo(bounds, { duration = MOVE_MS, context = 0.6, least = LEAST_CONTEXT_PX } = {}) {
  const [left, top, right, bottom] = bounds;
  const pad = (size) => Math.max(size * context, (least - size) / 2);
  const [padX, padY] = [pad(right - left), pad(bottom - top)];
  const extent = toExtent([left - padX, top - padY, right + padX, bottom + padY]);
  map.getView().fit(extent, { duration: isCalm() ? 0 : duration, padding: insets() });
}

/** Screen pixels at the edges of the map (top, right, bottom, left) that lie under tools and open panels. */
function insets() {
  const [width, tools, walk] = [byId("map").clientWidth, byId("toolbar").offsetWidth, byId("walk")];
  const isStrip = walk.offsetWidth > width / 2;
  const left = (isStrip || walk.hidden ? tools : walk.offsetWidth) + 20;
  const right = byId("layers-body")?.hidden === false ? byId("layers").offsetWidth + 20 : 12;
  const bottom = isStrip ? byId("map").clientHeight - walk.offsetTop + 8 : 12;
  const room = width - LEAST_ROOM_PX;
  return [12, left + right < room ? right : 12, bottom, left + 12 < room ? left : 12];
}

export function zoomAll(duration = MOVE_MS) {
  zoomTo([0, 0, store.scene.width, store.scene.height], { duration, context: 0.02, least: 0 });
}

export function zoomBy(factor) {
  const view = map.getView();
  view.animate({ resolution: view.getConstrainedResolution(view.getResolution() * factor), duration: isCalm() ? 0 : MOVE_MS });
}

/** Move the map by parts of its size. */
export function pan(x, y) {
  const [width, height] = map.getSize();
  const view = map.getView();
  const [cx, cy] = view.getCenter();
  const step = view.getResolution() / 4;
  view.animate({ center: [cx + x * width * step, cy - y * height * step], duration: isCalm() ? 0 : 100 });
}

/** Whether bounds lie in what is seen, neither cut off nor too small to judge. */
export function isInSight(bounds) {
  const view = map.getView();
  const extent = toExtent(bounds);
  const [top, right, bottom, left] = insets().map((inset) => inset * view.getResolution());
  const [x0, y0, x1, y1] = view.calculateExtent(map.getSize());
  const seen = [x0 + left, y0 + bottom, x1 - right, y1 - top];
  const size = Math.max(ol.extent.getWidth(extent), ol.extent.getHeight(extent));
  return ol.extent.containsExtent(seen, extent) && size / view.getResolution() > 40;
}

function showCursor([x, y]) {
  const [col, row] = [Math.floor(x), Math.floor(-y)];
  const isInside = col >= 0 && row >= 0 && col < store.scene.width && row < store.scene.height;
  byId("place-cursor").textContent = isInside ? t("row_col", number(row), number(col)) : "";
}

export function showScale() {
  const resolution = map.getView().getResolution();
  byId("place-scale").textContent = resolution > 1 ? `1 : ${number(resolution, 1)}` : `${number(1 / resolution, 1)} : 1`;
}
