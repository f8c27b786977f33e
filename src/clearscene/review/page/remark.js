// The remark of a finding: kept when the field is left, with Ctrl+Enter, on a pause in typing, and when the page closes.

import { post } from "./api.js";
import { byId, el } from "./dom.js";
import { setRemark } from "./gestures.js";
import { t } from "./i18n.js";
import { store } from "./store.js";

const PAUSE_MS = 2500;
let field = null; // {key, node, kept}
let timer = 0;

/** A field with the remark of a finding. */
export function remarkField(finding) {
  const node = el("textarea.field", {
    id: "remark",
    rows: 2,
    value: finding.remark ?? "",
    maxLength: 2000,
    readOnly: !store.run.writable,
    placeholder: t("remark_hint"),
    on: { input: later, blur: keepRemark, keydown: leave },
  });
  field = { key: finding.key, node, kept: finding.remark ?? "" };
  return el("div.remark", {}, el("label", { htmlFor: "remark" }, t("remark"), el("kbd", {}, "N")), node);
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(keepRemark, PAUSE_MS);
}

function leave(event) {
  if (event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey))) {
    event.preventDefault();
    event.stopPropagation();
    keepRemark();
    byId("list").focus();
  }
}

/** Send the remark if it was changed. */
export function keepRemark() {
  clearTimeout(timer);
  if (!field) return;
  const { key, node, kept } = field;
  const text = node.value.trim();
  if (text === kept || !store.findings.has(key)) return;
  field.kept = text;
  setRemark(key, text);
}

export const focusRemark = () => byId("remark")?.focus();

addEventListener("pagehide", () => {
  const text = field?.node.value.trim();
  if (!field || text === field.kept || !store.findings.has(field.key)) return;
  post("/api/edit", { action: "remark", keys: [field.key], remark: text }, { keepalive: true });
});
