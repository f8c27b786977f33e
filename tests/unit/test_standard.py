"""Standards: the shipped ones are sound, and a slip in one's own is named."""

import pytest

from clearscene.errors import StandardError
from clearscene.grid import Grid
from clearscene.inspection.standard import Standard, list_standards, load_standard, standard_text
from clearscene.inspection.taxonomy import BY_NAME, TYPES


@pytest.fixture
def write(tmp_path):
    """Write the shipped main standard with one change, and load it."""

    def changed(old: str, new: str) -> Standard:
        text = standard_text("gbt24356")
        assert old in text
        path = tmp_path / "own.toml"
        path.write_text(text.replace(old, new, 1), "utf-8")
        return load_standard(path)

    return changed


def test_three_standards_come_along():
    assert list_standards() == ["gbt24356", "percent-area", "strict"]


@pytest.mark.parametrize("name", ["gbt24356", "percent-area", "strict"])
def test_shipped_standard_is_a_draft_and_covers_every_type(name):
    standard = load_standard(name)
    assert standard.name == name
    assert standard.is_draft
    assert all(standard.rules_of(t.name) for t in TYPES)


def test_published_numbers():
    standard = load_standard("gbt24356")
    assert standard.error_class("A").max_errors == 0
    assert [standard.grade_of(s) for s in (100, 90, 89.9, 75, 74.9, 60, 59.9)] == [
        "excellent", "excellent", "good", "good", "pass", "pass", "fail",
    ]  # fmt: skip
    cleaning = standard.cleaning(BY_NAME["cloud"], valid=2_000_000, grid=Grid(1000, 2000))
    assert (cleaning.dilation, cleaning.fill_holes, cleaning.min_area) == (2, 9, 200)


def test_pixel_types_keep_small_ones():
    cleaning = load_standard().cleaning(BY_NAME["missing"], valid=10**9, grid=Grid(1000, 2000))
    assert (cleaning.dilation, cleaning.fill_holes, cleaning.min_area, cleaning.reach) == (0, 0, 1, 3)


def test_a_type_beats_its_group(write):
    standard = write("[clean.region]", "[clean.cloud]\ndilation = 5\n[smallest.cloud]\nfraction = 0.5\n[clean.region]")
    cloud = standard.cleaning(BY_NAME["cloud"], valid=100, grid=Grid(10, 10))
    blur = standard.cleaning(BY_NAME["blur"], valid=100_000, grid=Grid(10, 10))
    assert (cloud.dilation, cloud.fill_holes, cloud.min_area) == (5, 9, 50)
    assert (blur.dilation, blur.min_area) == (2, 10)


def test_size_factor_divides_all_but_the_heaviest(write):
    standard = write("size_factor = 1.0", "size_factor = 2.0")
    assert [standard.deduction(c) for c in "ABCD"] == [42, 6, 2, 0.5]


def test_confirmed_standard_is_no_draft(write):
    assert not write('confirmed_by = ""', 'confirmed_by = "Li Hua, 2026-01-05"').is_draft


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('per = "type"', 'pre = "type"', r"own.toml has an unknown key rule\[1\].pre.*mean 'per'.*measure"),
        ("size_factor", "sizefactor", r"unknown key sizefactor.*mean 'size_factor'"),
        ('measure = "area_fraction"', "", r"lacks the key rule\[1\].measure"),
        ('"cloud", "shadow"', '"clouds", "shadow"', r"no type 'clouds'; Did you mean 'cloud'"),
        ('"cloud", "shadow"', '"cloud"', r"no rule for shadow"),
        ('"D", "C", "B", "A"', '"D", "C", "B", "E"', r"names class 'E'.*A, B, C, D"),
        ('"D", "C", "B", "A"', '"D", "C", "B"', r"4 limits and 3 classes"),
        ('"D", "C", "B", "A"', '"D", "B", "C", "A"', r"must not cost less"),
        ("0.0001, 0.005", "0.005, 0.0001", r"must rise"),
        ("deduction = 42", 'deduction = "much"', r"class\[1\].deduction = 'much'"),
        ("deduction = 42", "deduction = -1", r"class\[1\].deduction = -1"),
        ('measure = "length_m"', 'measure = "area_m2"', r"does not fit stitching_trace"),
        ('measure = "count"', 'measure = "count_per_km2"', r"density"),
        ("[smallest.region]", "[smallest.regions]", r"no type 'regions'; Did you mean 'region'"),
        ('name = "pass"', 'name = "fail"', r"grade cannot be called"),
        ("at_least = 75", "at_least = 95", r"grade 'good' \(at_least 95\) comes after 'excellent'.*best grade first"),
        ("at_least = 60", "at_least = 75", r"grade 'pass' \(at_least 75\) comes after 'good'"),
        ('types = ["cloud"', 'types = []  # ["cloud"', r"rule\[1\].types: it is empty.*Types are cloud, shadow"),
        ('name = "gbt24356"', 'name = ""', r"wrong at name: it is empty"),
        ("at_least = 90", "at_least = 900", r"grade\[1\].at_least = 900"),
        ('name = "gbt24356"', "name = ", r"is not TOML"),
    ],
)
def test_slip_is_named(write, old, new, message):
    with pytest.raises(StandardError, match=f"(?s).*{message}"):
        write(old, new)


def test_unknown_standard_names_the_nearest():
    with pytest.raises(StandardError, match=r"no standard 'gbt2435'.*mean 'gbt24356'"):
        load_standard("gbt2435")


def test_a_mark_before_utf8_and_windows_line_ends(tmp_path):
    path = tmp_path / "own.toml"
    path.write_bytes(standard_text("strict").replace("\n", "\r\n").encode("utf-8-sig"))
    assert load_standard(path) == load_standard("strict")


@pytest.mark.parametrize(
    ("encoding", "message"), [("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"), ("gbk", "not UTF-8 text")]
)
def test_other_encodings_are_named(tmp_path, encoding, message):
    path = tmp_path / "own.toml"
    path.write_text(standard_text("strict"), encoding, errors="replace")
    with pytest.raises(StandardError, match=f"{message}.*Save it as UTF-8"):
        load_standard(path)


def test_folder_is_no_standard(tmp_path):
    with pytest.raises(StandardError, match="cannot be read"):
        load_standard(tmp_path)


def test_grade_titles():
    standard = load_standard()
    assert [standard.grade_titles[g].zh for g in ("excellent", "fail", "not inspected")] == ["优", "不合格", "未检查"]
