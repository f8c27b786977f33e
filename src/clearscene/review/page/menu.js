// The menu of what is needed now and then, with the keys that menus have.

import { byId, el } from "./dom.js";
import { onLanguage, t } from "./i18n.js";
import { getPref, setPref } from "./prefs.js";
import { openAgreement } from "./dialogs/agreement.js";
import { openExport, openReport } from "./dialogs/finish.js";
import { showHelp } from "./keymap.js";

const goesOn = () => getPref("advance") !== "no";
const ITEMS = [
  { name: "report", run: openReport },
  { name: "export_chips", run: openExport },
  { name: "agreement", run: openAgreement },
  { name: "advance", run: () => setPref("advance", goesOn() ? "no" : null), isOn: goesOn },
  { name: "show_keys", run: showHelp },
];

export function startMenu() {
  const [button, menu] = [byId("open-more"), byId("more-menu")];
  button.addEventListener("click", () => toggle(menu.hidden));
  menu.addEventListener("keydown", onKey);
  document.addEventListener(
    "pointerdown",
    (event) => !menu.contains(event.target) && !button.contains(event.target) && toggle(false),
  );
  menu.addEventListener("focusout", (event) => event.relatedTarget && !menu.contains(event.relatedTarget) && toggle(false));
  onLanguage(() => toggle(false));
}

function toggle(isOpen) {
  const [button, menu] = [byId("open-more"), byId("more-menu")];
  menu.hidden = !isOpen;
  button.setAttribute("aria-expanded", String(isOpen));
  if (!isOpen) return;
  menu.replaceChildren(...ITEMS.map(itemOf));
  menu.firstElementChild.focus();
}

function itemOf({ name, run, isOn }) {
  const press = () => {
    toggle(false);
    byId("open-more").focus();
    run();
  };
  const role = isOn ? "menuitemcheckbox" : "menuitem";
  return el(
    "button.menu-item",
    {
      type: "button",
      role,
      tabIndex: -1,
      id: `menu-${name}`,
      "aria-checked": isOn ? String(isOn()) : null,
      on: { click: press },
    },
    t(`menu_${name}`),
  );
}

function onKey(event) {
  const items = [...byId("more-menu").children];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (event.key === "Escape") {
    toggle(false);
    byId("open-more").focus();
  } else if (to !== undefined) items[(to + items.length) % items.length].focus();
  else return;
  event.preventDefault();
  event.stopPropagation();
}
