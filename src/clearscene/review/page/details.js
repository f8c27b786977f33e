// On the right: the chosen finding, what can be done with it, and what is known of it.

import { byId, el, icon, soon } from "./dom.js";
import { setStatus, setType } from "./gestures.js";
import { area, length, number, percent, pixels, when } from "./format.js";
import { onLanguage, t } from "./i18n.js";
import { keepRemark, remarkField } from "./remark.js";
import { store } from "./store.js";

let shownKey = null;

export function startDetails() {
  const later = soon(paint);
  store.on("selection", () => {
    if (shownKey !== store.current) keepRemark();
    later();
  });
  onLanguage(paint);
  paint();
}

function paint() {
  const box = byId("finding");
  const focused = box.contains(document.activeElement) ? document.activeElement.id : null;
  // While a remark is typed, nothing is rebuilt under the typing hand.
  if (focused === "remark" && shownKey === store.current) return;
  shownKey = store.current;
  const { selected, currentFinding } = store;
  if (!selected.length || !currentFinding) box.replaceChildren(empty());
  else if (selected.length > 1) box.replaceChildren(headOfMany(selected), verdicts(selected), types(selected));
  else
    box.replaceChildren(
      headOf(currentFinding),
      verdicts(selected),
      types(selected),
      facts(currentFinding),
      remarkField(currentFinding),
    );
  if (focused) byId(focused)?.focus();
}

function empty() {
  return el("div.empty", {}, el("p", {}, t("nothing_chosen")), el("p.muted.small", {}, t("nothing_chosen_help")));
}

function headOf(finding) {
  const type = store.typeOf(finding.type);
  return el(
    "header.finding-head",
    {},
    el(
      "h2",
      {},
      el("i.swatch", { style: { "--color": type.color } }),
      t.title(type),
      el("span.muted", {}, ` ${t("number", finding.id)}`),
    ),
    el(`span.status.is-${finding.status}`, { id: "finding-status" }, t(`status_${finding.status}`)),
  );
}

function headOfMany(selected) {
  return el("header.finding-head", {}, el("h2", {}, t("n_selected", selected.length)));
}

/** Accept, reject, open again. */
function verdicts(selected) {
  const all = (status) => selected.every((finding) => finding.status === status);
  const isHand = all("added");
  const button = (status, name, key) =>
    el(
      `button.button.verdict.is-${status}`,
      {
        id: `set-${status}`,
        type: "button",
        disabled: !store.run.writable,
        "aria-pressed": String(all(status)),
        "aria-keyshortcuts": key,
        on: { click: () => setStatus(status) },
      },
      icon(name),
      el("span", {}, t(`do_${name}`)),
      el("kbd", {}, key),
    );
  const isOpen = all("proposed") || isHand;
  const reopen = el(
    "button.link",
    { id: "set-proposed", type: "button", hidden: isOpen, on: { click: () => setStatus("proposed") } },
    t("do_reopen"),
    el("kbd", {}, "P"),
  );
  return el("div.verdicts", {}, button("accepted", "accept", "A"), button("rejected", "reject", "R"), reopen);
}

/** The ten types, each with its digit. */
function types(selected) {
  const chosen = new Set(selected.map((finding) => finding.type));
  const button = (type) =>
    el(
      "button.type",
      {
        id: `type-${type.name}`,
        type: "button",
        disabled: !store.run.writable,
        "aria-pressed": !chosen.has(type.name) ? "false" : chosen.size > 1 ? "mixed" : "true",
        title: t.title(type),
        style: { "--color": type.color },
        on: { click: () => setType(type.name) },
      },
      el("kbd", {}, type.id % 10),
      el("span", {}, t.title(type)),
    );
  return el("div.types", { role: "group", "aria-label": t("change_type") }, store.types.map(button));
}

function facts(finding) {
  const pairs = [
    ["penalty", finding.status === "rejected" ? t("not_counted") : penaltyOf(finding)],
    ["confidence", finding.status === "added" ? t("by_hand") : percent(finding.confidence)],
    ["area", areaOf(finding)],
    ["length", lengthOf(finding)],
    ["share", finding.area_fraction ? percent(finding.area_fraction, 4) : ""],
    ["parts", finding.n_parts > 1 ? number(finding.n_parts) : ""],
    ["group", t(`group_${finding.group}`)],
    ["unit", finding.unit],
    ["detector", detectorOf(finding)],
    ["position", placeOf(finding)],
    [
      "reviewed",
      finding.reviewed && finding.status !== "proposed" ? t("reviewed_by", finding.reviewer || "–", when(finding.reviewed)) : "",
    ],
  ];
  const list = el("dl.facts");
  for (const [key, value] of pairs) if (value) list.append(el("dt", {}, t(key)), el("dd", {}, value));
  return list;
}

function penaltyOf(finding) {
  const points = number(finding.penalty ?? 0, 2);
  return finding.error_class ? t("penalty_of_class", points, finding.error_class) : points;
}

function areaOf(finding) {
  return finding.area_m2 ? [area(finding.area_m2), aside(finding.area_px)] : pixels(finding.area_px);
}

function lengthOf(finding) {
  if (finding.length_m) return [length(finding.length_m), aside(finding.length_px)];
  return finding.length_px ? pixels(finding.length_px) : "";
}

const aside = (px) => el("span.aside", {}, ` (${pixels(px)})`);

function detectorOf(finding) {
  const [kind, name = ""] = (finding.detector ?? "").split(/:(.*)/);
  return t.has(`detector_${kind}`) ? t(`detector_${kind}`, name) : finding.detector;
}

function placeOf(finding) {
  const [left, top] = finding.bounds;
  return t("row_col", number(Math.floor(top)), number(Math.floor(left)));
}
