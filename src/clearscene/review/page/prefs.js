// What the page remembers of a person's taste: language, theme, whether to go on after a decision.
// Kept in a cookie, since the port (and with it the origin of localStorage) changes with every start.

const COOKIE = "clearscene_page";
const YEAR_S = 365 * 24 * 3600;

function read() {
  const kept = document.cookie.split("; ").find((part) => part.startsWith(`${COOKIE}=`));
  return new URLSearchParams(kept ? decodeURIComponent(kept.slice(COOKIE.length + 1)) : "");
}

/** The kept value of a preference, or null. */
export function getPref(name) {
  return read().get(name);
}

/** Keep a preference; null forgets it. */
export function setPref(name, value) {
  const prefs = read();
  if (value === null) prefs.delete(name);
  else prefs.set(name, value);
  document.cookie = `${COOKIE}=${encodeURIComponent(prefs)}; path=/; max-age=${YEAR_S}; samesite=strict`;
}

/** The theme in force: `light` or `dark`. */
export function theme() {
  return document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

/** Change to the other theme; back at the system's own, the choice is forgotten. */
export function switchTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = theme() === "dark" ? "light" : "dark";
  setPref("theme", next === system ? null : next);
  if (next === system) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  return next;
}

/** Whether the person asked for less movement. */
export function isCalm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
