// What the page knows: findings, shapes, selection, score. Parts of the page listen to it; gestures.js changes it.

import { countBy, passes, sortKeys, span, stepFrom } from "./order.js";

/**
 * Events: `findings` {changed, removed} · `order` {isNew} · `selection` · `state` (score, counts, undo, signature) · `walk`
 */
class Store {
  constructor() {
    this.listeners = new Map();
    this.base = new Map(); // key -> finding as the server knows it
    this.findings = new Map(); // key -> finding as it is shown: base, with what was asked for and not yet answered
    this.asked = []; // {keys, changes} on their way to the server
    this.geometries = new Map(); // key -> GeoJSON in scene pixels
    this.exact = new Set(); // keys of which the whole, not a simplified, shape is here
    this.selection = new Set();
    this.current = null;
    this.sort = { by: "penalty", isReversed: false };
    this.filter = { types: new Set(), statuses: new Set() };
    this.ranked = []; // all keys in order, filtered or not
    this.shown = []; // those that pass the filter
    this.lastIndex = 0;
    this.version = 0;
  }

  on(names, listener) {
    for (const name of names.split(" ")) {
      if (!this.listeners.has(name)) this.listeners.set(name, []);
      this.listeners.get(name).push(listener);
    }
  }

  emit(name, detail = {}) {
    for (const listener of this.listeners.get(name) ?? []) listener(detail);
  }

  /** Take in everything, at the start and after a reload. */
  fill(state, findings, geometries, areExact) {
    Object.assign(this, state);
    this.types_ = new Map(state.types.map((type) => [type.name, type]));
    this.base = new Map(findings.map((finding) => [finding.key, finding]));
    this.findings = new Map(this.base);
    this.asked.forEach(({ keys }) => this.compose(keys));
    this.geometries = new Map(Object.entries(geometries).map(([key, shape]) => [Number(key), shape]));
    this.exact = new Set(areExact ? this.geometries.keys() : []);
    this.selection = new Set([...this.selection].filter((key) => this.findings.has(key)));
    if (!this.findings.has(this.current)) this.current = null;
    this.rank();
    this.emit("findings", { changed: new Set(this.findings.keys()), removed: new Set(), isAll: true });
    this.emit("state");
    this.emit("selection");
  }

  typeOf(name) {
    return this.types_.get(name) ?? { name, title: name, title_zh: name, color: "#808080", id: 0 };
  }

  get currentFinding() {
    return this.findings.get(this.current) ?? null;
  }

  get selected() {
    return [...this.selection].map((key) => this.findings.get(key)).filter(Boolean);
  }

  countsBy(field) {
    return countBy(this.findings.values(), field);
  }

  /** Sort anew. Between sorts places are kept, so that nothing jumps while its penalty changes. */
  rank() {
    this.ranked = sortKeys(this.findings.values(), { ...this.sort, strip: this.walk?.cell ?? 512 });
    this.sift({ isNew: true });
  }

  /** Apply the filter to the order at hand; `isNew` is one that a person has asked for. */
  sift({ isNew = false } = {}) {
    const index = this.shown.indexOf(this.current);
    if (index >= 0) this.lastIndex = index;
    this.shown = this.ranked.filter((key) => this.findings.has(key) && passes(this.findings.get(key), this.filter));
    this.emit("order", { isNew });
  }

  setSort(sort) {
    this.sort = { ...this.sort, ...sort };
    this.rank();
  }

  toggleFilter(field, value) {
    const chosen = this.filter[field];
    if (!chosen.delete(value)) chosen.add(value);
    this.rank();
    this.dropHidden();
  }

  /** What a filter has just taken from the list is not chosen any more: nobody decides on what is not in sight. */
  dropHidden() {
    const kept = this.shown.filter((key) => this.selection.has(key));
    if (kept.length === this.selection.size) return;
    if (kept.length) this.selectMany(kept, { from: "filter" });
    else if (this.shown.length) this.select(this.shown[0], { from: "step" });
    else this.selectNone();
  }

  clearFilter() {
    this.filter.types.clear();
    this.filter.statuses.clear();
    this.rank();
  }

  /** Select one finding, and with `how` add it ("toggle"), or all up to it ("span"). `from` tells who asked. */
  select(key, { how = "one", from = "list" } = {}) {
    if (how === "toggle" && this.selection.has(key) && this.selection.size > 1) {
      this.selection.delete(key);
      if (this.current === key) this.current = [...this.selection].at(-1);
    } else {
      const keys = how === "span" ? span(this.shown, this.current, key) : [key];
      if (how !== "toggle") this.selection.clear();
      keys.forEach((each) => this.selection.add(each));
      if (how !== "span" || this.current === null) this.current = key;
    }
    const index = this.shown.indexOf(this.current);
    if (index >= 0) this.lastIndex = index;
    this.emit("selection", { from, key });
  }

  /** Select many at once: one event, however many there are. */
  selectMany(keys, { from = "all" } = {}) {
    this.selection = new Set(keys);
    if (!this.selection.has(this.current)) this.current = keys[0] ?? null;
    this.emit("selection", { from });
  }

  selectAll() {
    this.selectMany(this.shown);
  }

  selectNone() {
    this.selection.clear();
    this.current = null;
    this.emit("selection", { from: "none" });
  }

  step(by, { how = "one" } = {}) {
    const anchor = how === "span" ? (this.spanEnd ?? this.current) : this.current;
    const key = stepFrom(this.shown, anchor, by, this.lastIndex);
    if (key === null) return null;
    this.spanEnd = how === "span" ? key : null;
    this.select(key, { how, from: "step" });
    return key;
  }

  /** Show a change before the server has confirmed it; returns the function that ends this. */
  pretend(keys, changes) {
    const wish = { keys, changes };
    this.asked.push(wish);
    this.compose(keys);
    this.changed(new Set(keys), new Set());
    return () => {
      this.asked.splice(this.asked.indexOf(wish), 1);
      this.compose(keys);
      this.changed(new Set(keys), new Set());
    };
  }

  /** Set what is shown of findings from what the server knows and what it was asked for. */
  compose(keys) {
    for (const key of keys) {
      if (!this.base.has(key)) continue;
      const wishes = this.asked.filter((wish) => wish.keys.includes(key)).map((wish) => wish.changes);
      this.findings.set(key, Object.assign({}, this.base.get(key), ...wishes));
    }
  }

  /** Take in an answer of the server: to an own gesture, or of changes by others. */
  merge(answer) {
    const changed = new Set();
    for (const finding of answer.findings ?? []) {
      const known = this.base.get(finding.key);
      if (known && known.revision > finding.revision) continue;
      if (!known) this.place(finding.key);
      this.base.set(finding.key, finding);
      changed.add(finding.key);
    }
    for (const [key, shape] of Object.entries(answer.geometries ?? {})) this.setGeometry(Number(key), shape, true);
    for (const [key, [penalty, error_class]] of Object.entries(answer.repriced ?? {})) {
      const finding = this.base.get(Number(key));
      if (!finding) continue;
      this.base.set(finding.key, { ...finding, penalty, error_class });
      changed.add(finding.key);
    }
    this.compose(changed);
    const removed = new Set((answer.removed ?? []).filter((key) => this.findings.has(key)));
    const isChosenGone = [...removed].some((key) => this.selection.has(key));
    removed.forEach((key) => this.forget(key));
    if (changed.size || removed.size) this.changed(changed, removed);
    if (isChosenGone) this.emit("selection", { from: "change" });
    if ((answer.version ?? 0) >= this.version) this.mergeState(answer);
  }

  mergeState(answer) {
    this.version = answer.version ?? this.version;
    for (const name of ["score", "counts"]) if (answer[name]) this[name] = answer[name];
    for (const name of ["undo", "redo", "signature"]) if (name in answer) this[name] = answer[name];
    this.emit("state");
  }

  setGeometry(key, shape, isExact) {
    this.geometries.set(key, shape);
    if (isExact) this.exact.add(key);
  }

  changed(changed, removed) {
    this.sift();
    this.emit("findings", { changed, removed });
    if ([...changed, ...removed].some((key) => key === this.current || this.selection.has(key))) {
      this.emit("selection", { from: "change" });
    }
  }

  /** A new finding stands behind the current one until the list is sorted again. */
  place(key) {
    const at = this.ranked.indexOf(this.current);
    this.ranked.splice(at < 0 ? 0 : at + 1, 0, key);
  }

  forget(key) {
    this.base.delete(key);
    this.findings.delete(key);
    this.geometries.delete(key);
    this.exact.delete(key);
    this.selection.delete(key);
    this.ranked = this.ranked.filter((each) => each !== key);
    if (this.current === key) this.current = [...this.selection].at(-1) ?? null;
  }
}

export const store = new Store();
