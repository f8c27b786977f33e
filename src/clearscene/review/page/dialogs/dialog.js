// One modal window at a time, made when it is opened and gone when it is closed. Focus goes in, and back where it was.

import { el, icon } from "../dom.js";
import { t } from "../i18n.js";

/**
 * Open a window; `fill(body, close)` puts its content in. Returns a promise of what `close` was given.
 * @param {{title: string, fill: function, isWide?: boolean}} options
 */
export function openDialog({ title, fill, isWide = false }) {
  document.querySelector("dialog")?.close();
  const before = document.activeElement;
  return new Promise((resolve) => {
    const dialog = el(`dialog.dialog${isWide ? ".is-wide" : ""}`, { "aria-labelledby": "dialog-title" });
    let result;
    const close = (value) => {
      result = value;
      dialog.close();
    };
    const quit = el(
      "button.button.is-icon.is-quiet",
      { type: "button", "aria-label": t("close"), on: { click: () => close() } },
      icon("close"),
    );
    const body = el("div.dialog-body");
    dialog.append(el("header.dialog-head", {}, el("h2", { id: "dialog-title" }, title), quit), body);
    dialog.addEventListener("click", (event) => event.target === dialog && close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      before?.focus?.();
      resolve(result);
    });
    document.body.append(dialog);
    fill(body, close);
    dialog.showModal();
    (dialog.querySelector("[autofocus]") ?? body.querySelector("input, select, textarea, button") ?? quit).focus();
  });
}

export const isDialogOpen = () => Boolean(document.querySelector("dialog[open]"));

/** A labelled field. */
export function fieldOf(id, label, field, help = "") {
  return el("div.form-row", {}, el("label", { htmlFor: id }, label), field, help && el("p.muted.small", {}, help));
}

/** A place for what the server said to a form. */
export function formError(error) {
  return el("p.form-error", { role: "alert" }, error.message, error.hint ? ` ${error.hint}` : "");
}
