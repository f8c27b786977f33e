// Above the list: how it is sorted, and which types and statuses are shown.

import { byId, el, icon, soon } from "./dom.js";
import { number } from "./format.js";
import { onLanguage, t } from "./i18n.js";
import { SORTS, STATUSES } from "./order.js";
import { store } from "./store.js";

let isOpen = false;

export function startFilters() {
  paint();
  onLanguage(paint);
  store.on("findings order", soon(paint));
}

function paint() {
  const box = byId("list-head");
  const focused = box.contains(document.activeElement) ? document.activeElement.id : null;
  box.replaceChildren(sortRow(), statusRow(), typeRow());
  if (focused) byId(focused)?.focus();
}

function sortRow() {
  const option = (by) => el("option", { value: by, selected: by === store.sort.by }, t(`sort_${by}`));
  const choice = el(
    "select.field",
    { id: "sort-by", "aria-label": t("sort"), on: { change: (event) => store.setSort({ by: event.target.value }) } },
    SORTS.map(option),
  );
  const turn = el(
    "button.button.is-icon",
    {
      id: "sort-turn",
      type: "button",
      title: t("sort_turn"),
      "aria-label": t("sort_turn"),
      "aria-pressed": String(store.sort.isReversed),
      on: { click: () => store.setSort({ isReversed: !store.sort.isReversed }) },
    },
    icon("sort"),
  );
  const n = store.filter.types.size;
  const filter = el(
    "button.button",
    {
      id: "filter-types",
      type: "button",
      "aria-expanded": String(isOpen),
      "aria-controls": "type-row",
      on: {
        click: () => {
          isOpen = !isOpen;
          paint();
        },
      },
    },
    icon("filter"),
    el("span", {}, n ? t("n_types", n) : t("types")),
  );
  return el("div.head-row", {}, choice, turn, filter);
}

/** One chip a value; a press shows only those pressed, a second press lets go. */
function chip(field, value, text, n, color) {
  const isOn = store.filter[field].has(value);
  const mark = color && el("i.swatch", { style: { "--color": color } });
  return el(
    `button.chip`,
    { id: `chip-${value}`, type: "button", "aria-pressed": String(isOn), on: { click: () => store.toggleFilter(field, value) } },
    mark || "",
    el("span", {}, text),
    el("b", {}, number(n)),
  );
}

function statusRow() {
  const counts = store.countsBy("status");
  const shown = STATUSES.filter((status) => counts.get(status) || store.filter.statuses.has(status));
  return el(
    "div.chips",
    { role: "group", "aria-label": t("filter_status") },
    shown.map((status) => chip("statuses", status, t(`status_${status}`), counts.get(status) ?? 0)),
  );
}

function typeRow() {
  const counts = store.countsBy("type");
  const shown = store.types.filter((type) => counts.get(type.name) || store.filter.types.has(type.name));
  const chips = shown.map((type) => chip("types", type.name, t.title(type), counts.get(type.name) ?? 0, type.color));
  const hasFilter = store.filter.types.size || store.filter.statuses.size;
  const clear =
    hasFilter &&
    el(
      "button.chip.is-clear",
      { id: "filter-clear", type: "button", on: { click: () => store.clearFilter() } },
      icon("close"),
      t("filter_clear"),
    );
  return el(
    "div.chips",
    { id: "type-row", role: "group", "aria-label": t("filter_type"), hidden: !isOpen && !hasFilter },
    isOpen || store.filter.types.size ? chips : "",
    clear || "",
  );
}
