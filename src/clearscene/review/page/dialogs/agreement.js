// How far two reviewers agree: kappa, table, and what they see differently.

import { get } from "../api.js";
import { el } from "../dom.js";
import { number, percent } from "../format.js";
import { t } from "../i18n.js";
import { store } from "../store.js";
import { formError, openDialog } from "./dialog.js";

export function openAgreement() {
  return openDialog({ title: t("agreement"), isWide: true, fill: (body, close) => load(body, close, null) });
}

async function load(body, close, pair) {
  body.replaceChildren(el("p.muted", {}, t("working")));
  try {
    const query = pair ? `?reviewers=${pair.map(encodeURIComponent).join(",")}` : "";
    const answer = await get(`/api/agreement${query}`);
    body.replaceChildren(...content(answer, close, (next) => load(body, close, next)));
  } catch (error) {
    body.replaceChildren(formError(error));
  }
}

function content(answer, close, reload) {
  if ((answer.all ?? []).length < 2) return [el("p", {}, t("agreement_one")), el("p.muted.small", {}, t("agreement_help"))];
  const [a, b] = answer.reviewers;
  const choose = (name, other, isFirst) =>
    el(
      "select.field",
      {
        "aria-label": t("reviewer"),
        on: { change: (event) => reload(isFirst ? [event.target.value, other] : [other, event.target.value]) },
      },
      answer.all.map((each) => el("option", { value: each, selected: each === name, disabled: each === other }, each)),
    );
  const share = answer.n ? percent(answer.agree / answer.n, 1) : "–";
  return [
    el("div.form-pair", {}, choose(a, b, true), choose(b, a, false)),
    el(
      "dl.figures",
      {},
      figure("kappa", answer.kappa === null ? "–" : number(answer.kappa, 3)),
      figure("both_decided", number(answer.n)),
      figure("agreed", `${number(answer.agree)} (${share})`),
    ),
    el("p.muted.small", {}, t("kappa_help")),
    disagreements(answer, close),
  ];
}

const figure = (key, value) => el("div", {}, el("dt", {}, t(key)), el("dd", {}, value));

function disagreements({ disagreements: rows, reviewers }, close) {
  if (!rows.length) return el("p.good", {}, t("no_disagreements"));
  const head = el(
    "tr",
    {},
    el("th", { scope: "col" }, t("finding")),
    reviewers.map((name) => el("th", { scope: "col" }, name)),
  );
  const jump = (key) => {
    close();
    store.select(key, { from: "step" });
  };
  const body = rows.map((row) =>
    el(
      "tr",
      {},
      el(
        "td",
        {},
        el(
          "button.link",
          { type: "button", disabled: !store.findings.has(row.key), on: { click: () => jump(row.key) } },
          t("number", row.id),
        ),
      ),
      reviewers.map((name) => el("td", {}, verdict(row.verdicts[name]))),
    ),
  );
  return el("div.scrolled", {}, el("table.plain", {}, el("thead", {}, head), el("tbody", {}, body)));
}

/** "accepted:cloud" in words. */
function verdict(text = "") {
  const [status, type] = text.split(":");
  return [t(`status_${status}`), type && t.title(store.typeOf(type))].filter(Boolean).join(" · ");
}
