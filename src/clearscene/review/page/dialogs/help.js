// The keys, as keymap.js has them.

import { el } from "../dom.js";
import { t } from "../i18n.js";
import { getPref, setPref } from "../prefs.js";
import { openDialog } from "./dialog.js";

/** Show all keys; `groups` is a list of {name, rows: [{name, shown}]}. */
export function openHelp(groups) {
  return openDialog({ title: t("keys_title"), isWide: true, fill: (body) => body.append(...content(groups)) });
}

function content(groups) {
  const sections = groups.map(({ name, rows }) =>
    el("section", {}, el("h3", {}, t(`keys_${name}`)), el("dl.keys", {}, rows.flatMap(rowOf))),
  );
  const check = el("input", {
    type: "checkbox",
    id: "single-keys",
    checked: getPref("keys") !== "no",
    on: { change: (event) => setPref("keys", event.target.checked ? null : "no") },
  });
  const mouse = ["mouse_click", "mouse_shift", "mouse_drag", "mouse_wheel", "mouse_freehand", "mouse_corner"].map((key) =>
    el("li", {}, t(key)),
  );
  return [
    el("div.keys-columns", {}, sections, el("section", {}, el("h3", {}, t("keys_mouse")), el("ul.plain-list", {}, mouse))),
    el("label.check", {}, check, el("span", {}, t("single_keys"))),
  ];
}

function rowOf({ name, shown }) {
  const keys = shown.split(" / ").flatMap((key, n) => [n ? " " : "", el("kbd", {}, key)]);
  return [el("dt", {}, keys), el("dd", {}, t(`do_${name}`))];
}
