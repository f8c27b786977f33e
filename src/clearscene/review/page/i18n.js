// The words of the page in English and Chinese. `t(key, a, b)` fills {0} and {1}; `one|many` chooses by the first value.

import en from "./lang/en.js";
import zh from "./lang/zh.js";
import { setPref, getPref } from "./prefs.js";

const LANGUAGES = { en, zh };
let current = "en";
const listeners = [];

/** The text of a key in the language in force. */
export function t(key, ...values) {
  const text = LANGUAGES[current][key] ?? en[key] ?? key;
  const forms = text.split("|");
  const form = forms.length > 1 && values[0] !== 1 ? forms[1] : forms[0];
  return form.replace(/\{(\d)\}/g, (_, n) => shown(key, values[n] ?? ""));
}

/** Counts with their thousands apart; a finding's number is a name and stays as it is. */
const shown = (key, value) =>
  typeof value === "number" && key.startsWith("n_")
    ? new Intl.NumberFormat(current === "zh" ? "zh-CN" : "en-US").format(value)
    : String(value);

t.has = (key) => key in en;

/** Title of something that brings its own names, such as a type of the server. */
t.title = (thing) => (current === "zh" ? (thing.title_zh ?? thing.title) : thing.title);

/** One of a pair {en, zh} that the server sent. */
t.pick = (pair) => (pair && typeof pair === "object" ? (pair[current] ?? pair.en ?? "") : (pair ?? ""));

export const language = () => current;

/** Choose the language at the start: the person's last choice, else the run's, else the browser's. */
export function startLanguage(ofRun) {
  const wanted = getPref("lang") ?? ofRun ?? navigator.language.slice(0, 2);
  current = wanted in LANGUAGES ? wanted : "en";
  paint();
}

export function switchLanguage() {
  current = current === "en" ? "zh" : "en";
  setPref("lang", current);
  paint();
  listeners.forEach((listener) => listener());
}

/** Call a function whenever the language changes. */
export function onLanguage(listener) {
  listeners.push(listener);
}

/** Fill in the words of index.html: `data-t` as text, `data-t-label` as accessible name. */
function paint() {
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-t-label]")) {
    node.setAttribute("aria-label", t(node.dataset.tLabel));
    if (node.matches("button")) node.title = t(node.dataset.tLabel);
  }
}
