// Numbers, areas and times for people, in the language in force.

import { language, t } from "./i18n.js";

const locale = () => (language() === "zh" ? "zh-CN" : "en-US");

/** A number with at most so many decimals. */
export function number(value, decimals = 0) {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: decimals }).format(value);
}

export function percent(fraction, decimals = 0) {
  return new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: decimals }).format(fraction);
}

/** Three digits that matter, and all before the point: 12,300 · 123 · 12.3 · 0.0123. */
function short(value) {
  return value >= 1000 ? number(value) : new Intl.NumberFormat(locale(), { maximumSignificantDigits: 3 }).format(value);
}

/** A figure and its unit, never on two lines. */
const withUnit = (figure, unit) => `${figure}\u00a0${t(`unit_${unit}`)}`;

export function area(m2) {
  if (m2 >= 1e6) return withUnit(short(m2 / 1e6), "km2");
  if (m2 >= 1e4) return withUnit(short(m2 / 1e4), "ha");
  return withUnit(short(m2), "m2");
}

export function length(m) {
  return m >= 1000 ? withUnit(short(m / 1000), "km") : withUnit(short(m), "m");
}

export const pixels = (n) => withUnit(number(n), "px");

/** Date and time of day: "Nov 25, 16:40". */
export function when(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const isThisYear = date.getFullYear() === new Date().getFullYear();
  const options = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false };
  return new Intl.DateTimeFormat(locale(), isThisYear ? options : { ...options, year: "numeric" }).format(date);
}

/** A number to add: "+2.5", "−2.5" with a real minus. */
export function signed(value, decimals = 1) {
  return `${value < 0 ? "−" : "+"}${number(Math.abs(value), decimals)}`;
}
