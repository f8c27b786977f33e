// Sign the report: name, decision, remark. What is signed is the digest of the findings as they are now.

import { post } from "../api.js";
import { el } from "../dom.js";
import { number, when } from "../format.js";
import { allKept } from "../gestures.js";
import { t } from "../i18n.js";
import { getPref, setPref } from "../prefs.js";
import { gradeText } from "../score.js";
import { store } from "../store.js";
import { toast } from "../toasts.js";
import { fieldOf, formError, openDialog } from "./dialog.js";

const DECISIONS = ["accepted", "accepted_with_reservations", "rejected"];

export function openSign() {
  return openDialog({ title: t("sign_title"), fill });
}

function fill(body, close) {
  const { counts, score, signature, run } = store;
  const name = el("input.field", {
    id: "sign-name",
    required: true,
    maxLength: 200,
    autocomplete: "name",
    value: getPref("name") ?? run.reviewer ?? "",
  });
  const usual = score.passed ? "accepted" : "rejected";
  const decision = el(
    "select.field",
    { id: "sign-decision" },
    DECISIONS.map((value) => el("option", { value, selected: value === usual }, t(`decision_${value}`))),
  );
  const remark = el("textarea.field", { id: "sign-remark", rows: 3, maxLength: 2000 });
  const problem = el("div");
  const send = el("button.button.is-primary", { type: "submit", disabled: !run.writable }, t("sign"));
  const form = el(
    "form.form",
    {},
    el("p", {}, t("sign_of", number(score.score, 1), gradeText(score), t(score.passed ? "passed" : "failed"))),
    counts.proposed ? el("p.notice", {}, t("sign_open", counts.proposed)) : "",
    unseenNotice(),
    signature ? el("p.muted.small", {}, t("sign_again", signature.name, when(signature.at))) : "",
    fieldOf("sign-name", t("name"), name),
    fieldOf("sign-decision", t("decision"), decision),
    fieldOf("sign-remark", t("remark"), remark),
    problem,
    el("div.form-actions", {}, el("button.button", { type: "button", on: { click: () => close() } }, t("cancel")), send),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    problem.replaceChildren(el("p.muted", { role: "status" }, t("working"))); // the report is drawn anew
    try {
      await allKept();
      const answer = await post("/api/sign", { name: name.value.trim(), decision: decision.value, remark: remark.value.trim() });
      setPref("name", name.value.trim());
      store.mergeState({ signature: answer.signature });
      toast(t("signed_now", answer.signature.name), { kind: "good", detail: answer.signature.digest });
      close(true);
    } catch (error) {
      problem.replaceChildren(formError(error));
      send.disabled = false;
    }
  });
  body.append(form);
}

/** Says so where walk mode was begun and not ended. */
function unseenNotice() {
  const { n_seen: nSeen = 0, rows = 0, cols = 0 } = store.walk ?? {};
  const nUnseen = rows * cols - nSeen;
  return nSeen && nUnseen ? el("p.notice", {}, t("n_unseen", nUnseen)) : "";
}
