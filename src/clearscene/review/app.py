"""The routes of the review server: requests of a page to methods of a `Review`, errors to JSON."""

import asyncio
import mimetypes
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

from clearscene.errors import ClearsceneError, ConflictError, OutputError, SceneError
from clearscene.inspection.report import HTML_NAME
from clearscene.review.bodies import AgainBody, CellBody, EditBody, ExportBody, SignBody, WalkBody
from clearscene.review.gpkg_file import is_locked
from clearscene.review.guard import App, Guard, Refusal, Scope
from clearscene.review.service import Review
from clearscene.review.tiles import Picture, PreparingError

__all__ = ["PAGE", "build_app"]

PAGE = Path(__file__).parent / "page"
POLL_S = 0.4
MAX_WAIT_S = 30.0
TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}
REPORT_CSP = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; frame-ancestors 'self'"


def build_app(review: Review, *, token: str, port: int, page: Path = PAGE) -> App:
    """The server of a review as an ASGI application that answers this machine only, and only with the token."""
    app = FastAPI(title="clearscene review", docs_url=None, redoc_url=None, openapi_url=None)
    _add_errors(app, review)
    _add_reading(app, review)
    _add_gestures(app, review)
    _add_changing(app, review)
    _add_pictures(app, review)
    _add_pages(app, review, page)
    return Guard(app, token=token, port=port, refuse=_refuse)


def _add_reading(app: FastAPI, review: Review) -> None:
    app.add_api_route("/api/state", _json(review.state))
    app.add_api_route("/api/findings", _json(review.findings))
    app.add_api_route("/api/walk", _json(review.walk))
    app.add_api_route("/api/signature", _json(review.signature))
    app.add_api_route("/api/timing", _json(review.timing))

    @app.get("/api/geometries")
    def geometries(keys: str = "", simplify: float = Query(0.0, ge=0, le=1000)) -> Response:
        """Polygons of the findings `keys`, separated by commas, or of all; simplified by pixels of the scene."""
        wanted = [int(key) for key in keys.split(",") if key.strip().isdigit()] if keys else None
        return JSONResponse(review.geometries(wanted, tolerance=simplify))

    @app.get("/api/findings/{key}")
    def finding(key: int) -> Response:
        """One finding with its polygon and its history."""
        found = review.finding(key)
        return JSONResponse(found) if found else _not_found(f"There is no finding {key}.")

    @app.get("/api/history")
    def history(limit: int = Query(200, ge=1, le=10_000), before: int | None = None) -> Response:
        """The newest changes first, or those before a number."""
        return JSONResponse(review.history(limit=limit, before=before))

    @app.get("/api/agreement")
    def agreement(reviewers: str = "") -> Response:
        """How far two reviewers agree, named with a comma between; without names, the first two."""
        first, _, second = reviewers.partition(",")
        return JSONResponse(review.agreement(first.strip(), second.strip()))

    @app.get("/api/changes")
    async def changes(
        request: Request, since: int, wait: Annotated[float, Query(ge=0, le=MAX_WAIT_S)] = 0.0
    ) -> Response:
        """What has changed since a version, by whomever; waits for it, `wait` seconds at most."""
        loop = asyncio.get_running_loop()
        end = loop.time() + wait
        while True:
            found = await run_in_threadpool(review.changes, since)
            if found is not None:
                return JSONResponse(found)
            if loop.time() >= end or await request.is_disconnected():
                return JSONResponse(await run_in_threadpool(review.nothing_new))
            await asyncio.sleep(POLL_S)


def _add_gestures(app: FastAPI, review: Review) -> None:
    @app.post("/api/edit")
    def edit(body: EditBody) -> Response:
        """Do a gesture; a finding that has changed since the revision that the page knows is a conflict."""
        return JSONResponse(review.do(body.gesture(), revisions=body.revisions, client=body.client))

    @app.post("/api/undo")
    def undo(body: AgainBody) -> Response:
        """Take back the reviewer's last gesture."""
        if review.store.undo_entry is None:
            return _error(409, "nothing_to_undo", "There is nothing to undo.")
        return JSONResponse(review.undo(client=body.client))

    @app.post("/api/redo")
    def redo(body: AgainBody) -> Response:
        """Do again what was undone last."""
        if review.store.redo_entry is None:
            return _error(409, "nothing_to_redo", "There is nothing to redo.")
        return JSONResponse(review.redo(client=body.client))


def _add_changing(app: FastAPI, review: Review) -> None:
    @app.post("/api/walk")
    def walk(body: WalkBody) -> Response:
        """Note that cells (row, col) were looked at, or were not."""
        return JSONResponse(review.mark(body.cells, is_seen=body.seen))

    @app.post("/api/walk/cell")
    def cell(body: CellBody) -> Response:
        """Choose the size of the cells."""
        return JSONResponse(review.set_cell(body.cell))

    @app.post("/api/sign")
    def sign(body: SignBody) -> Response:
        """Score the run, and put a name under it."""
        return JSONResponse(review.sign(name=body.name, decision=body.decision, remark=body.remark))

    @app.post("/api/finish")
    def finish() -> Response:
        """Bring the record, the report and the copies up to the findings."""
        return JSONResponse(review.finish())

    @app.post("/api/export")
    def export(body: ExportBody) -> Response:
        """Write the decisions as chips into a folder inside that of the run."""
        return JSONResponse(review.export(body.folder))


def _add_pictures(app: FastAPI, review: Review) -> None:
    @app.get("/tiles/{layer}/{level}/{col}/{row}")
    def tile(
        layer: Literal["scene", "classmap", "confidence"],
        level: int,
        col: int,
        row: int,
        kind: Annotated[str, Query(alias="type")] = "",
    ) -> Response:
        """A tile of a layer as a picture."""
        return _picture(review.tile(layer, level, col, row, type_name=kind))

    @app.get("/crops/{key}")
    def crop(key: int, size: int = Query(160, ge=64, le=512)) -> Response:
        """A picture of a finding and its surroundings, `size` px a side."""
        picture = review.crop(key, size=size)
        return _picture(picture) if picture else _not_found(f"There is no finding {key}.")


def _add_pages(app: FastAPI, review: Review, page: Path) -> None:
    @app.get("/")
    def index() -> Response:
        """The page."""
        return _file(page / "index.html", page)

    @app.get("/page/{path:path}")
    def static(path: str) -> Response:
        """A file of the page."""
        return _file(page / path, page)

    @app.get("/favicon.ico")
    def icon() -> Response:
        """The icon of the page."""
        return _file(page / "icon.svg", page)

    @app.get(f"/{HTML_NAME}")
    def report() -> Response:
        """The report of the run, under rules that let no script run."""
        answer = _file(review.store.folder / HTML_NAME, review.store.folder)
        answer.headers["content-security-policy"] = REPORT_CSP
        return answer


def _add_errors(app: FastAPI, review: Review) -> None:
    @app.exception_handler(ClearsceneError)
    async def known(_: Request, error: ClearsceneError) -> Response:
        status, code = _code_of(error)
        more = await run_in_threadpool(review.conflict, error) if isinstance(error, ConflictError) else {}
        answer = _error(status, code, error.message, error.hint, more)
        if isinstance(error, PreparingError):
            answer.headers["retry-after"] = "1"
        return answer

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> Response:
        said = [(".".join(map(str, e["loc"][1:])), e["msg"].removeprefix("Value error, ")) for e in error.errors()[:5]]
        text = "; ".join(f"{where}: {what}" for where, what in said)
        return _error(422, "bad_request", f"The request cannot be understood: {text}.")

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "bad_method"}.get(error.status_code, "failed")
        return _error(error.status_code, code, str(error.detail))

    @app.exception_handler(Exception)
    async def unknown(_: Request, error: Exception) -> Response:
        return _error(500, "failed", f"{type(error).__name__}: {error}")


def _code_of(error: ClearsceneError) -> tuple[int, str]:
    """Status and code for an error."""
    if isinstance(error, ConflictError):
        return 409, "conflict"
    if isinstance(error, PreparingError):
        return 503, "preparing"
    if isinstance(error, SceneError):
        return 410, "no_scene"
    if isinstance(error, OutputError):
        if is_locked(error):
            return 423, "locked"
        return (403, "read_only") if "read-only" in error.message else (500, "failed")
    return (422, "bad_request") if isinstance(error, ValueError) else (500, "failed")


def _json(method: Callable[[], dict[str, Any]]) -> Callable[[], Response]:
    def answer() -> Response:
        return JSONResponse(method())

    return answer


def _error(status: int, code: str, message: str, hint: str = "", more: dict[str, Any] | None = None) -> Response:
    body = {"error": {"code": code, "message": message, "hint": hint}} | (more or {})
    return JSONResponse(body, status_code=status)


def _not_found(message: str) -> Response:
    return _error(404, "not_found", message)


def _picture(picture: Picture | None) -> Response:
    if picture is None:
        return Response(status_code=204)
    headers = {"cache-control": "private, max-age=3600"}
    return Response(picture.content, media_type=picture.media_type, headers=headers)


def _file(path: Path, inside: Path) -> Response:
    """A file, if it lies inside a folder, links followed."""
    try:
        real = path.resolve()
        if not real.is_relative_to(inside.resolve()) or not real.is_file():
            return _not_found("There is no such file.")
    except (OSError, ValueError):  # a name with a null byte, or one that is too long
        return _not_found("There is no such file.")
    kind = TYPES.get(real.suffix) or mimetypes.guess_type(real.name)[0] or "application/octet-stream"
    return Response(real.read_bytes(), media_type=kind, headers={"cache-control": "no-cache"})


def _refuse(refusal: Refusal, scope: Scope) -> App:
    """The answer to a request that is not let through: words for a person who opens the page, else JSON."""
    if scope["path"] == "/" and scope["method"] == "GET":
        text = f"<!doctype html><meta charset=utf-8><title>clearscene review</title><h1>{refusal.status}</h1>"
        return HTMLResponse(f"{text}<p>{_plain(refusal.message)} {_plain(refusal.hint)}", status_code=refusal.status)
    return _error(refusal.status, refusal.code, refusal.message, refusal.hint)


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
