// Write the report anew, and export decisions as training chips.

import { post } from "../api.js";
import { el } from "../dom.js";
import { number } from "../format.js";
import { allKept } from "../gestures.js";
import { t } from "../i18n.js";
import { toast } from "../toasts.js";
import { fieldOf, formError, openDialog } from "./dialog.js";

/** Score the run into its record and open the report. The window opens first: browsers refuse one that comes late. */
export async function openReport() {
  const page = window.open("", "_blank");
  if (page) page.document.body.textContent = t("working");
  try {
    await allKept();
    const answer = await post("/api/finish", {});
    if (page) page.location = answer.report;
    toast(t("report_written"), { kind: "good" });
  } catch (error) {
    page?.close();
    toast(error.message, { detail: error.hint, kind: "error" });
  }
}

export function openExport() {
  return openDialog({ title: t("export_title"), fill });
}

function fill(body, close) {
  const folder = el("input.field", { id: "export-folder", required: true, value: "chips", maxLength: 100, spellcheck: false });
  const result = el("div", { id: "export-result", role: "status" });
  const send = el("button.button.is-primary", { type: "submit" }, t("export"));
  const form = el(
    "form.form",
    {},
    el("p.muted", {}, t("export_help")),
    fieldOf("export-folder", t("export_folder"), folder, t("export_folder_help")),
    result,
    el("div.form-actions", {}, el("button.button", { type: "button", on: { click: () => close() } }, t("close")), send),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    result.replaceChildren(el("p.muted", {}, t("working")));
    try {
      await allKept();
      result.replaceChildren(...summary(await post("/api/export", { folder: folder.value.trim() })));
    } catch (error) {
      result.replaceChildren(formError(error));
    }
    send.disabled = false;
  });
  body.append(form);
}

function summary(answer) {
  const splits = Object.entries(answer.splits ?? {}).map(([name, n]) => `${t(`split_${name}`)} ${number(n)}`);
  return [
    el("p.good", {}, t("n_chips", answer.n_chips)),
    el("p.muted.small", {}, splits.join(" · ")),
    el("p.path", {}, answer.folder),
  ];
}
