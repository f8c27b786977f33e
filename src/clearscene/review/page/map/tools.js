// The mouse's tools: choose, draw, redraw, move corners, split, merge. One is active at a time; Escape goes back to choosing.

import { byId, el, icon, soon } from "../dom.js";
import { addFinding, mergeFindings, setGeometry, splitFinding } from "../gestures.js";
import { onLanguage, t } from "../i18n.js";
import { store } from "../store.js";
import { toast } from "../toasts.js";
import { onFlicker } from "./flicker.js";
import { clickAt, findingsAt, hideFinding } from "./polygons.js";
import { map } from "./scene.js";
import { toGeoJson, toMap, toScene } from "./pixels.js";
import { sketchStyle, vertexStyle } from "./styles.js";

const TOOLS = ["select", "draw", "redraw", "vertices", "split", "merge"];
const MANY_CORNERS = 20000;
const state = { tool: "select", interactions: [], layer: null, drawType: null };
const listeners = [];

export const activeTool = () => state.tool;
export const onTool = (listener) => listeners.push(listener);

/** Type that the next polygon gets. */
export const drawType = () => state.drawType ?? store.currentFinding?.type ?? store.types[0].name;

export function setDrawType(type) {
  state.drawType = type;
  const draw = state.interactions.find((each) => each instanceof ol.interaction.Draw);
  draw?.getOverlay().setStyle(sketchStyle(store.typeOf(type).color));
  showHint();
}

export function startTools() {
  map.on("click", (event) => {
    const { shiftKey, ctrlKey, metaKey } = event.originalEvent;
    if (state.tool === "select") clickAt(event.pixel, { isToggle: shiftKey || ctrlKey || metaKey });
    else if (state.tool === "merge") mergeWith(findingsAt(event.pixel));
  });
  store.on("selection", ({ from }) => {
    // Another finding was chosen: what was about the last one ends.
    if (["vertices", "redraw", "split"].includes(state.tool) && from !== "change" && from !== "more") chooseTool("select");
    later();
  });
  store.on("findings", ({ changed }) => state.tool === "vertices" && changed.has(state.key) && restoreCorners());
  onLanguage(paint);
  paint();
}

/** Change the tool; choosing the active one again goes back to "select". */
export function chooseTool(tool) {
  const next = tool === state.tool ? "select" : tool;
  leave();
  state.tool = canUse(next) ? next : "select";
  enter[state.tool]?.();
  paint();
  listeners.forEach((listener) => listener(state.tool));
}

function canUse(tool) {
  if (tool === "select") return true;
  if (!store.run.writable) return toastFalse(t("error_read_only"));
  if (tool !== "draw" && store.current === null) return toastFalse(t("choose_first"));
  return true;
}

function toastFalse(text) {
  toast(text, { kind: "error" });
  return false;
}

const enter = {
  draw: () => sketch("Polygon", store.typeOf(drawType()).color, (shape) => addFinding(drawType(), shape)),
  redraw: () => {
    const { key, type } = store.currentFinding;
    sketch("Polygon", store.typeOf(type).color, (shape) => setGeometry(key, multi(shape)));
  },
  split: () => {
    const { key } = store.currentFinding;
    sketch("LineString", "#ffffff", (shape) => splitFinding(key, shape.coordinates));
  },
  vertices: editCorners,
  merge: () => {
    if (store.selection.size < 2) return;
    mergeFindings([...store.selection]);
    state.tool = "select";
  },
};

const multi = (shape) => (shape.type === "Polygon" ? { type: "MultiPolygon", coordinates: [shape.coordinates] } : shape);

/** Let a person draw one shape, hand it over in pixels of the scene, and go back to choosing. */
function sketch(type, color, done) {
  const draw = new ol.interaction.Draw({ type, style: sketchStyle(color), stopClick: true, snapTolerance: 10 });
  draw.on("drawend", ({ feature }) => {
    const shape = toGeoJson(feature.getGeometry());
    setTimeout(() => {
      chooseTool("select");
      done(shape);
    });
  });
  add(draw);
}

function add(interaction) {
  map.addInteraction(interaction);
  state.interactions.push(interaction);
  map.set("isDrawing", true);
}

/** Corners of the current finding as handles; each move is one gesture, kept at once. */
function editCorners() {
  const { key, type } = store.currentFinding;
  const shape = store.geometries.get(key);
  if (shape.coordinates.flat(2).length > MANY_CORNERS) toast(t("many_corners"));
  const source = new ol.source.Vector();
  state.key = key;
  state.layer = new ol.layer.Vector({ source, style: vertexStyle(store.typeOf(type).color), zIndex: 8 });
  map.addLayer(state.layer);
  restoreCorners();
  hideFinding(key);
  const isAlt = (event) => ol.events.condition.click(event) && ol.events.condition.altKeyOnly(event);
  const modify = new ol.interaction.Modify({ source, deleteCondition: isAlt, pixelTolerance: 8, style: sketchStyle("#ffffff") });
  modify.on("modifyend", ({ features }) => setGeometry(key, toGeoJson(features.item(0).getGeometry())));
  add(modify);
}

function restoreCorners() {
  const shape = store.geometries.get(state.key);
  const source = state.layer.getSource();
  if (!shape || source.get("shape") === shape) return;
  source.set("shape", shape);
  const known = source.getFeatures()[0]?.getGeometry();
  // The same corners (the echo of a move): leave the handles alone, a drag may be under way.
  if (known && JSON.stringify(toScene(known.getCoordinates())) === JSON.stringify(shape.coordinates)) return;
  source.clear();
  source.addFeature(new ol.Feature(new ol.geom.MultiPolygon(toMap(shape.coordinates))));
}

function mergeWith(keys) {
  const other = keys.find((key) => key !== store.current);
  if (other === undefined) return;
  const first = store.current;
  chooseTool("select");
  mergeFindings([first, other]);
}

function leave() {
  state.interactions.forEach((each) => map.removeInteraction(each));
  state.interactions = [];
  map.set("isDrawing", false);
  if (state.layer) map.removeLayer(state.layer);
  state.layer = null;
  hideFinding(null);
}

/** Keys while a shape is drawn: Enter ends it, Backspace takes back its last corner. True if the key was used. */
export function drawingKey(key) {
  const draw = state.interactions.find((each) => each instanceof ol.interaction.Draw);
  if (!draw) return false;
  if (key === "Enter") draw.finishDrawing();
  else if (key === "Backspace") draw.removeLastPoint();
  else return false;
  return true;
}

function showHint() {
  const hint = byId("hint");
  hint.hidden = state.tool === "select";
  if (hint.hidden) return;
  const type = store.typeOf(state.tool === "draw" ? drawType() : store.currentFinding?.type);
  const isTyped = ["draw", "redraw"].includes(state.tool);
  const swatch = isTyped && el("span.hint-type", {}, el("i.swatch", { style: { "--color": type.color } }), t.title(type));
  const quit = el(
    "button.button.is-small",
    { type: "button", on: { click: () => chooseTool("select") } },
    t(state.tool === "vertices" ? "done" : "cancel"),
    el("kbd", {}, "Esc"),
  );
  hint.replaceChildren(swatch || "", el("span.hint-text", {}, t(`hint_${state.tool}`)), quit);
}

/** Buttons of the toolbar; `tools` come from keymap.js, so that names and keys are told once. */
let buttons = [];
export function fillToolbar(actions) {
  buttons = actions;
  paint();
}

function paint() {
  showHint();
  const box = byId("toolbar");
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.action : null;
  box.replaceChildren(...buttons.map(buttonOf));
  if (focused) box.querySelector(`[data-action="${focused}"]`)?.focus();
}

function buttonOf(action) {
  if (!action) return el("hr");
  const isTool = TOOLS.includes(action.name);
  const isOn = isTool ? state.tool === action.name : action.isOn?.();
  const label = `${t(`do_${action.name}`)} (${action.shown})`;
  return el(
    "button.button.is-icon",
    {
      type: "button",
      title: label,
      "aria-label": t(`do_${action.name}`),
      "aria-keyshortcuts": action.shown,
      "aria-pressed": isOn === undefined ? null : String(isOn),
      disabled: action.isOff?.() ?? false,
      data: { action: action.name },
      on: { click: action.run },
    },
    icon(action.icon ?? action.name),
  );
}

const later = soon(() => map && paint());
store.on("state walk", later);
onFlicker(later);
