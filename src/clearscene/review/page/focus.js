// Where keys go after a press of the mouse: to the page. A button that kept the focus would be pressed again by the
// next Enter or Space, and a list of choices would take the letters. Who uses Tab finds all of them as ever.

import { byId, isTyping } from "./dom.js";

let pointed = null; // the choice that the mouse has opened

export function startFocus() {
  document.addEventListener("mousedown", keepFocus);
  document.addEventListener("pointerdown", (event) => (pointed = event.target.closest("main select")));
  document.addEventListener("keydown", () => (pointed = null));
  document.addEventListener("change", (event) => event.target === pointed && toList());
}

function keepFocus(event) {
  if (!event.target.closest("main button, header > nav > button")) return;
  event.preventDefault();
  if (isTyping(document.activeElement)) toList();
}

const toList = () => byId("list").focus({ preventScroll: true });
