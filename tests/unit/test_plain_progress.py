"""Progress in a log: a line now and then."""

from clearscene.cli.plain_progress import PlainProgress


def lines_of(capsys, steps, *, seconds):
    """What is printed by so many equal steps, each of so many seconds."""
    now = [0.0]
    log = PlainProgress("training", clock=lambda: now[0])
    for step in range(1, steps + 1):
        now[0] += seconds
        log(step / steps, f"step {step}")
    found = capsys.readouterr()
    assert found.out == ""
    return found.err.splitlines()


def test_what_is_soon_done_prints_nothing(capsys):
    assert lines_of(capsys, 100, seconds=0.04) == []


def test_each_tenth_is_told(capsys):
    lines = lines_of(capsys, 100, seconds=1)
    assert lines[0] == "training: 10 %, step 10"
    assert len(lines) == 10


def test_what_takes_hours_is_told_twice_a_minute(capsys):
    assert len(lines_of(capsys, 3600, seconds=1)) == 120


def test_lines_keep_their_distance(capsys):
    lines = lines_of(capsys, 20, seconds=1)
    assert len(lines) == 4
