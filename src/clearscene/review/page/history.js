// What was done: to the chosen finding, or in the whole run.

import { get } from "./api.js";
import { byId, el, soon } from "./dom.js";
import { number, when } from "./format.js";
import { onLanguage, t } from "./i18n.js";
import { store } from "./store.js";

const PAGE = 50;
const state = { scope: "finding", key: null, entries: [], hasMore: false, asked: 0 };

export function startHistory() {
  const later = soon(load);
  store.on("selection", () => state.scope === "finding" && state.key !== store.current && later());
  store.on("state", later);
  onLanguage(paint);
  load();
}

async function load() {
  const ticket = (state.asked += 1);
  const key = store.current;
  if (state.scope === "finding" && key === null) return show(ticket, key, []);
  const path = state.scope === "finding" ? `/api/findings/${key}` : `/api/history?limit=${PAGE}`;
  const answer = await get(path).catch(() => ({ history: [] }));
  return show(ticket, key, answer.history ?? []);
}

/** Newest first; an answer that came late is not shown. */
function show(ticket, key, entries) {
  if (ticket !== state.asked) return;
  state.key = key;
  state.entries = [...entries].sort((a, b) => b.seq - a.seq);
  state.hasMore = state.scope === "run" && entries.length === PAGE;
  paint();
}

async function older() {
  const answer = await get(`/api/history?limit=${PAGE}&before=${state.entries.at(-1).seq}`).catch(() => ({ history: [] }));
  state.entries.push(...answer.history);
  state.hasMore = answer.history.length === PAGE;
  paint();
}

function paint() {
  const tab = (scope) =>
    el(
      "button.tab",
      {
        id: `history-${scope}`,
        type: "button",
        "aria-pressed": String(state.scope === scope),
        on: {
          click: () => {
            state.scope = scope;
            load();
          },
        },
      },
      t(`history_${scope}`),
    );
  const box = byId("history");
  const focused = box.contains(document.activeElement) ? document.activeElement.id : null;
  const body = state.entries.length
    ? el("ol.entries", {}, state.entries.map(entryOf))
    : el("p.muted.small", {}, t("history_none"));
  const more =
    state.hasMore && el("button.link", { id: "history-more", type: "button", on: { click: older } }, t("history_more"));
  box.replaceChildren(
    el("div.history-head", {}, el("h2", {}, t("history")), el("div.tabs", {}, tab("finding"), tab("run"))),
    body,
    more || "",
  );
  if (focused) byId(focused)?.focus();
}

function entryOf(entry) {
  const what = entry.action === "outside" ? t("action_outside") : t(`action_${entry.action}`);
  const lines = entry.changes.slice(0, 3).map((change) => el("div.entry-change", {}, changeText(change)));
  const rest = entry.n_changes > 3 && el("div.entry-change", {}, t("n_more", entry.n_changes - 3));
  return el(
    `li.entry${entry.undone ? ".is-undone" : ""}`,
    {},
    el("div.entry-head", {}, el("b", {}, what), el("span.muted", {}, [entry.who, when(entry.at)].filter(Boolean).join(" · "))),
    lines,
    rest || "",
    entry.undone ? el("div.muted.small", {}, t("undone")) : "",
  );
}

/** A change in words, such as "No. 12: Proposed → Accepted". */
function changeText({ key, id, before, after }) {
  const name = t("number", id ?? store.findings.get(key)?.id ?? key);
  const prefix = state.scope === "run" ? `${name}${t("colon")}` : "";
  if (!before) return `${name}${t("colon")}${t("came")}`;
  if (!after) return `${name}${t("colon")}${t("went")}`;
  const columns = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return (
    prefix + columns.map((column) => `${textOf(column, before[column])} → ${textOf(column, after[column])}`).join(t("semicolon"))
  );
}

function textOf(column, value) {
  if (column === "status") return t(`status_${value}`);
  if (column === "type") return t.title(store.typeOf(value));
  if (column === "geometry") return `${number(value?.area_px ?? 0)} ${t("unit_px")}`;
  return value ? t("quoted", value) : t("none");
}
