// The findings on the map: drawn, pointed at, chosen with the mouse.

import { get } from "../api.js";
import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { isCalm } from "../prefs.js";
import { store } from "../store.js";
import { isInSight, map, zoomTo } from "./scene.js";
import { toMap } from "./pixels.js";
import { dotStyle, styleOf } from "./styles.js";

const TINY_PX = 5;
const REACH_PX = 4;
const source = new ol.source.Vector();
const above = new ol.source.Vector();
let hovered = null;
let layers = [];
const shown = { hidden: null };

/** Put the polygons on the map. */
export function startPolygons() {
  const base = new ol.layer.Vector({ source, style: draw, zIndex: 5, updateWhileInteracting: true, renderBuffer: 32 });
  const top = new ol.layer.Vector({ source: above, style: drawSelected, zIndex: 7, updateWhileInteracting: true });
  layers = [base, top];
  layers.forEach((layer) => map.addLayer(layer));
  store.on("findings", update);
  store.on("order", () => source.changed());
  store.on("selection", followSelection);
  update({ changed: new Set(store.findings.keys()), removed: new Set() });
  map.on("pointermove", (event) => !event.dragging && hover(event.pixel));
}

export const polygonLayers = () => layers;

/** Leave one finding out while its corners are edited; null for none. */
export function hideFinding(key) {
  shown.hidden = key;
  source.changed();
  above.changed();
}

function featureOf(key, shape) {
  const feature = new ol.Feature(new ol.geom.MultiPolygon(toMap(shape.coordinates)));
  feature.setId(key);
  return feature;
}

function update({ changed, removed }) {
  for (const key of removed) {
    const feature = source.getFeatureById(key);
    if (feature) source.removeFeature(feature);
  }
  const fresh = [];
  for (const key of changed) {
    const shape = store.geometries.get(key);
    if (!shape) continue;
    const feature = source.getFeatureById(key);
    if (!feature) fresh.push(featureOf(key, shape));
    else if (feature.get("shape") !== shape) feature.setGeometry(new ol.geom.MultiPolygon(toMap(shape.coordinates)));
    (feature ?? fresh.at(-1)).set("shape", shape, true);
  }
  source.addFeatures(fresh);
  source.changed();
  paintSelection();
}

/** What is filtered out of the list is not drawn either. */
function isDrawn(key, finding) {
  if (!finding || key === shown.hidden) return false;
  const { types, statuses } = store.filter;
  return (!types.size || types.has(finding.type)) && (!statuses.size || statuses.has(finding.status));
}

function draw(feature, resolution) {
  const key = feature.getId();
  const finding = store.findings.get(key);
  if (!isDrawn(key, finding) || store.selection.has(key)) return null;
  const style = styleOf(finding, { isHovered: key === hovered });
  const extent = feature.getGeometry().getExtent();
  const isTiny = Math.max(ol.extent.getWidth(extent), ol.extent.getHeight(extent)) / resolution < TINY_PX;
  return isTiny ? dotStyle(finding)(extent) : style;
}

function drawSelected(feature) {
  const finding = store.findings.get(feature.getId());
  return finding && finding.key !== shown.hidden ? styleOf(finding, { isSelected: true }) : null;
}

function paintSelection() {
  above.clear(true);
  const features = [...store.selection].map((key) => store.geometries.has(key) && featureOf(key, store.geometries.get(key)));
  above.addFeatures(features.filter(Boolean));
  source.changed();
}

/** Show the chosen finding; the map moves only where the list or a key chose it. */
function followSelection({ from }) {
  paintSelection();
  const finding = store.currentFinding;
  if (!finding) return;
  if (!store.exact.has(finding.key)) fetchExact(finding.key);
  if (["step", "list"].includes(from) && !isInSight(finding.bounds)) zoomTo(finding.bounds, { duration: 120 });
}

async function fetchExact(key) {
  store.exact.add(key);
  const answer = await get(`/api/geometries?keys=${key}`).catch(() => null);
  const shape = answer?.geometries?.[key];
  if (!shape) return store.exact.delete(key);
  store.setGeometry(key, shape, true);
  return update({ changed: new Set([key]), removed: new Set() });
}

/** Findings under a place of the screen, the smallest first, so that none is out of reach. */
export function findingsAt(pixel) {
  const keys = new Map();
  map.forEachFeatureAtPixel(pixel, (feature) => keys.set(feature.getId(), ol.extent.getArea(feature.getGeometry().getExtent())), {
    hitTolerance: REACH_PX,
    layerFilter: (layer) => layers.includes(layer),
  });
  return [...keys].sort((a, b) => a[1] - b[1]).map(([key]) => key);
}

function hover(pixel) {
  if (map.get("isDrawing")) return;
  const key = findingsAt(pixel)[0] ?? null;
  if (key === hovered) return;
  hovered = key;
  const finding = store.findings.get(key);
  byId("map").classList.toggle("is-over", Boolean(finding));
  byId("map").title = finding
    ? `${t("number", finding.id)} · ${t.title(store.typeOf(finding.type))} · ${t(`status_${finding.status}`)}`
    : "";
  source.changed();
}

/** Choose with a click: again on the same place goes through what lies on top of each other. */
export function clickAt(pixel, { isToggle }) {
  const keys = findingsAt(pixel);
  if (!keys.length) {
    if (!isToggle) store.selectNone();
    return;
  }
  const next = keys[(keys.indexOf(store.current) + 1) % keys.length];
  store.select(isToggle ? keys[0] : next, { how: isToggle ? "toggle" : "one", from: "map" });
}

/** Light up the current finding for a moment, for eyes that lost it. */
export function flash() {
  if (isCalm() || !layers[1]) return;
  [0, 160, 320, 480].forEach((ms, n) => setTimeout(() => layers[1].setOpacity(n % 2 ? 1 : 0.15), ms));
}
