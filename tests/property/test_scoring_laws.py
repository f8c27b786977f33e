"""Laws that hold for any findings and every shipped standard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearscene.inspection.charging import Rest
from clearscene.inspection.result import Finding, Status
from clearscene.inspection.scoring import score_findings, type_penalties
from clearscene.inspection.standard import list_standards, load_standard
from clearscene.inspection.taxonomy import TYPES

INSPECTED = 1_000_000
STANDARDS = [load_standard(name) for name in list_standards()]


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    defect = draw(st.sampled_from(TYPES))
    area = draw(st.integers(1, 200_000) | st.integers(1, 50))
    return Finding(
        id=draw(st.integers(1, 99)),
        type_id=defect.id,
        type=defect.name,
        group=defect.group.value,
        area_px=area,
        area_fraction=0,
        length_m=draw(st.none() | st.floats(0, 5_000)) if defect.group == "boundary" else None,
        confidence=0.5,
        detector="x",
        bounds_px=(0, 0, 1, 1),
    )


standards = st.sampled_from(STANDARDS)
lists = st.lists(findings(), max_size=12)


def score(held, standard, rest=None):
    return score_findings(held, standard, inspected_px=INSPECTED, inspected_m2=250_000.0, rest=rest)


@given(standards, lists, findings())
def test_adding_a_finding_never_raises_the_score(standard, held, more):
    before, after = score(held, standard)[1], score([*held, more], standard)[1]
    assert after.score <= before.score
    assert before.passed or not after.passed


@given(standards, lists, st.randoms())
def test_order_is_irrelevant(standard, held, random):
    mixed = list(held)
    random.shuffle(mixed)
    assert score(mixed, standard)[1] == score(held, standard)[1]


@given(standards, lists)
def test_rejecting_all_gives_100(standard, held):
    rejected = [f.model_copy(update={"status": Status.REJECTED}) for f in held]
    assert score(rejected, standard)[1].score == 100


@given(standards, lists)
def test_penalties_add_up(standard, held):
    scored, record = score(held, standard)
    total = sum(f.penalty for f in scored)
    assert max(0.0, 100 - total) == pytest.approx(record.score, abs=1e-3)
    by_type = type_penalties(held, standard, inspected_px=INSPECTED, inspected_m2=250_000.0)
    assert sum(by_type.values()) == pytest.approx(total, abs=1e-3)


@given(standards, lists, st.integers(1, 50), st.integers(1, 50_000))
def test_undrawn_findings_never_raise_the_score(standard, held, n, area):
    rest = {"missing": Rest(n, max(n, area))}
    assert score(held, standard, rest)[1].score <= score(held, standard)[1].score


@given(standards, st.integers(2, 40), st.integers(1, 2_000))
def test_cutting_a_cloud_to_pieces_costs_the_same(standard, n, area):
    cloud = next(t for t in TYPES if t.name == "cloud")
    one = Finding(
        id=1, type_id=cloud.id, type="cloud", group="region", area_px=n * area, area_fraction=0,
        confidence=1, detector="x", bounds_px=(0, 0, 1, 1),
    )  # fmt: skip
    pieces = [one.model_copy(update={"id": i, "area_px": area}) for i in range(n)]
    assert score(pieces, standard)[1].score == score([one], standard)[1].score
