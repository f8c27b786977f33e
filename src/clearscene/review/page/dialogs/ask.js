// A question before something that is not easily taken back.

import { el } from "../dom.js";
import { t } from "../i18n.js";
import { openDialog } from "./dialog.js";

/** Ask; resolves to true, to "other" where another way was offered and taken, or to false. */
export async function ask({ title, text, yes, other = "" }) {
  const answer = await openDialog({
    title,
    fill: (body, close) => {
      const button = (name, value, look) =>
        el(
          `button.button${look}`,
          { type: "button", autofocus: value === (other ? "other" : true), on: { click: () => close(value) } },
          name,
        );
      const buttons = [button(t("cancel"), false, ""), button(yes, true, other ? "" : ".is-primary")];
      if (other) buttons.push(button(other, "other", ".is-primary"));
      body.append(el("p", {}, text), el("div.form-actions", {}, buttons));
    },
  });
  return answer ?? false;
}
