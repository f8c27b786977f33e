// The list of findings, with only the rows in sight in the document: two thousand scroll like twenty.

import { byId, el, icon, soon } from "./dom.js";
import { language, onLanguage, t } from "./i18n.js";
import { number, percent } from "./format.js";
import { store } from "./store.js";

const ROW_PX = 76;
const SPARE = 6; // rows kept above and below what is seen
const CROP_PX = 128;
const CROP_WAIT_MS = 90; // rows that only fly past ask for no picture
const rows = new Map(); // key -> {node, text}
let inner = null;
let isToReveal = false;

export function startList() {
  const list = byId("list");
  inner = el("div.list-inner", { role: "presentation" });
  list.append(inner);
  list.addEventListener("scroll", ask, { passive: true });
  new ResizeObserver(ask).observe(list);
  inner.addEventListener("click", choose);
  store.on("findings", ask);
  store.on("order", ({ isNew }) => {
    isToReveal ||= isNew;
    ask();
  });
  store.on("selection", ({ from }) => {
    if (from !== "change") reveal(store.current);
    ask();
  });
  onLanguage(() => {
    rows.forEach(({ node }) => node.remove());
    rows.clear();
    ask();
  });
}

const ask = soon(() => paint());

function choose(event) {
  const row = event.target.closest("[data-key]");
  if (!row) return;
  const how = event.shiftKey ? "span" : event.ctrlKey || event.metaKey ? "toggle" : "one";
  store.select(Number(row.dataset.key), { how, from: "list" });
}

function paint() {
  const list = byId("list");
  const keys = store.shown;
  inner.style.height = `${keys.length * ROW_PX}px`;
  if (isToReveal) reveal(store.current);
  isToReveal = false;
  const first = Math.max(0, Math.floor(list.scrollTop / ROW_PX) - SPARE);
  const last = Math.min(keys.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW_PX) + SPARE);
  const wanted = new Set(keys.slice(first, last));
  for (const [key, { node }] of rows) {
    if (wanted.has(key)) continue;
    node.remove();
    rows.delete(key);
  }
  for (let n = first; n < last; n += 1) place(keys[n], n, keys.length);
  if (store.current !== null && rows.has(store.current)) list.setAttribute("aria-activedescendant", `row-${store.current}`);
  else list.removeAttribute("aria-activedescendant");
  showFoot(keys.length);
}

/** Put a row in its place; its content is made anew only where the finding changed. */
function place(key, index, n) {
  const finding = store.findings.get(key);
  const text = [
    finding.status,
    finding.type,
    finding.penalty,
    finding.revision,
    finding.remark,
    finding.isPending,
    language(),
  ].join();
  let row = rows.get(key);
  if (!row) {
    row = { node: el("div.row", { id: `row-${key}`, role: "option", data: { key } }), text: "" };
    rows.set(key, row);
    inner.append(row.node);
  }
  if (row.text !== text) fill(row, finding, text);
  const { node } = row;
  node.style.transform = `translateY(${index * ROW_PX}px)`;
  node.setAttribute("aria-selected", String(store.selection.has(key)));
  node.setAttribute("aria-setsize", n);
  node.setAttribute("aria-posinset", index + 1);
  node.classList.toggle("is-current", key === store.current);
}

function fill(row, finding, text) {
  row.text = text;
  const type = store.typeOf(finding.type);
  const title = t.title(type);
  row.node.className = `row is-${finding.status}`;
  row.node.setAttribute(
    "aria-label",
    t(
      "row_label",
      finding.id,
      title,
      t(`status_${finding.status}`),
      number(finding.penalty ?? 0, 2),
      percent(finding.confidence),
    ),
  );
  const crop = row.node.querySelector(".crop") ?? cropOf(finding);
  if (crop.dataset.revision !== String(finding.revision)) setCrop(crop, finding);
  row.node.style.setProperty("--color", type.color);
  row.node.replaceChildren(
    crop,
    el(
      "div.row-body",
      {},
      el(
        "div.row-title",
        {},
        el("i.swatch"),
        el("span.row-type", { title }, title),
        mark(finding),
      ),
      el("div.row-facts", {}, facts(finding)),
      el("div.row-notes", {}, el("span.row-id", {}, t("number", finding.id)), el("span.row-remark", {}, finding.remark)),
    ),
  );
}

/** Only what was decided is worth a mark; the name of the row tells it in words. */
function mark({ status }) {
  const name = { accepted: "accept", rejected: "reject", added: "draw" }[status];
  return name ? el(`span.mark.is-${status}`, { title: t(`status_${status}`) }, icon(name)) : "";
}

function facts(finding) {
  const penalty = finding.status === "rejected" ? t("not_counted") : t("penalty_n", number(finding.penalty ?? 0, 2));
  if (finding.status === "added") return `${penalty} · ${t("by_hand")}`;
  const confidence = percent(finding.confidence);
  // Where the list is narrow the word goes, not the figure.
  return [`${penalty} · `, el("span.if-wide", {}, t("confidence_n", confidence)), el("span.if-narrow", {}, confidence)];
}

function cropOf(finding) {
  const image = el("img.crop", { alt: "", width: 60, height: 60, decoding: "async", draggable: false });
  image.addEventListener("error", () => image.classList.add("is-missing"));
  image.addEventListener("load", () => image.classList.remove("is-missing"));
  image.dataset.key = finding.key;
  return image;
}

/** Ask for the picture when the row has stayed for a moment. */
function setCrop(image, finding) {
  image.dataset.revision = finding.revision;
  if (!store.scene.available) return image.classList.add("is-missing");
  const address = `/crops/${finding.key}?size=${CROP_PX}&revision=${finding.revision}`;
  setTimeout(
    () => image.isConnected && image.dataset.revision === String(finding.revision) && (image.src = address),
    CROP_WAIT_MS,
  );
  return undefined;
}

/** Scroll a finding into sight, with one row to spare on either side. */
function reveal(key) {
  const index = store.shown.indexOf(key);
  if (index < 0) return;
  const list = byId("list");
  const top = index * ROW_PX;
  if (top - ROW_PX < list.scrollTop) list.scrollTop = top - ROW_PX;
  else if (top + 2 * ROW_PX > list.scrollTop + list.clientHeight) list.scrollTop = top + 2 * ROW_PX - list.clientHeight;
}

function showFoot(n) {
  const foot = byId("list-foot");
  const nSelected = store.selection.size;
  const text =
    nSelected > 1
      ? t("n_selected", nSelected)
      : n === store.findings.size
        ? t("n_findings", n)
        : t("n_of_findings", n, store.findings.size);
  if (foot.textContent !== text) foot.textContent = text;
  byId("list").classList.toggle("is-empty", n === 0);
  byId("list").dataset.empty = store.findings.size ? t("nothing_passes") : t("no_findings");
}
