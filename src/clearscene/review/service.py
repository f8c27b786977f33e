"""One review as the server offers it: every request of a page is a method here, with JSON for its answer."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from clearscene.errors import ClearsceneError, ConflictError, OptionError, OutputError
from clearscene.inspection.report import HTML_NAME
from clearscene.inspection.rerender import rerender, rerender_index
from clearscene.inspection.result import Decision
from clearscene.inspection.run_folder import open_run
from clearscene.inspection.signature import sign
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.review import answers
from clearscene.review.agreement import compare_reviewers, reviewers_of
from clearscene.review.chips import export_chips
from clearscene.review.gestures import Gesture
from clearscene.review.history import Entry
from clearscene.review.outcome import Outcome
from clearscene.review.pyramid import TILE_SIZE
from clearscene.review.shapes import to_geojson
from clearscene.review.store import ReviewStore
from clearscene.review.tiles import Picture, TileServer
from clearscene.review.walk import mark, read_walk, set_cell
from clearscene.vector.geopackage import edit

__all__ = ["Review"]

Answer = dict[str, Any]
KEPT_PRICES = 64
GRAY = "#808080"


class Review:
    """A run under review.

    Args:
        run: A run folder, or the GeoPackage in it.
        reviewer: Whose gestures these are.
        scene: Where the scene lies now; "" takes the path in the record.

    Raises:
        ResultError: The run is incomplete.
    """

    def __init__(self, run: str | Path, *, reviewer: str, scene: str = "") -> None:
        self.store = ReviewStore(run, reviewer=reviewer)
        self.scene = scene
        self.tiles = TileServer(self.store.live.run, scene=scene, may_prepare=True)
        self._prices: OrderedDict[int, dict[int, tuple[float, str]]] = OrderedDict()
        self._remember_prices()

    def state(self) -> Answer:
        """All that a page needs to begin, but the findings."""
        self._look_up()
        store, tiles, report = self.store, self.tiles, self.store.scored.report
        walk = self.walk()
        levels = tiles.pyramid.n_levels
        layers = [{"name": n, "ready": n != "scene" or tiles.is_ready} for n in tiles.layers]
        for layer in layers:
            if layer["name"] == "confidence":
                layer["types"] = tiles.confidence_types
        return {
            "run": answers.run_answer(report, store.folder, who=store.reviewer, is_writable=store.is_writable),
            "scene": answers.scene_answer(report.scene, tiles.problem),
            "types": answers.types_answer(report),
            "statuses": answers.statuses_answer(),
            "tiles": {
                "size": TILE_SIZE,
                "levels": levels,
                "resolutions": [tiles.pyramid.resolution(level) for level in range(levels)],
                "layers": layers,
                **self._tile_state(),
            },
            "walk": {name: walk[name] for name in ("cell", "rows", "cols")},
            **self._standing(),
        }

    def findings(self) -> Answer:
        """All findings."""
        with self.store.lock:
            self._look_up()
            found = answers.finding_answers(self.store.scored, self.store.entries)
            return {"version": self.store.version, "findings": found}

    def geometries(self, keys: Iterable[int] | None, *, tolerance: float = 0.0) -> Answer:
        """Polygons in pixels, all or some."""
        with self.store.lock:
            shapes = self._shapes(self.store.scored.polygons if keys is None else keys, tolerance)
            return {"version": self.store.version, "geometries": shapes}

    def finding(self, key: int) -> Answer | None:
        """One finding with its polygon and its history; None if there is none."""
        with self.store.lock:
            self._look_up()
            found = answers.finding_answers(self.store.scored, self.store.entries, [key])
            if not found:
                return None
            about = [entry for entry in self.store.entries if key in entry.keys]
            return {
                "finding": found[0],
                "geometry": self._shapes([key])[str(key)],
                "history": self._history(list(reversed(about)), key),
            }

    def do(self, gesture: Gesture, *, revisions: Mapping[int, int] | None, client: str) -> Answer:
        """Do a gesture."""
        with self.store.lock:
            before = self.store.version
            self.store.do(gesture, revisions=revisions, client=client)
            return self._answer(before)

    def undo(self, *, client: str) -> Answer:
        """Take back the reviewer's last gesture."""
        with self.store.lock:
            before = self.store.version
            entry, _ = self.store.undo(client=client)
            return self._answer(before) | {"did": answers.label_answer(entry)}

    def redo(self, *, client: str) -> Answer:
        """Do again what was undone last."""
        with self.store.lock:
            before = self.store.version
            entry, _ = self.store.redo(client=client)
            return self._answer(before) | {"did": answers.label_answer(entry)}

    def changes(self, since: int) -> Answer | None:
        """What has changed since a version, by whomever; None if nothing."""
        with self.store.lock:
            seen = self._look()
            if seen is not None and not seen.entries and not self.store.is_writable:
                return self._answer(since) | {"reload": True, "changes": [], "tiles": self._tile_state()}
            if self.store.version == since:
                return None
            entries = [entry for entry in self.store.entries if entry.seq > since]
            told = [{"client": entry.client} | (answers.label_answer(entry) or {}) for entry in entries]
            return self._answer(since) | {
                "changes": told,
                "tiles": self._tile_state(),
                "reload": since > self.store.version,
            }

    def nothing_new(self) -> Answer:
        """The answer where nothing has changed."""
        return {"version": self.store.version, "changes": [], "tiles": self._tile_state()}

    def history(self, *, limit: int, before: int | None) -> Answer:
        """The newest entries first."""
        with self.store.lock:
            chosen = [entry for entry in self.store.entries if before is None or entry.seq < before]
            return {"history": self._history(list(reversed(chosen))[:limit])}

    def conflict(self, error: ConflictError) -> Answer:
        """What a page has to know where somebody else was faster."""
        with self.store.lock:
            found = answers.finding_answers(self.store.scored, self.store.entries, error.keys)
            here = {finding["key"] for finding in found}
            return {
                "findings": found,
                "removed": [key for key in error.keys if key not in here],
                "geometries": self._shapes(here),
                "version": self.store.version,
            }

    def walk(self) -> Answer:
        """Which cells were looked at."""
        grid = self.store.live.run.grid
        with self.store.lock, edit(self.store.path) as database:
            return answers.walk_answer(read_walk(database, grid.height, grid.width), self.store.reviewer)

    def mark(self, cells: Sequence[tuple[int, int]], *, is_seen: bool) -> Answer:
        """Note that cells (row, col) were looked at, or were not."""
        grid = self.store.live.run.grid
        with self.store.transaction() as database:
            walk = read_walk(database, grid.height, grid.width)
            mark(database, walk, cells, is_seen=is_seen, who=self.store.reviewer, at=_now())
        return self.walk()

    def set_cell(self, cell: int) -> Answer:
        """Choose the size of the cells."""
        grid = self.store.live.run.grid
        with self.store.transaction() as database:
            set_cell(database, cell, height=grid.height, width=grid.width)
        return self.walk()

    def sign(self, *, name: str, decision: Decision, remark: str) -> Answer:
        """Score the run, and put a name under it."""
        with self.store.lock:
            self.store.settle()
            sign(open_run(self.store.path), name=name, decision=decision, remark=remark)
            self.store.reload()
            self._draw()
            return {"signature": self._signature()}

    def signature(self) -> Answer:
        """The signature, and the digest of the findings as they stand."""
        with self.store.lock:
            return {"signature": self._signature(), "current_digest": self.store.live.digest()}

    def finish(self) -> Answer:
        """Bring the record, the report and the copies up to the findings, as `clearscene score` does."""
        with self.store.lock:
            self.store.settle()
            self._remember_prices()
            self._draw()
            report = self.store.scored.report
            return {"score": answers.score_answer(report, self.store.scored.bad), "report": f"/{HTML_NAME}"}

    def export(self, folder: str) -> Answer:
        """Chips of the decisions, into a folder inside that of the run."""
        if not folder.replace("-", "").replace("_", "").isalnum():
            raise OptionError(f"{folder!r} is no plain name for a folder.", hint="Use letters, digits, - and _.")
        with self.store.lock:
            if not self.store.is_writable:
                raise OutputError(f"{self.store.folder} is read-only.", hint="Export by `clearscene review export`.")
            out = self.store.folder / folder
            counts = export_chips([self.store.path], out, scene=self.scene)
            return {"folder": str(out), "n_chips": sum(counts.values()), "splits": counts}

    def agreement(self, first: str, second: str) -> Answer:
        """How far two reviewers of this file agree; without names, the first two."""
        with self.store.lock:
            names = reviewers_of(self.store.path)
            if not first and not second:
                if len(names) < 2:
                    return {"all": names}
                first, second = names[:2]
            found = compare_reviewers(self.store.path, first, second)
            return answers.agreement_answer(found, self.store.scored) | {"all": names}

    def tile(self, layer: str, level: int, col: int, row: int, *, type_name: str) -> Picture | None:
        """A tile of a layer; None where there is none."""
        return self.tiles.tile(layer, level, col, row, type_name=type_name)

    def crop(self, key: int, *, size: int) -> Picture | None:
        """A picture of a finding and its surroundings; None if there is no such finding."""
        scored = self.store.scored
        if key not in scored.polygons:
            return None
        finding = scored.findings.get(key)
        color = BY_NAME[finding.type].color if finding else GRAY
        return self.tiles.crop(scored.polygons[key], color, size=size)

    def timing(self) -> Answer:
        """How long tiles took, so that a person can see whether it is fast enough."""
        times = list(self.tiles.times_ms)
        slow = quantiles(times, n=20)[-1] if len(times) > 1 else max(times, default=0.0)
        middle = median(times) if times else 0.0
        return {"tiles": {"n": len(times), "median_ms": round(middle, 2), "p95_ms": round(slow, 2)}}

    def close(self) -> str:
        """Stop; what was decided is scored into the record. Gives a sentence if that is impossible, else ""."""
        self.tiles.close()
        try:
            if self.store.is_writable and not self.store.is_settled():
                self.finish()
        except ClearsceneError as error:
            return f"The decisions are kept, but the report was not brought up to them: {error}"
        return ""

    def _look_up(self) -> None:
        """See it before an answer; a run that cannot be written has no history by which `changes` would tell it."""
        if self.store.is_writable:
            self._look()

    def _look(self) -> Outcome | None:
        """See what another program did to the file; while it is writing, that is for later."""
        try:
            return self.store.look()
        except OutputError:
            return None

    def _draw(self) -> None:
        rerender(self.store.path, scene=self.scene or None)
        rerender_index(self.store.path)

    def _answer(self, since: int) -> Answer:
        """What has changed since a version, and where everything stands."""
        outcome: Outcome = self.store.since(since)
        keys = outcome.touched
        old = self._prices.get(since, {})
        self._remember_prices()
        now = answers.prices(self.store.scored)
        repriced = {str(key): list(price) for key, price in now.items() if key not in keys and old.get(key) != price}
        return {
            "findings": answers.finding_answers(self.store.scored, self.store.entries, keys),
            "removed": sorted(outcome.removed),
            "geometries": self._shapes(outcome.moved),
            "repriced": repriced,
            **self._standing(),
        }

    def _standing(self) -> Answer:
        store = self.store
        return {
            "version": store.version,
            "score": answers.score_answer(store.scored.report, store.scored.bad),
            "counts": answers.counts_answer(store.scored),
            "undo": answers.label_answer(store.undo_entry),
            "redo": answers.label_answer(store.redo_entry),
            "signature": self._signature(),
        }

    def _signature(self) -> Answer | None:
        signature = self.store.live.run.report.signature
        return None if signature is None else answers.signature_answer(signature, self.store.live.digest())

    def _tile_state(self) -> Answer:
        return {"ready": self.tiles.is_ready, "progress": round(self.tiles.progress, 3)}

    def _history(self, chosen: Sequence[Entry], key: int | None = None) -> list[Answer]:
        store = self.store
        pixel_area = abs(store.live.run.grid.transform.determinant)
        return answers.history_answer(store.entries, chosen, layout=store.layout, pixel_area=pixel_area, key=key)

    def _shapes(self, keys: Iterable[int], tolerance: float = 0.0) -> Answer:
        polygons = self.store.scored.polygons
        return {str(key): to_geojson(polygons[key], tolerance=tolerance) for key in keys if key in polygons}

    def _remember_prices(self) -> None:
        self._prices[self.store.version] = answers.prices(self.store.scored)
        while len(self._prices) > KEPT_PRICES:
            self._prices.popitem(last=False)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
