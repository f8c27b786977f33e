"""`clearscene demo`, typed, on the smallest scene that it draws."""

from tests.command import clearscene


def test_the_demo_says_by_what_it_counts(tmp_path):
    done = clearscene("demo", "--out", tmp_path, "--width", 512, "--height", 512, check=0)
    table, _, rest = done.stdout.partition("Found: 50% of the pixels of a placed defect have its type.")
    assert "Pixel missing" in table
    assert "clearscene compare judges polygons" in rest
    assert f"report: {tmp_path / 'scene' / 'report.html'}" in rest
