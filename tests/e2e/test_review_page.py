"""The review page in a real browser: what keys and mouse do, and what is then in the file."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the review extra is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from tests.review_runs import make_run, rows_of  # noqa: E402  what is above decides whether this file runs

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")
WAIT_MS = 60_000
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
HOSTILE = "<img src=x onerror=document.title='run'> 误报"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "work")


@pytest.fixture
def address(run: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "clearscene", "review", str(run), "--no-browser", "--reviewer", "Li"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as server:
        assert server.stdout is not None
        lines = iter(server.stdout.readline, "")
        yield next(found[0] for line in lines if (found := re.search(r"http://\S+", line)))
        server.terminate()


class Person:
    """A page, and the hands on it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.trouble: list[str] = []
        page.on("console", lambda said: said.type == "error" and self.trouble.append(said.text))
        page.on("pageerror", lambda error: self.trouble.append(str(error)))

    def open(self, address: str) -> None:
        self.page.goto(address, timeout=WAIT_MS)  # the machine may be busy
        self.page.wait_for_selector("html[data-ready]", timeout=WAIT_MS)

    def press(self, *keys: str) -> None:
        """Press keys; returns when all that they did is on disk."""
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_selector("#saving:not(.is-busy)", state="attached", timeout=WAIT_MS)
            self.page.evaluate(TWO_FRAMES)

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def state(self) -> dict[str, Any]:
        return self.fetch("/api/state")

    def fetch(self, path: str) -> dict[str, Any]:
        return self.page.evaluate("(path) => fetch(path).then((answer) => answer.json())", path)

    def shows_score(self) -> bool:
        return float(self.text("#score-figure")) == pytest.approx(self.state()["score"]["score"], abs=0.051)

    def draw(self, size: int = 80) -> None:
        """A square in the middle of the map, closed with Enter."""
        box = self.page.locator("#map").bounding_box()
        col, row = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for right, down in ((0, 0), (size, 0), (size, size), (0, size)):
            self.page.mouse.click(col + right, row + down)
            self.page.wait_for_timeout(400)  # faster would be a double click
        self.page.keyboard.press("Enter")


@pytest.fixture
def person(address: str) -> Iterator[Person]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        person = Person(browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-US"))
        person.open(address)
        yield person
        browser.close()


@pytest.mark.slow
def test_a_review_by_keys_and_mouse_is_in_the_file(person: Person, run: Path, address: str) -> None:
    before = rows_of(run)
    first, second, third = (
        int(key)
        for key in person.page.locator("#list .row").evaluate_all(
            "rows => rows.slice(0, 3).map(row => row.dataset.key)"
        )
    )

    person.press("a", "r", "4", "a")  # accept, reject, make the third a blur and accept it
    rows = rows_of(run)
    assert [rows[key]["status"] for key in (first, second, third)] == ["accepted", "rejected", "accepted"]
    assert rows[third]["type"] == "blur"
    assert person.shows_score()

    person.press("z", "z")
    assert rows_of(run)[third]["status"] == "proposed"
    assert rows_of(run)[third]["type"] == before[third]["type"]
    person.press("y")
    assert rows_of(run)[third]["type"] == "blur"

    score = person.text("#score-figure")
    person.press("g", "d", "1")
    person.draw()
    person.page.wait_for_selector("#finding-status.is-added", timeout=WAIT_MS)
    (added,) = set(rows_of(run)) - set(before)
    assert (rows_of(run)[added]["type"], rows_of(run)[added]["status"]) == ("cloud", "added")
    assert person.text("#score-figure") != score
    assert person.shows_score()

    person.page.reload()
    person.page.wait_for_selector("html[data-ready]", timeout=WAIT_MS)
    assert person.state()["counts"] == {
        "total": len(before) + 1,
        "proposed": len(before) - 2,
        "accepted": 1,
        "rejected": 1,
        "added": 1,
    }
    person.press("z")  # undo outlives the page
    assert added not in rows_of(run)
    assert person.page.url.endswith("/"), "the token stays out of the address"
    assert person.trouble == []


@pytest.mark.slow
def test_remarks_are_text_and_the_rest_of_the_page_works(person: Person, run: Path) -> None:
    key = int(person.page.locator("#list .row.is-current").get_attribute("data-key"))
    person.press("n")
    person.page.keyboard.type(HOSTILE)
    person.press("Control+Enter")
    assert rows_of(run)[key]["remark"] == HOSTILE
    assert person.text("#list .row.is-current .row-remark") == HOSTILE
    assert person.page.locator("img[src=x]").count() == 0

    person.press("w", "Enter")
    walk = person.fetch("/api/walk")
    assert walk["n_seen"] == 1
    assert person.text("#walk-unseen").startswith(str(walk["n_cells"] - 1))
    person.press("w", "c", "h", "v", "v", "a")

    person.page.click("#open-more")
    person.page.click("#menu-export_chips")
    person.page.click("dialog [type=submit]")
    person.page.wait_for_selector("#export-result .path", timeout=WAIT_MS)
    assert list((run / "chips").rglob("*.tif")) or list((run / "chips").rglob("*.png"))
    person.page.keyboard.press("Escape")

    person.page.click("#open-sign")
    person.page.click("dialog [type=submit]")
    person.page.wait_for_selector(".signed.is-good", timeout=WAIT_MS)
    person.page.locator("#list").focus()
    person.press("r")
    person.page.wait_for_selector("[data-banner=signature]", timeout=WAIT_MS)

    person.page.click("#switch-language")
    assert person.text("#set-rejected span") == "驳回"
    person.page.keyboard.press("?")
    assert "快捷键" in person.text("dialog h2")
    assert person.page.title() != "run"
    assert person.trouble == []


@pytest.mark.slow
def test_after_the_mouse_the_keys_are_still_the_page_s(person: Person, run: Path) -> None:
    person.page.click("[data-action=walk]")
    person.press("Enter")  # marks the cell, and does not press the button again
    assert person.page.is_visible("#walk")
    assert person.fetch("/api/walk")["n_seen"] == 1
    person.press("w")

    current = person.page.locator("#list .row.is-current")
    hidden = rows_of(run)[int(current.get_attribute("data-key") or 0)]["type"]
    person.page.click("#filter-types")
    person.page.locator(f"#type-row .chip:not(#chip-{hidden})").first.click()
    person.press("a")  # on the first that is shown, not on the one that is not
    (accepted,) = (row for row in rows_of(run).values() if row["status"] == "accepted")
    assert accepted["type"] != hidden

    person.press("n")
    person.page.keyboard.type("remark")
    person.page.click("#set-rejected")
    person.press("z")
    assert [row["remark"] for row in rows_of(run).values() if row["remark"]] == ["remark"]
    assert sum(row["status"] == "rejected" for row in rows_of(run).values()) == 0
    assert person.trouble == []
