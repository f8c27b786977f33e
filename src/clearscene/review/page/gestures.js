// Everything that changes a finding. One request after the other, so that each knows the revision the last one left;
// what can be shown at once is shown at once and taken back if the server refuses.

import { CLIENT, get, post } from "./api.js";
import { t } from "./i18n.js";
import { isDecided, nextOpen, stepFrom } from "./order.js";
import { getPref } from "./prefs.js";
import { store } from "./store.js";
import { say, toast } from "./toasts.js";

let queue = Promise.resolve();
let nWaiting = 0;
const watchers = [];

/** Call a function with the number of gestures that are not on disk yet, whenever it changes. */
export function watchSaving(watcher) {
  watchers.push(watcher);
}

export const nPending = () => nWaiting;

function wait(by) {
  nWaiting += by;
  watchers.forEach((watcher) => watcher(nWaiting));
}

/** Resolves when all gestures so far are on disk, or were refused. */
export const allKept = () => queue;

/** Count another request among what is not on disk yet. */
export async function track(request) {
  wait(1);
  try {
    return await request;
  } finally {
    wait(-1);
  }
}

/** Run a request when those before it are done; returns its answer, or null when it was refused. */
function enqueue(run, { settle, keys = [] } = {}) {
  wait(1);
  const turn = queue.then(async () => {
    try {
      const answer = await run();
      store.merge(answer);
      return answer;
    } catch (error) {
      await refused(error, keys);
      return null;
    } finally {
      settle?.();
      wait(-1);
    }
  });
  queue = turn;
  return turn;
}

/** Tell why a gesture was refused, and show what the file holds instead. */
async function refused(error, keys) {
  const known = t.has(`error_${error.code}`) ? t(`error_${error.code}`) : "";
  toast(known || error.message, { detail: known ? error.message : error.hint, kind: "error" });
  if (error.body?.findings || error.body?.removed) {
    store.merge({ ...error.body, version: 0 });
    return;
  }
  for (const key of keys) {
    const answer = await get(`/api/findings/${key}`).catch(() => null);
    if (answer?.finding) store.merge({ findings: [answer.finding], geometries: { [key]: answer.geometry } });
  }
}

function isLocked() {
  if (store.run.writable) return false;
  toast(t("error_read_only"), { kind: "error" });
  return true;
}

/** Send one gesture on findings; `changes` is what it will do to them, shown meanwhile. */
function edit(body, { keys = [], changes = null } = {}) {
  if (isLocked()) return Promise.resolve(null);
  const settle = changes ? store.pretend(keys, changes) : null;
  const run = () => {
    const there = keys.filter((key) => store.findings.has(key));
    const revisions = Object.fromEntries(there.map((key) => [key, store.findings.get(key).revision]));
    return post("/api/edit", { ...body, ...(keys.length ? { keys, revisions } : {}), client: CLIENT });
  };
  return enqueue(run, { settle, keys });
}

/** Accept, reject or reopen the selected findings, and go on to the next open one, or else to the next. */
export function setStatus(status) {
  const chosen = [...store.selection];
  if (!chosen.length || isLocked()) return null;
  // What a person drew is true already: accepting it would only hide that it was drawn.
  const keys = status === "accepted" ? chosen.filter((key) => store.findings.get(key).status !== "added") : chosen;
  const goesOn = getPref("advance") !== "no" && status !== "proposed";
  const areNew = keys.some((key) => !isDecided(store.findings.get(key)));
  const undecided = goesOn ? nextOpen(store.shown, store.current, isOpenBut(keys)) : null;
  // A second reviewer finds all of them decided, and says the same or otherwise of one after the other.
  const next = undecided ?? (goesOn && !areNew ? stepFrom(store.shown, store.current, 1, store.lastIndex) : null);
  const sent = keys.length ? edit({ action: "status", status }, { keys, changes: { status } }) : null;
  say(t("said_status", keys.length, t(`status_${status}`)));
  if (next !== null) store.select(next, { from: "step" });
  else if (goesOn && areNew && ![...store.findings.values()].some((finding) => finding.status === "proposed")) {
    toast(t("all_decided"), { kind: "good" });
  }
  return sent;
}

const isOpenBut = (keys) => (key) => store.findings.get(key).status === "proposed" && !keys.includes(key);

/** Give the selected findings another type. */
export function setType(type) {
  const keys = [...store.selection].filter((key) => store.findings.get(key).type !== type);
  if (!keys.length) return null;
  say(t("said_type", keys.length, t.title(store.typeOf(type))));
  return edit({ action: "type", type }, { keys, changes: { type } });
}

export function setRemark(key, remark) {
  return edit({ action: "remark", remark }, { keys: [key], changes: { remark } });
}

/** A new shape for a finding, in scene pixels; the old one comes back if it is refused. */
export async function setGeometry(key, geometry) {
  const old = store.geometries.get(key);
  store.setGeometry(key, geometry, true);
  const answer = await edit({ action: "geometry", geometry }, { keys: [key], changes: {} });
  if (!answer && old && store.geometries.get(key) === geometry) {
    store.setGeometry(key, old, true);
    store.changed(new Set([key]), new Set());
  }
  return answer;
}

/** A polygon that a person drew; it is selected when it is there. */
export async function addFinding(type, geometry) {
  const answer = await edit({ action: "add", type, geometry, remark: "" });
  const added = answer?.findings.find((finding) => finding.status === "added" && !answer.repriced?.[finding.key]);
  if (added) store.select(added.key, { from: "draw" });
  return added;
}

export async function deleteFindings(keys) {
  const following = store.shown.filter((key) => !keys.includes(key) || key === store.current);
  const next = following[following.indexOf(store.current) + 1] ?? null;
  const answer = await edit({ action: "delete" }, { keys });
  if (answer && next !== null && store.current === null) store.select(next, { from: "step" });
  return answer;
}

/** Cut a finding along a line; its largest part stays selected. */
export async function splitFinding(key, line) {
  const answer = await edit({ action: "split", line }, { keys: [key] });
  if (answer) toast(t("said_split", Object.keys(answer.geometries).length));
  return answer;
}

/** Merge findings of one type into the first. */
export async function mergeFindings(keys) {
  if (keys.length < 2) return null;
  const types = new Set(keys.map((key) => store.findings.get(key).type));
  if (types.size > 1) {
    toast(t("merge_one_type"), { kind: "error" });
    return null;
  }
  const answer = await edit({ action: "merge" }, { keys });
  if (answer) store.select(keys[0], { from: "merge" });
  return answer;
}

/** Take back the last gesture, or do it again, and show what it concerned. */
export async function travel(direction) {
  if (isLocked()) return;
  const answer = await enqueue(() => post(`/api/${direction}`, { client: CLIENT }));
  if (!answer) return;
  const there = (answer.did?.keys ?? []).filter((key) => store.findings.has(key));
  say(t(`said_${direction}`, t(`action_${answer.did?.action}`)));
  if (!there.length) return;
  store.selectMany(there, { from: "step" });
}

export const undo = () => (store.undo || nWaiting ? travel("undo") : toast(t("error_nothing_to_undo")));
export const redo = () => (store.redo || nWaiting ? travel("redo") : toast(t("error_nothing_to_redo")));
