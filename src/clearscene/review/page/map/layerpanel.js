// Which layers are seen, how strongly, and what the flicker compares.

import { byId, el, icon } from "../dom.js";
import { onLanguage, t } from "../i18n.js";
import { store } from "../store.js";
import { flickerKind, flickerKinds, isFlickering, onFlicker, setFlickerKind, stop, toggleFlicker } from "./flicker.js";
import { polygonLayers } from "./polygons.js";
import { layersOf, setConfidenceType } from "./scene.js";
import { isWalking, toggleWalk } from "./walk.js";

const ROWS = [
  { name: "polygons", key: "V" },
  { name: "classmap", key: "C" },
  { name: "confidence", key: "H" },
  { name: "scene", key: "S" },
];
const settings = {
  polygons: { on: true, opacity: 1 },
  classmap: { on: false, opacity: 0.6 },
  confidence: { on: false, opacity: 0.6 },
  scene: { on: true, opacity: 1 },
};
let confidenceType = "";
let isOpen = true;

const layersFor = (name) => (name === "polygons" ? polygonLayers() : layersOf(name));

export function startLayerPanel() {
  isOpen = innerWidth >= 1500;
  ROWS.forEach(({ name }) => apply(name));
  paint();
  onLanguage(paint);
  onFlicker(paint);
  store.on("walk tiles", paint);
}

/** Show or hide a layer. A flicker ends: it brings back the layers with which it began. */
export function toggleLayer(name) {
  if (!layersFor(name).length) return;
  if (isFlickering()) stop();
  settings[name].on = !settings[name].on;
  apply(name);
  paint();
}

function apply(name) {
  for (const layer of layersFor(name)) {
    layer.setVisible(settings[name].on);
    layer.setOpacity(settings[name].opacity);
  }
}

function paint() {
  const box = byId("layers");
  const focused = box.contains(document.activeElement) ? document.activeElement.id : null;
  const head = el(
    "button.button.layers-head",
    {
      type: "button",
      id: "layers-head",
      "aria-expanded": String(isOpen),
      "aria-controls": "layers-body",
      on: {
        click: () => {
          isOpen = !isOpen;
          paint();
        },
      },
    },
    icon("layers"),
    el("span", {}, t("layers")),
    icon("down"),
  );
  const body = el("div.layers-body", { id: "layers-body", hidden: !isOpen });
  for (const row of ROWS) if (layersFor(row.name).length) body.append(rowOf(row));
  body.append(el("div.layers-extra", {}, walkButton(), flickerButton(), flickerChoice()));
  box.replaceChildren(head, body);
  if (focused) byId(focused)?.focus();
}

function rowOf({ name, key }) {
  const setting = settings[name];
  const check = el("input", {
    type: "checkbox",
    id: `layer-${name}`,
    checked: setting.on,
    on: { change: () => toggleLayer(name) },
  });
  const slider = el("input", {
    type: "range",
    min: 0.1,
    max: 1,
    step: 0.05,
    value: setting.opacity,
    disabled: !setting.on,
    "aria-label": t("opacity_of", t(`layer_${name}`)),
    on: {
      input: (event) => {
        setting.opacity = Number(event.target.value);
        apply(name);
      },
    },
  });
  const row = el("div.layer-row", {}, el("label", {}, check, el("span", {}, t(`layer_${name}`)), el("kbd", {}, key)), slider);
  if (name === "confidence" && setting.on) row.append(typeChoice());
  return row;
}

/** The confidence of which type is shown. */
function typeChoice() {
  const types = store.tiles.layers.find((layer) => layer.name === "confidence").types ?? [];
  const change = (event) => {
    confidenceType = event.target.value;
    setConfidenceType(confidenceType);
  };
  const option = (value, text) => el("option", { value, selected: value === confidenceType }, text);
  const options = [option("", t("largest_of_all")), ...types.map((name) => option(name, t.title(store.typeOf(name))))];
  return el("select.field", { id: "confidence-type", "aria-label": t("confidence_of"), on: { change } }, options);
}

function walkButton() {
  const n = store.walk ? store.walk.rows * store.walk.cols - (store.walk.n_seen ?? 0) : 0;
  const props = { type: "button", id: "walk-button", "aria-pressed": String(isWalking()), on: { click: toggleWalk } };
  return el(
    "button.button.is-wide",
    props,
    icon("walk"),
    el("span", {}, t("walk_short")),
    el("span.muted", {}, t("n_unseen_short", n)),
    el("kbd", {}, "W"),
  );
}

function flickerButton() {
  const props = { type: "button", id: "flicker-button", "aria-pressed": String(isFlickering()), on: { click: toggleFlicker } };
  return el("button.button.is-wide", props, icon("flicker"), el("span", {}, t("flicker")), el("kbd", {}, "B"));
}

function flickerChoice() {
  const change = (event) => setFlickerKind(event.target.value);
  const option = (value) => el("option", { value, selected: value === flickerKind() }, t(`flicker_${value}`));
  return el(
    "select.field",
    { id: "flicker-kind", "aria-label": t("flicker_kind"), on: { change } },
    flickerKinds().map(option),
  );
}
