// Short words to the person: toasts that go by themselves, banners that stay while something holds, and speech.

import { byId, el, icon } from "./dom.js";
import { t } from "./i18n.js";

const SHOWN_MS = { info: 5000, good: 5000, error: 9000 };
const MOST = 3;

/** Show a text for some seconds; pointing at it keeps it. */
export function toast(text, { detail = "", kind = "info" } = {}) {
  const close = el("button.button.is-icon.is-quiet", { type: "button", "aria-label": t("close") }, icon("close"));
  const body = el("div", {}, el("p", {}, text), detail && el("p.muted.small", {}, detail));
  const node = el(`div.toast.is-${kind}`, {}, body, close);
  let timer = setTimeout(() => node.remove(), SHOWN_MS[kind]);
  node.addEventListener("pointerenter", () => clearTimeout(timer));
  node.addEventListener("pointerleave", () => (timer = setTimeout(() => node.remove(), 2000)));
  close.addEventListener("click", () => node.remove());
  const box = byId("toasts");
  box.append(node);
  while (box.children.length > MOST) box.firstElementChild.remove();
}

/** Show a line under the bar, or take it away (text null). */
export function banner(name, text, { kind = "info", action = null } = {}) {
  const known = document.querySelector(`[data-banner="${name}"]`);
  if (text === null) {
    known?.remove();
    return;
  }
  const node = el(`div.banner.is-${kind}`, { data: { banner: name }, role: "status" }, icon("warn"), el("span", {}, text));
  if (action) node.append(el("button.button", { type: "button", on: { click: action.run } }, action.text));
  if (known?.textContent === node.textContent) return;
  if (known) known.replaceWith(node);
  else byId("banners").append(node);
}

/** Tell a screen reader what happened, without showing it. */
export function say(text) {
  byId("announcer").textContent = text;
}
