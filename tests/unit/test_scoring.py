"""Scores against numbers worked out by hand from the shipped standards."""

import pytest

from clearscene.inspection.charging import Rest
from clearscene.inspection.result import Finding, Status
from clearscene.inspection.scoring import NOT_INSPECTED, score_findings, type_penalties
from clearscene.inspection.standard import load_standard
from clearscene.inspection.taxonomy import BY_NAME

GBT = load_standard("gbt24356")


def finding(type_name: str, area: int, number: int = 1, **more) -> Finding:
    defect = BY_NAME[type_name]
    fixed = {"id": number, "type_id": defect.id, "type": type_name, "group": defect.group.value, "area_px": area}
    measured = {"area_fraction": 0, "confidence": 0.5, "detector": "rule:x", "bounds_px": (0, 0, 9, 7)}
    return Finding.model_validate(fixed | measured | more)


def score(*findings: Finding, standard=GBT, inspected=1_000_000, **more):
    return score_findings(findings, standard, inspected_px=inspected, **more)


def test_nothing_found_is_100():
    assert score()[1].model_dump(include={"score", "grade", "passed", "reasons", "is_draft"}) == {
        "score": 100, "grade": "excellent", "passed": True, "reasons": [], "is_draft": True,
    }  # fmt: skip


def test_nothing_inspected_is_no_pass():
    record = score(finding("cloud", 5), inspected=0)[1]
    assert (record.score, record.grade, record.passed) == (0, NOT_INSPECTED, False)


@pytest.mark.parametrize(("area", "said"), [(101, "Cloud cost 1 point: "), (5_001, "Cloud cost 4 points: ")])
def test_one_point_is_said_of_one(area, said):
    assert score(finding("cloud", area))[1].reasons[0].en.startswith(said)


@pytest.mark.parametrize(
    ("area", "error_class", "points"),
    [(100, "", 0), (101, "D", 1), (5_000, "D", 1), (5_001, "C", 4), (20_001, "B", 12), (100_001, "A", 42)],
)
def test_bands_of_cloud_area(area, error_class, points):
    (scored,), record = score(finding("cloud", area))
    assert (scored.error_class, scored.penalty, record.score) == (error_class, points, 100 - points)


def test_an_error_of_class_a_fails_whatever_the_score():
    record = score(finding("missing", 10_001), standard=GBT.model_copy(update={"size_factor": 1.0}))[1]
    assert (record.score, record.grade, record.passed) == (58, "fail", False)
    lenient = GBT.model_copy(update={"classes": tuple(c.model_copy(update={"deduction": 5}) for c in GBT.classes)})
    record = score(finding("missing", 10_001), standard=lenient)[1]
    assert (record.score, record.grade, record.passed) == (95, "fail", False)
    assert record.reasons[0].en == "Fails: 1 of error class A, and at most 0 allowed."


def test_one_cloud_in_many_pieces_costs_what_it_costs_whole():
    pieces, record = score(*(finding("cloud", 90, number) for number in range(1, 101)))
    assert record.score == score(finding("cloud", 9_000))[1].score == 96
    assert {p.error_class for p in pieces} == {"C"}
    assert sum(p.penalty for p in pieces) == pytest.approx(4)


def test_each_seam_by_its_length():
    lengths = (150, 250, 2_500)
    seams, record = score(*(finding("stitching_trace", 999, n, length_m=m) for n, m in enumerate(lengths)))
    assert [(s.error_class, s.penalty) for s in seams] == [("D", 1), ("C", 4), ("B", 12)]
    assert record.score == 83


def test_seams_count_where_lengths_in_meters_are_unknown():
    seams, record = score(*(finding("misalignment", 999, n, length_px=80) for n in range(3)))
    assert [s.error_class for s in seams] == ["C"] * 3
    assert record.score == 88


def test_what_cannot_be_measured_is_said():
    only_lengths = tuple(r for r in GBT.rules if not ("misalignment" in r.types and r.measure == "count"))
    record = score(finding("misalignment", 9), standard=GBT.model_copy(update={"rules": only_lengths}))[1]
    assert record.score == 100
    assert "Stitching misalignment could not be scored" in record.reasons[0].en


def test_cap_is_shared_out():
    stripes, record = score(*(finding("stripe", 10, n) for n in range(48)))  # area: 480 ppm, class D
    assert record.score == 88
    assert {s.penalty for s in stripes} == {0.25}


def test_dearest_rule_counts():
    (stripe,), record = score(finding("stripe", 20_000))
    assert (stripe.error_class, record.score) == ("B", 88)


def test_rejected_costs_nothing_and_loses_its_old_penalty():
    rejected = finding("cloud", 500_000, status=Status.REJECTED, penalty=42, error_class="A")
    (scored,), record = score(rejected)
    assert (scored.penalty, scored.error_class, record.score) == (0, "", 100)


def test_score_stops_at_0():
    types = ("cloud", "shadow", "missing", "blur")
    record = score(*(finding(t, 200_000, n) for n, t in enumerate(types)))[1]
    assert record.score == 0


def test_percent_area_takes_a_point_a_percent():
    record = score(finding("cloud", 30_000), finding("blur", 5_000), standard=load_standard("percent-area"))[1]
    assert (record.score, record.grade) == (96.5, "good")
    assert score(finding("cloud", 50_001), standard=load_standard("percent-area"))[1].grade == "fail"


def test_strict_fails_on_little():
    strict = load_standard("strict")
    assert score(finding("blur", 100), standard=strict)[1].grade == "pass"
    assert score(finding("blur", 101), standard=strict)[1].grade == "fail"
    assert score(finding("stitching_trace", 1), standard=strict)[1].grade == "fail"


def test_undrawn_findings_count_and_leave_their_cost_off_the_drawn():
    rest = {"missing": Rest(n=900, area_px=1_500)}
    (drawn,), record = score(finding("missing", 500), rest=rest)
    assert record.score == 88  # 2,000 px pooled: 0.2 %, class B
    assert drawn.penalty == pytest.approx(12 / 4)
    assert type_penalties([finding("missing", 500)], GBT, inspected_px=1_000_000, rest=rest) == {"missing": 12}


def test_undrawn_findings_count_one_by_one():
    assert score(finding("stripe", 1), rest={"stripe": Rest(4, 4)})[1].score == 95


def test_order_of_the_result_is_that_of_the_input():
    mixed = [finding("stripe", 5, 1), finding("cloud", 900, 2), finding("stripe", 7, 3)]
    assert [f.id for f in score(*mixed)[0]] == [1, 2, 3]


def test_density_needs_the_area_on_the_ground():
    rules = tuple(
        r.model_copy(update={"measure": "count_per_km2", "per": "type", "limits": (2.0,), "classes": ("B",)})
        if "misalignment" in r.types else r
        for r in GBT.rules
    )  # fmt: skip
    standard = GBT.model_copy(update={"rules": rules})
    seams = [finding("misalignment", 9, n) for n in range(3)]
    assert score(*seams, standard=standard, inspected_m2=1e6)[1].score == 88
    assert score(*seams, standard=standard, inspected_m2=2e6)[1].score == 100
    assert "could not be scored" in score(*seams, standard=standard)[1].reasons[0].en
