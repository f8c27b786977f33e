// The score and grade, alive: they follow every decision.

import { byId, el, icon, soon } from "./dom.js";
import { area, length, number, pixels, signed, when } from "./format.js";
import { onLanguage, t } from "./i18n.js";
import { store } from "./store.js";
import { banner } from "./toasts.js";

let last = null;
let isOpen = false;

export function startScore() {
  store.on("state", soon(paint));
  onLanguage(paint);
  paint();
}

function paint() {
  const { score } = store;
  if (!score) return;
  const verdict = score.passed ? "pass" : "fail";
  byId("score").className = `score is-${verdict}`;
  const change = last === null ? 0 : score.score - last;
  if (change) lastChange = { by: change, at: Date.now() };
  last = score.score;
  byId("score").replaceChildren(
    head(score, verdict),
    el("div.meter", {}, el("i", { style: { width: `${score.score}%` } })),
    signatureLine(),
    more(score),
  );
  showProgress();
  showSignatureBanner();
}

let lastChange = null;
const CHANGE_SHOWN_MS = 4000;

function head(score, verdict) {
  const isFresh = lastChange && Date.now() - lastChange.at < CHANGE_SHOWN_MS;
  const delta = isFresh && el(`span.delta.is-${lastChange.by > 0 ? "up" : "down"}`, {}, signed(lastChange.by, 2));
  return el(
    "div.score-head",
    { role: "status" },
    el("span.visually-hidden", {}, `${t("score")} `),
    el("strong.score-figure", { id: "score-figure" }, number(score.score, 1)),
    delta || "",
    el("span.score-grade", {}, t(score.is_draft ? "draft_grade" : "grade"), el("b", { id: "score-grade" }, gradeText(score))),
    el(
      `span.pill.is-${verdict}`,
      { id: "score-verdict" },
      icon(score.passed ? "accept" : "reject"),
      t(score.passed ? "passed" : "failed"),
    ),
  );
}

export function gradeText(score) {
  const title = t.pick(score.grade_title) || score.grade || "–";
  // A letter stays beside its words; a name such as "fail" is replaced by them.
  return score.grade.length < 3 && title !== score.grade ? `${score.grade} · ${title}` : title[0].toUpperCase() + title.slice(1);
}

/** What decided it, type by type; closed until it is asked for. */
function more(score) {
  const summary = el("summary", {}, t("why"), el("span.muted", {}, ` ${t.pick(score.title) || score.standard}`));
  const details = el("details.score-more", { open: isOpen, on: { toggle: (event) => (isOpen = event.target.open) } }, summary);
  if (score.is_draft) details.append(el("p.muted.small", {}, t("draft_reason", t.pick(score.title) || score.standard)));
  details.append(
    el(
      "ul.reasons",
      {},
      score.reasons.map((reason) => el("li", {}, t.pick(reason))),
    ),
  );
  if (score.types.length) details.append(typeTable(score));
  return details;
}

function typeTable(score) {
  const head = ["type", "count", "amount", "penalty"].map((key) => el("th", { scope: "col" }, t(key)));
  const rows = score.types.map((row) => {
    const type = store.typeOf(row.type);
    const name = el("td", {}, el("i.swatch", { style: { "--color": type.color } }), t.title(type));
    return el(
      "tr",
      {},
      name,
      el("td.n", {}, number(row.count)),
      el("td.n", {}, amountOf(row)),
      el("td.n", {}, number(row.penalty ?? 0, 2)),
    );
  });
  return el("table.score-types", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows));
}

function amountOf(row) {
  if (row.length_m) return length(row.length_m);
  if (row.area_m2) return area(row.area_m2);
  return row.area_px ? pixels(row.area_px) : "";
}

function signatureLine() {
  const { signature } = store;
  if (!signature) return "";
  const text = t("signed_by", signature.name, when(signature.at), t(`decision_${signature.decision}`));
  return el(
    `p.signed.is-${signature.matches ? "good" : "bad"}`,
    { title: signature.digest },
    icon(signature.matches ? "sign" : "warn"),
    el("span", {}, text),
  );
}

function showSignatureBanner() {
  const { signature } = store;
  const isStale = signature && !signature.matches;
  banner("signature", isStale ? t("signature_stale", signature.name, when(signature.at)) : null, { kind: "warn" });
}

/** The bar at the top: how much is decided. */
function showProgress() {
  const { counts } = store;
  const total = counts.total || 1;
  const nDecided = counts.total - counts.proposed;
  const box = byId("progress");
  for (const status of ["accepted", "added", "rejected"]) {
    box.querySelector(`.is-${status}`).style.width = `${(100 * (counts[status] ?? 0)) / total}%`;
  }
  box.setAttribute("aria-valuemax", counts.total);
  box.setAttribute("aria-valuenow", nDecided);
  const text = counts.proposed
    ? t("n_decided", number(nDecided), number(counts.total))
    : t("all_decided_short", number(counts.total));
  byId("progress-text").textContent = text;
  box.setAttribute("aria-valuetext", text);
}
