// Before and after in turns: the bare scene against its findings, or what the inspection saw against the review's findings.
// The class map is the inspection's own and no gesture changes it, so it stands for "as inspected".

import { byId } from "../dom.js";
import { t } from "../i18n.js";
import { isCalm } from "../prefs.js";
import { polygonLayers } from "./polygons.js";
import { layersOf } from "./scene.js";

const PERIOD_MS = 700; // well below three flashes a second
const state = { kind: "bare", isOn: false, isBefore: false, timer: 0, kept: null };
const listeners = [];

export const flickerKind = () => state.kind;
export const isFlickering = () => state.isOn;
export const onFlicker = (listener) => listeners.push(listener);

/** What can be compared: a run without a class map has only its findings. */
export const flickerKinds = () => (layersOf("classmap").length ? ["bare", "before"] : ["bare"]);

export function setFlickerKind(kind) {
  if (state.isOn) stop();
  state.kind = kind;
  tell();
}

/** Start, or stop. For a person who wants less movement each press turns the picture over instead. */
export function toggleFlicker() {
  if (state.isOn && !(isCalm() && state.isBefore)) return stop();
  if (state.isOn) return show(false);
  state.isOn = true;
  show(true);
  if (!isCalm()) state.timer = setInterval(() => show(!state.isBefore), PERIOD_MS);
  return tell();
}

/** Stop, with the findings as they are now. */
export function stop() {
  clearInterval(state.timer);
  show(false);
  state.isOn = false;
  byId("flicker-badge").hidden = true;
  tell();
}

/** The bare scene as long as a key is held. */
export function peek(isHeld) {
  if (!state.isOn) replaceBy(isHeld ? [] : null);
}

function show(isBefore) {
  state.isBefore = isBefore;
  replaceBy(isBefore ? (state.kind === "bare" ? [] : layersOf("classmap")) : null);
  const badge = byId("flicker-badge");
  badge.hidden = false;
  badge.textContent = t(`badge_${state.kind}_${isBefore ? "off" : "on"}`);
}

/** Show these layers on the scene in place of all others; null brings back what was seen. */
function replaceBy(layers) {
  if ((layers === null) === (state.kept === null)) return;
  const all = [...polygonLayers(), ...layersOf("classmap"), ...layersOf("confidence")];
  const seen = layers ?? state.kept;
  state.kept = layers ? all.filter((layer) => layer.getVisible()) : null;
  all.forEach((layer) => layer.setVisible(seen.includes(layer)));
}

const tell = () => listeners.forEach((listener) => listener());
