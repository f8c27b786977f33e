// All that a key does, told once: the page listens by this table, the toolbar and the help are made from it.

import { isTyping } from "./dom.js";
import { openHelp } from "./dialogs/help.js";
import { isDialogOpen } from "./dialogs/dialog.js";
import { ask } from "./dialogs/ask.js";
import { deleteFindings, redo, setStatus, setType, undo } from "./gestures.js";
import { t } from "./i18n.js";
import { peek, stop as stopFlicker, isFlickering, toggleFlicker } from "./map/flicker.js";
import { toggleLayer } from "./map/layerpanel.js";
import { flash } from "./map/polygons.js";
import { pan, zoomAll, zoomBy, zoomTo } from "./map/scene.js";
import { activeTool, chooseTool, drawingKey, setDrawType } from "./map/tools.js";
import { isWalking, markAndGo, stepWalk, toggleWalk, unmark } from "./map/walk.js";
import { nextOpen } from "./order.js";
import { getPref } from "./prefs.js";
import { focusRemark } from "./remark.js";
import { store } from "./store.js";

const IS_MAC = /Mac|iP(hone|ad)/.test(navigator.platform);
const CTRL = IS_MAC ? "⌘" : "Ctrl+";

const noCurrent = () => store.current === null;
const isShut = () => !store.run?.writable;
const isOff = () => noCurrent() || isShut();

/** Zoom to the finding, and light it up. */
function zoomToCurrent() {
  if (!store.currentFinding) return;
  zoomTo(store.currentFinding.bounds);
  flash();
}

function toNextOpen() {
  const key = nextOpen(store.shown, store.current, (each) => store.findings.get(each).status === "proposed");
  if (key !== null) store.select(key, { from: "step" });
}

/** What a person drew is deleted at once; what the inspection found is better rejected, so the page asks. */
async function deleteSelected() {
  const keys = [...store.selection];
  if (!keys.length) return;
  const isOwn = store.selected.every((finding) => finding.status === "added");
  const answer =
    isOwn || (await ask({ title: t("delete_title"), text: t("delete_text"), yes: t("do_delete"), other: t("delete_reject") }));
  if (answer === "other") setStatus("rejected");
  else if (answer) deleteFindings(keys);
}

function escape() {
  if (activeTool() !== "select") chooseTool("select");
  else if (isFlickering()) stopFlicker();
  else if (store.selection.size > 1) store.select(store.current, { from: "more" });
  else if (isWalking()) toggleWalk();
  else store.selectNone();
}

function digit(value) {
  const type = store.types.find((each) => each.id % 10 === value);
  if (!type) return;
  if (activeTool() === "draw") setDrawType(type.name);
  else setType(type.name);
}

/** Groups of the help: name, keys as `KeyboardEvent.key` (lower case, modifiers in front), what is shown, what is done. */
export const GROUPS = [
  {
    name: "step",
    rows: [
      { name: "next", keys: ["j", "arrowdown"], shown: "J / ↓", run: () => store.step(1) },
      { name: "previous", keys: ["k", "arrowup"], shown: "K / ↑", run: () => store.step(-1) },
      { name: "next_open", keys: ["u"], shown: "U", run: toNextOpen },
      { name: "extend", keys: ["shift+arrowdown", "shift+j"], shown: "⇧↓ / ⇧↑", run: () => store.step(1, { how: "span" }) },
      { name: "extend", keys: ["shift+arrowup", "shift+k"], isHidden: true, run: () => store.step(-1, { how: "span" }) },
      { name: "all", keys: ["mod+a"], shown: `${CTRL}A`, run: () => store.selectAll() },
    ],
  },
  {
    name: "decide",
    rows: [
      { name: "accept", keys: ["a"], shown: "A", run: () => setStatus("accepted"), isOff },
      { name: "reject", keys: ["r"], shown: "R", run: () => setStatus("rejected"), isOff },
      { name: "reopen", keys: ["p"], shown: "P", run: () => setStatus("proposed"), isOff },
      { name: "type", keys: [..."1234567890"], shown: "1–9 / 0", run: (event) => digit(Number(event.key)) },
      { name: "remark", keys: ["n"], shown: "N", run: focusRemark },
      { name: "undo", keys: ["z", "mod+z"], shown: `Z / ${CTRL}Z`, run: undo, isOff: () => isShut() || !store.undo },
      {
        name: "redo",
        keys: ["y", "shift+z", "mod+y", "mod+shift+z"],
        shown: `Y / ${CTRL}Y`,
        run: redo,
        isOff: () => isShut() || !store.redo,
      },
    ],
  },
  {
    name: "draw",
    rows: [
      { name: "select", keys: [], shown: "Esc", run: () => chooseTool("select") },
      { name: "draw", keys: ["d"], shown: "D", run: () => chooseTool("draw"), isOff: isShut },
      { name: "redraw", keys: ["shift+d"], shown: "⇧D", run: () => chooseTool("redraw"), isOff },
      { name: "vertices", keys: ["e"], shown: "E", run: () => chooseTool("vertices"), isOff },
      { name: "split", keys: ["x"], shown: "X", run: () => chooseTool("split"), isOff },
      { name: "merge", keys: ["m"], shown: "M", run: () => chooseTool("merge"), isOff },
      { name: "delete", keys: ["delete", "backspace"], shown: "Del", run: deleteSelected, isOff },
    ],
  },
  {
    name: "look",
    rows: [
      { name: "zoom", keys: ["f"], shown: "F", run: zoomToCurrent },
      { name: "zoom_all", keys: ["g"], shown: "G", run: () => zoomAll() },
      { name: "zoom_in", keys: ["+", "="], shown: "+ / −", run: () => zoomBy(0.5) },
      { name: "zoom_out", keys: ["-"], isHidden: true, run: () => zoomBy(2) },
      { name: "pan", keys: ["shift+arrowleft", "arrowleft"], shown: "← / →", run: () => pan(-1, 0) },
      { name: "pan", keys: ["shift+arrowright", "arrowright"], isHidden: true, run: () => pan(1, 0) },
      { name: "polygons", keys: ["v"], shown: "V", run: () => toggleLayer("polygons") },
      { name: "classmap", keys: ["c"], shown: "C", run: () => toggleLayer("classmap") },
      { name: "confidence", keys: ["h"], shown: "H", run: () => toggleLayer("confidence") },
      { name: "scene", keys: ["s"], shown: "S", run: () => toggleLayer("scene") },
      { name: "peek", keys: [], shown: "Space", run: () => {} },
      { name: "flicker", keys: ["b"], shown: "B", run: toggleFlicker, isOn: isFlickering },
    ],
  },
  {
    name: "walk",
    rows: [
      { name: "walk", keys: ["w"], shown: "W", run: toggleWalk, isOn: isWalking },
      { name: "walk_mark", keys: ["walk:enter"], shown: "↵", run: markAndGo },
      { name: "walk_back", keys: ["walk:shift+enter"], shown: "⇧↵", run: () => stepWalk(-1) },
      { name: "walk_unmark", keys: ["walk:backspace"], shown: "⌫", run: unmark },
    ],
  },
  {
    name: "page",
    rows: [
      { name: "help", keys: ["?", "shift+?"], shown: "?", run: () => openHelp(shownGroups()) },
      { name: "escape", keys: ["escape"], shown: "Esc", run: escape },
    ],
  },
];

const ROWS = GROUPS.flatMap((group) => group.rows);
const BY_KEY = new Map(ROWS.flatMap((row) => row.keys.map((key) => [key, row])));

const shownGroups = () => GROUPS.map(({ name, rows }) => ({ name, rows: rows.filter((row) => !row.isHidden) }));

export const showHelp = () => openHelp(shownGroups());

/** Buttons of the map's toolbar; null is a gap. */
export function toolbarActions() {
  const names = [
    "select",
    "draw",
    "redraw",
    "vertices",
    "split",
    "merge",
    "delete",
    null,
    "undo",
    "redo",
    null,
    "zoom",
    "flicker",
    "walk",
  ];
  const icons = { zoom: "target" };
  return names.map((name) => name && { ...ROWS.find((row) => row.name === name), icon: icons[name] });
}

/** Name of a key press as the table has it. */
export function nameOf(event) {
  const key = event.key.toLowerCase();
  const isMod = event.ctrlKey || event.metaKey;
  return `${isMod ? "mod+" : ""}${event.shiftKey ? "shift+" : ""}${key}`;
}

/** Whether the element in focus wants Enter and Space for itself. */
const isPressable = (target) => target instanceof HTMLElement && target.closest("button, a, summary, input, select") !== null;

export function startKeys() {
  addEventListener("keydown", onKey);
  addEventListener("keyup", (event) => event.key === " " && peek(false));
  addEventListener("blur", () => peek(false));
}

function onKey(event) {
  if (event.defaultPrevented || event.isComposing || event.altKey || isDialogOpen() || isTyping(event.target)) return;
  const name = nameOf(event);
  if (drawingKey(event.key)) return event.preventDefault();
  if (name === " " && !isPressable(event.target)) {
    if (!event.repeat) peek(true);
    return event.preventDefault();
  }
  const row = findRow(name, event);
  if (!row) return undefined;
  event.preventDefault();
  const isRepeatable = ["next", "previous", "extend", "pan", "zoom_in", "zoom_out"].includes(row.name);
  if (!event.repeat || isRepeatable) row.run(event);
  return undefined;
}

function findRow(name, event) {
  const isSingle = !name.startsWith("mod+") && name.replace("shift+", "").length === 1;
  if (isSingle && getPref("keys") === "no" && name !== "?") return null;
  if (isWalking() && !isPressable(event.target) && BY_KEY.has(`walk:${name}`)) return BY_KEY.get(`walk:${name}`);
  const isArrow = name.includes("arrow");
  if (isArrow && event.target instanceof HTMLElement && event.target.closest("[role=toolbar], [role=menu], [type=range]"))
    return null;
  return BY_KEY.get(name) ?? BY_KEY.get(name.replace("shift+", "")) ?? null;
}
