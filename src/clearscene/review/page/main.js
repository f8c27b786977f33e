// Starts the page: fetches the run, builds the parts, and listens.

import { get } from "./api.js";
import { byId, el } from "./dom.js";
import { startDetails } from "./details.js";
import { openSign } from "./dialogs/sign.js";
import { startFilters } from "./filters.js";
import { startFocus } from "./focus.js";
import { nPending, watchSaving } from "./gestures.js";
import { startHistory } from "./history.js";
import { onLanguage, startLanguage, switchLanguage, t } from "./i18n.js";
import { showHelp, startKeys, toolbarActions } from "./keymap.js";
import { startList } from "./list.js";
import { listen } from "./live.js";
import { startLayerPanel } from "./map/layerpanel.js";
import { startPolygons } from "./map/polygons.js";
import { showScale, startMap } from "./map/scene.js";
import { fillToolbar, startTools } from "./map/tools.js";
import { startWalk } from "./map/walk.js";
import { startMenu } from "./menu.js";
import { percent } from "./format.js";
import { switchTheme, theme } from "./prefs.js";
import { startScore } from "./score.js";
import { store } from "./store.js";
import { banner } from "./toasts.js";

const MANY = 400; // from so many findings on, shapes come simplified first and whole when they are looked at
const SAVING_SHOWN_MS = 1500;

/** Everything from the server, at the start and whenever it says that too much has changed. */
async function load() {
  const state = await get("/api/state");
  const isSimple = state.counts.total > MANY;
  const [{ findings }, { geometries }] = await Promise.all([
    get("/api/findings"),
    get(`/api/geometries${isSimple ? "?simplify=1" : ""}`),
  ]);
  if (!document.documentElement.dataset.started) startLanguage(state.run.lang);
  store.fill(state, findings, geometries, !isSimple);
}

async function start() {
  // The token is in a cookie by now; the address is better kept free of it.
  history.replaceState(null, "", location.pathname);
  startLanguage(null);
  try {
    await load();
  } catch (error) {
    byId("banners").append(
      el(
        "div.banner.is-error",
        { role: "alert" },
        t.has(`error_${error.code}`) ? t(`error_${error.code}`) : error.message,
        error.hint ? ` ${error.hint}` : "",
      ),
    );
    return;
  }
  document.documentElement.dataset.started = "yes";
  startMap();
  [startPolygons, startTools, startFilters, startList, startScore, startDetails, startHistory, startMenu, startKeys, startFocus].forEach(
    (begin) => begin(),
  );
  fillToolbar(toolbarActions());
  startBar();
  await startWalk();
  startLayerPanel();
  store.on("tiles state", showStandingNotes);
  showStandingNotes();
  if (store.shown.length) store.select(store.shown[0], { from: "start" });
  byId("list").focus({ preventScroll: true });
  document.documentElement.dataset.ready = "yes";
  listen(load);
}

function startBar() {
  byId("open-sign").addEventListener("click", openSign);
  byId("open-help").addEventListener("click", showHelp);
  byId("switch-language").addEventListener("click", switchLanguage);
  byId("switch-theme").addEventListener("click", () => {
    switchTheme();
    nameBar();
    store.emit("walk");
  });
  onLanguage(() => {
    nameBar();
    showScale();
    showStandingNotes();
    store.emit("state");
  });
  watchSaving(showSaving);
  addEventListener("beforeunload", (event) => nPending() && event.preventDefault());
  nameBar();
}

function nameBar() {
  const { scene, run } = store;
  byId("scene-name").textContent = scene.name;
  byId("scene-name").title = run.folder;
  document.title = `${scene.name} · ${t("review")}`;
  const language = byId("switch-language");
  [language.textContent, language.title, language.lang] = [t("other_language"), t("switch_language"), t("other_language_code")];
  language.setAttribute("aria-label", t("switch_language"));
  const other = t(theme() === "dark" ? "to_light" : "to_dark");
  byId("switch-theme").title = other;
  byId("switch-theme").setAttribute("aria-label", other);
}

let savedTimer = 0;
function showSaving(nWaiting) {
  const node = byId("saving");
  clearTimeout(savedTimer);
  node.classList.toggle("is-busy", nWaiting > 0);
  // What takes no time is not worth a word.
  if (nWaiting) savedTimer = setTimeout(() => (node.textContent = t("saving")), 250);
  else {
    node.textContent = t("saved");
    savedTimer = setTimeout(() => (node.textContent = ""), SAVING_SHOWN_MS);
  }
}

/** What holds for a while: read-only, no scene, overviews in the making. */
function showStandingNotes() {
  const { run, scene, tiles } = store;
  banner("read-only", run.writable ? null : t("error_read_only"), { kind: "warn" });
  banner("no-scene", scene.available ? null : t("no_scene", scene.reason ?? ""), { kind: "warn" });
  banner("tiles", tiles.ready || !scene.available ? null : t("preparing", percent(tiles.progress ?? 0)), { kind: "info" });
}

start();
