// Hears of changes made elsewhere: QGIS, another page, another reviewer. One request waits at the server all the time.

import { CLIENT, get } from "./api.js";
import { t } from "./i18n.js";
import { nPending } from "./gestures.js";
import { store } from "./store.js";
import { banner, toast } from "./toasts.js";

const WAIT_S = 25;
const PAUSE_MS = 2000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Listen for ever; `reload` fetches everything again. */
export async function listen(reload) {
  for (;;) {
    try {
      const answer = await get(`/api/changes?since=${store.version}&wait=${WAIT_S}`);
      banner("lost", null);
      await takeIn(answer, reload);
    } catch (error) {
      if (error.code === "no_token") {
        banner("lost", t("error_no_token"), { kind: "error" });
        return;
      }
      banner("lost", t("connection_lost"), { kind: "error" });
      await pause(PAUSE_MS);
    }
  }
}

async function takeIn(answer, reload) {
  if (answer.tiles) setTiles(answer.tiles);
  if (answer.reload) {
    await reload();
    return;
  }
  if (!answer.changes?.length) return;
  // While a gesture of this page is under way its own answer is newer than this one.
  if (nPending()) await pause(200);
  store.merge(answer);
  const others = answer.changes.filter((change) => change.client !== CLIENT);
  if (others.length) tell(others);
}

function tell(changes) {
  const ids = new Set(changes.flatMap((change) => change.keys).map((key) => store.findings.get(key)?.id ?? key));
  const isOutside = changes.every((change) => change.action === "outside");
  const names = [...new Set(changes.map((change) => change.who).filter(Boolean))].join(", ");
  const what = ids.size > 3 ? t("n_findings", ids.size) : [...ids].map((id) => t("number", id)).join(", ");
  toast(isOutside || !names ? t("changed_outside", what) : t("changed_by", names, what), { kind: "info" });
}

function setTiles(tiles) {
  const wasReady = store.tiles.ready;
  Object.assign(store.tiles, tiles);
  if (wasReady !== tiles.ready || !tiles.ready) store.emit("tiles");
}
