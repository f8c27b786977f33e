"""The review server as a process: killed in a burst of gestures, stopped by Ctrl-C, with a scene to prepare."""

import os
import signal
import subprocess
import sys
import threading
import time
from http.client import HTTPException
from urllib.parse import urlsplit

import numpy as np
import pyogrio
import pytest
import rasterio

pytest.importorskip("fastapi", reason="needs the extra `review`")

from clearscene.raster.gdal import open_quietly
from clearscene.review.history import read_entries
from clearscene.review.overviews import Plan, build, plan_overviews
from clearscene.review.store import ReviewStore
from clearscene.vector.geopackage import edit
from tests.review_client import Client
from tests.review_runs import is_indexed, make_run, rows_of, square
from tests.scenes import UTM, ground, write_scene

START_S = 240


class Server:
    """`clearscene review` as a person starts it."""

    def __init__(self, run):
        words = [sys.executable, "-m", "clearscene", "review", str(run), "--reviewer", "Li", "--no-browser"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.address = urlsplit(self.process.stdout.readline().strip())
        token = self.address.query.removeprefix("token=")
        self.page = Client(self.address.port or 0, token=token)
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            try:
                self.page.get("/api/walk")
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.process.stderr.read())

    def stop(self, how):
        self.process.send_signal(how)
        _, said = self.process.communicate(timeout=START_S)
        return self.process.returncode, said


def test_kill_in_a_burst_of_gestures_loses_nothing_that_was_answered(tmp_path):
    run = make_run(tmp_path / "run")
    server = Server(run)
    answered = []

    def burst():
        for n in range(10_000):
            body = {"remark": f"n{n}"} if n % 3 else {"geometry": square(10 + n % 300, 20, 40), "type": "cloud"}
            try:
                answer = server.page.edit("remark" if n % 3 else "add", *([1] if n % 3 else []), **body)
            except (OSError, HTTPException):
                return
            answered.append(answer.json["version"])

    thread = threading.Thread(target=burst)
    thread.start()
    end = time.monotonic() + START_S
    while len(answered) < 12 and time.monotonic() < end:
        time.sleep(0.01)
    server.stop(signal.SIGKILL)
    thread.join(60)
    with edit(run / "defects.gpkg") as database:
        kept = [entry.seq for entry in read_entries(database)]
    assert answered == kept[: len(answered)]
    assert len(kept) - len(answered) <= 1  # the gesture in hand
    assert is_indexed(run)
    assert len(pyogrio.read_info(run / "defects.gpkg", layer="defects")["fields"]) > 10
    store = ReviewStore(run, reviewer="Li")  # and it opens, with all of it to undo
    while store.undo_entry:
        store.undo()
    assert len(rows_of(run)) == 9


def test_ctrl_c_scores_what_was_decided(tmp_path):
    run = make_run(tmp_path / "run")
    server = Server(run)
    assert server.address.hostname == "127.0.0.1"
    live = server.page.edit("status", 1, 2, status="rejected").json["score"]["score"]
    assert server.stop(signal.SIGINT) == (0, "")
    again = ReviewStore(run, reviewer="Li")
    assert again.live.run.report.score.score == live
    assert again.is_settled()


def test_a_run_that_is_not_there_is_an_error_with_a_hint(tmp_path):
    words = [sys.executable, "-m", "clearscene", "review", str(tmp_path), "--no-browser"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=START_S)
    assert done.returncode == 2
    assert "There is no defects.gpkg" in done.stderr
    assert "hint:" in done.stderr


@pytest.fixture
def large(tmp_path):
    """A scene of 4,500 x 300 px without overviews."""
    data = np.tile(ground(300, 450, seed=3), (1, 1, 10))
    options = {"tiled": True, "blockxsize": 256, "blockysize": 256, "nodata": 0}
    return write_scene(tmp_path / "大 scene.tif", data, crs=UTM, options=options)


def test_overviews_are_made_beside_a_large_scene_and_never_in_it(large, tmp_path):
    before = large.read_bytes(), large.stat().st_mtime_ns
    plan = plan_overviews(str(large), tmp_path / "run", source=large)
    build(plan)
    assert (large.read_bytes(), large.stat().st_mtime_ns) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["大 scene.tif", "大 scene.tif.ovr"]
    with rasterio.open(large) as dataset:
        assert dataset.overviews(1)[:3] == [2, 4, 8]
        shown = dataset.read(2, out_shape=(75, 1125))
        mean = dataset.read(2).reshape(75, 4, 1125, 4).mean(axis=(1, 3))
        assert np.abs(shown - mean).max() <= 2
    assert plan_overviews(str(large), tmp_path / "run", source=large) is None


def test_overviews_lie_in_the_run_where_the_scene_cannot_be_touched(large, tmp_path, monkeypatch):
    run = tmp_path / "run"
    run.mkdir()
    real = os.access
    monkeypatch.setattr("clearscene.review.overviews.os.access", lambda p, m: p != large.parent and real(p, m))
    plan = plan_overviews(str(large), run, source=large)
    assert not plan.is_beside
    build(plan)
    assert not large.with_name(large.name + ".ovr").exists()
    with open_quietly(plan.source) as dataset:
        assert dataset.overviews(1)[:2] == [2, 4]
        assert dataset.crs == UTM
        assert dataset.nodata == 0
    again = plan_overviews(str(large), run, source=large)
    assert again == Plan(large, plan.folder, plan.source, plan.result, (), 0, False)


def test_a_small_scene_needs_no_overviews(tmp_path):
    scene = write_scene(tmp_path / "small.tif", ground(100, 130), crs=UTM)
    assert plan_overviews(str(scene), tmp_path, source=scene) is None
