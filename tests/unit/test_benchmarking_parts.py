"""Cards, suites, classes, published tables, and tables of results."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from clearscene.benchmark.band_sets import BAND_SETS
from clearscene.benchmark.card import Card, find_card, shipped_cards
from clearscene.benchmark.charts import forest, loss_chart
from clearscene.benchmark.classes import binary_truth, positive_of, summed
from clearscene.benchmark.consistency import check_rows, common_fraction, printed_rows, recover_recall
from clearscene.benchmark.evaluate import Sample
from clearscene.benchmark.keeping import weights_of
from clearscene.benchmark.onnx_row import OnnxRow
from clearscene.benchmark.overlays import BOTH, DIM, FOUND, TRUE, WASH, draw_overlay
from clearscene.benchmark.results import Cell, Curve, Hardware, JudgedSet, Model, Number, Results, Training
from clearscene.benchmark.rows import SemanticRow, folder_of
from clearscene.benchmark.stitch import Answered, stitched
from clearscene.benchmark.suite import ModelEntry, parse_suite
from clearscene.benchmark.table_files import to_csv, to_latex, to_markdown
from clearscene.benchmark.tables import main_tables, mixed_table
from clearscene.cli.benchmark import app
from clearscene.errors import ModelError, OptionError

SETS = [{"name": "Made", "folder": "made"}]
YOLO = {"name": "x", "network": "yolov8-seg", "form": "instances"}


def suite_of(folder, **values):
    values = {"name": "x", "sets": SETS, "models": [{"name": "U-Net", "network": "unet"}]} | values
    return parse_suite(values, place="x.toml", folder=folder)


def test_the_shipped_cards_are_those_of_the_publications():
    cards = shipped_cards()
    assert set(cards) == {"38cloud-official", "benchcloudvision-code", "benchcloudvision-paper", "pooled"}
    official = cards["38cloud-official"]
    assert official.threshold.value == 12 / 255
    assert (official.pooling, official.stitching, official.center_crop) == ("scenes", "scene", True)
    code, paper = cards["benchcloudvision-code"], cards["benchcloudvision-paper"]
    assert [c.metric for c in code.columns] == ["auc_thresholded", "dice_smooth", "iou", "coverage_similarity"]
    assert [c.metric for c in paper.columns] == ["auc", "dice", "iou", "coverage_recall"]
    assert [c.head for c in code.columns] == [c.head for c in paper.columns]
    assert code.looks_at_test
    assert code.threshold.candidates == tuple(round(i / 10, 12) for i in range(11))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"threshold": {"value": 0.12345}}, "multiple"),
        ({"threshold": {"value": "a/b"}}, "no number"),
        ({"threshold": {"value": 2}}, "less than or equal to 1"),
        ({"center_crop": True}, "stitching"),
        ({"columns": [{"metric": "accurracy"}]}, "there is no metric"),
        ({"columns": [{"metric": "iou"}, {"metric": "iou"}]}, "twice"),
        ({"pooling": "median"}, "pixels"),
        ({"colour": 1}, "colour: no such key"),
    ],
)
def test_a_wrong_card_says_what_is_wrong(tmp_path, change, word):
    values = {"name": "mine", "title": "Mine", "columns": [{"metric": "iou"}]} | change
    path = tmp_path / "mine.toml"
    path.write_text(_toml(values))
    with pytest.raises(OptionError, match=word):
        find_card(str(path))


def _toml(values):
    def text(value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k} = {text(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(text, value)) + "]"
        return str(value).lower() if isinstance(value, bool) else repr(value)

    return "\n".join(f"{key} = {text(value)}" for key, value in values.items())


def test_an_unknown_card_names_those_that_there_are():
    with pytest.raises(OptionError, match="pooled"):
        find_card("poolled")


@pytest.mark.parametrize("name", sorted(shipped_cards()))
def test_a_card_that_is_printed_can_be_read_again(tmp_path, name):
    shown = CliRunner().invoke(app, ["cards", name])
    assert shown.exit_code == 0
    (tmp_path / "mine.toml").write_text(shown.stdout, encoding="utf-8")
    assert find_card("mine.toml", folder=tmp_path) == find_card(name)
    as_json = CliRunner().invoke(app, ["cards", name, "--json"])
    assert json.loads(as_json.stdout)["name"] == name


def test_a_suite_reads_its_cards_and_anchors_its_folders(tmp_path):
    suite = suite_of(tmp_path, protocols=["pooled", "38cloud-official"])
    assert [card.name for card in suite.cards] == ["pooled", "38cloud-official"]
    assert suite.sets[0].folder == tmp_path / "made"


def test_band_sets_make_one_row_each(tmp_path):
    models = [{"name": "RS-Net", "network": "rs-net", "band_sets": [*BAND_SETS, "nir-only"]}]
    rows = suite_of(tmp_path, models=models, band_sets={"nir-only": ["nir"]}).expanded()
    assert [len(row.bands) for row in rows] == [10, 8, 4, 3, 1, 1]
    assert rows[2].name == "RS-Net (B2-5)"
    assert rows[-1].bands == ("nir",)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"models": [{"name": "x"}]}, "must have one of"),
        ({"models": [{"name": "x", "peer": "a", "model": "b"}]}, "model and peer"),
        ({"models": [{"name": "x", "peer": "a", "bands": ["red"]}]}, "no network"),
        ({"models": [{**YOLO, "bands": ["red", "nir"]}]}, "reads red, green and blue"),
        ({"models": [{**YOLO, "band_sets": ["rgbn"]}]}, "reads red, green and blue"),
        ({"models": [{"name": "x", "network": "u", "band_sets": ["every"]}]}, "no set of bands 'every'"),
        ({"models": [{"name": "U-Net", "peer": "a"}, {"name": "u net", "peer": "b"}]}, "one name, or nearly"),
        ({"sets": [{"name": "a", "folder": "a", "test": False}]}, "no set is judged"),
        ({"sets": [{"name": "a", "folder": "a", "train": False}]}, "to be trained"),
        ({"models": [{"name": "a", "network": "u", "band_sets": ["rgb", "rgb"]}]}, "one name, or nearly"),
        ({"models": [{"name": "a", "network": "u", "band_sets": ["rgb"]}, {"name": "a RGB", "peer": "b"}]}, "nearly"),
        ({"sets": [{"name": "a", "folder": "a", "split": "all"}]}, "cannot be judged"),
        ({"sets": [{"name": "a", "folder": "a", "split": "val"}]}, "cannot be judged"),
        ({"sets": [*SETS, {"name": "b", "folder": "x/../made", "train": False, "split": "all"}]}, "Made trains on"),
        ({"sets": [*SETS, {"name": "b", "folder": "made", "train": False, "split": "train"}]}, "Made trains on"),
        ({"training": {"epochs": 0}}, "greater than or equal to 1"),
        ({"protocols": ["none"]}, "no protocol card"),
        ({"protocols": ["pooled", "pooled"]}, "one name"),
    ],
)
def test_a_wrong_suite_says_what_is_wrong(tmp_path, change, word):
    with pytest.raises(OptionError, match=word):
        suite_of(tmp_path, **change)


def test_a_models_training_goes_over_that_of_all(tmp_path):
    models = [{"name": "a", "network": "unet", "training": {"lr": 0.5}}]
    suite = suite_of(tmp_path, models=models, training={"lr": 0.1, "epochs": 3})
    chosen = suite.models[0].training.over(suite.training)
    assert (chosen.lr, chosen.epochs, chosen.loss) == (0.5, 3, None)


def test_of_two_classes_the_second_is_looked_for_and_of_more_one_must_be_named():
    assert positive_of(("clear", "cloud"), (), (), place="x") == ("cloud",)
    four = ("clear", "thick", "thin", "shadow")
    assert positive_of(four, ("thick", "thin"), (), place="x") == ("thick", "thin")
    with pytest.raises(OptionError, match="Set `positive`"):
        positive_of(four, (), (), place="set x")
    with pytest.raises(OptionError, match="no class 'haze'"):
        positive_of(four, ("haze",), (), place="set x")


def test_classes_become_two_and_ignored_ones_are_not_counted():
    mask = np.array([[0, 1, 2, 3, 255]], np.uint8)
    found = binary_truth(mask, ("clear", "thick", "thin", "shadow"), ("thick", "thin"), ignored=("shadow",))
    assert found.tolist() == [[0, 1, 1, 255, 255]]


def test_probabilities_of_several_classes_add_up():
    planes = np.stack([np.full((2, 3), share, np.float32) for share in (0.1, 0.6, 0.3)])
    np.testing.assert_allclose(summed(planes, ("clear", "thick", "thin"), ("thick", "thin"), what="x"), 0.9)
    np.testing.assert_allclose(summed(planes[:1], ("clear", "cloud"), ("cloud",), what="x"), 0.1)
    with pytest.raises(ModelError, match="none of which"):
        summed(planes, ("a", "b", "c"), ("cloud",), what="x")


PLANE = np.array([[0.1, 0.6, 0.9], [0.2, 0.3, 0.5]], np.float32)
TWO = ("cloud", "clear")


@pytest.mark.parametrize(("positive", "expected"), [("clear", PLANE), ("cloud", 1 - PLANE)])
def test_one_plane_of_two_classes_is_turned_where_the_first_is_looked_for(positive, expected):
    net = SimpleNamespace(bands=("red",), classes=TWO, predict=lambda image: image)
    row = SemanticRow("x", net, (positive,))
    np.testing.assert_allclose(row.probability(PLANE[None], ("red",)), expected, atol=1e-6)


@pytest.mark.parametrize(("positive", "expected"), [("clear", PLANE), ("cloud", 1 - PLANE)])
def test_one_logit_of_a_model_folder_is_turned_as_well(positive, expected):
    manifest = SimpleNamespace(
        task="cloud_cover",
        input=SimpleNamespace(bands=("red",)),
        tiles=SimpleNamespace(tile_size=32, overlap=8),
        classes=[SimpleNamespace(name=name) for name in TWO],
    )
    model = SimpleNamespace(
        manifest=manifest, prepare=lambda part, valid: part, segment=lambda seen: np.log(seen / (1 - seen))
    )
    found = OnnxRow("x", model, (positive,)).probability(PLANE[None], ("red",))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_weights_are_known_by_their_bytes(tmp_path):
    assert weights_of(None) == weights_of(tmp_path / "none") == []
    for name in ("best.pt", "model.onnx", "model.toml", "log.csv"):
        (tmp_path / name).write_bytes(name.encode())
    first = weights_of(tmp_path)
    assert [line.split()[0] for line in first] == ["best.pt", "model.onnx", "model.toml"]
    (tmp_path / "log.csv").write_bytes(b"more")
    (tmp_path / "best.pt").touch()
    assert weights_of(tmp_path) == first
    (tmp_path / "best.pt").write_bytes(b"BEST.pt")
    assert [a == b for a, b in zip(first, weights_of(tmp_path), strict=True)] == [False, True, True]


def test_where_the_weights_of_an_entry_lie(tmp_path):
    network, peer = ModelEntry(name="x", network="unet"), ModelEntry(name="x", peer="ukis-4b")
    assert folder_of(network, tmp_path) == tmp_path
    assert folder_of(network, ModelError("it failed")) is None
    assert folder_of(peer, None) is None
    assert folder_of(ModelEntry(name="x", model=str(tmp_path / "none")), None) is None


def test_masks_are_washed_over_the_image_in_three_colors():
    picture = np.random.default_rng(0).integers(0, 255, (24, 40, 3), np.uint8)
    found, true = np.zeros((2, 24, 40), np.uint8)
    found[:, 10:30], true[:, 20:] = 1, 1
    true[-4:] = 255
    drawn = draw_overlay(picture, Sample(None, found.astype(np.float32), true), 0.5).astype(float)
    for cols, color in ((slice(12, 18), FOUND), (slice(32, 38), TRUE), (slice(22, 28), BOTH)):
        part = slice(2, 18), cols
        np.testing.assert_allclose(drawn[part], picture[part] * DIM * (1 - WASH) + np.array(color) * WASH, atol=0.51)
    for part in ((slice(0, 24), slice(0, 10)), (slice(20, 24), slice(0, 40))):
        np.testing.assert_allclose(drawn[part], picture[part] * DIM, atol=0.51)


def test_the_published_tables_hold_three_rows_that_cannot_be_right():
    rows = printed_rows()
    assert len(rows) == 42
    wrong = [(c.printed.trained, c.printed.tested, c.printed.model) for c in check_rows(rows) if c.complaint]
    assert wrong == [
        ("Biome", "95-Cloud", "YOLOv8"), ("SPARCS", "Biome", "Cloud-Net"), ("SPARCS", "95-Cloud", "YOLOv8")
    ]  # fmt: skip


def test_the_cloud_fractions_of_the_published_test_sets():
    rows = printed_rows()
    found = {name: common_fraction([r for r in rows if r.tested == name]) for name in ("SPARCS", "Biome", "95-Cloud")}
    assert found == pytest.approx({"SPARCS": 0.1523, "Biome": 0.5463, "95-Cloud": 0.4757}, abs=2e-4)


def test_the_misprinted_auc_and_a_confusion_matrix_of_the_published_tables():
    by_row = {(c.printed.trained, c.printed.tested, c.printed.model): c for c in check_rows(printed_rows())}
    assert by_row["SPARCS", "Biome", "Cloud-Net"].auc_expected == pytest.approx(0.8509, abs=5e-5)
    rates = by_row["Biome", "SPARCS", "U-Net++"].rates
    assert (rates.tpr, rates.fpr, rates.precision) == pytest.approx((0.906, 0.439, 0.271), abs=1e-3)


def test_coverage_is_not_recall():
    sparcs = [row for row in printed_rows() if row.tested == "SPARCS"]
    found = [recover_recall(row.auc, row.dice, row.coverage) for row in sparcs]
    fractions = [rates.cloud_fraction for rates in found if rates]
    assert max(fractions) - min(fractions) > 0.2


def test_a_dice_that_contradicts_iou_is_seen(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("trained,tested,model,auc,dice,iou,coverage\nA,B,U-Net,0.9,0.8,0.7,0.95\n")
    assert "contradict" in check_rows(printed_rows(path))[0].complaint
    path.write_text("trained,tested\nA,B\n")
    with pytest.raises(OptionError, match="columns"):
        printed_rows(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trained,tested,model,auc\na,b,c,1\n", "no column dice, iou, coverage"),
        (
            "trained,tested,model,auc,dice,iou,coverage\na,b,c,.9,.8,.7,.9\na,b,c,.9,.8,.7,1.9\n",
            "line 3: coverage is '1.9'",
        ),
        ("trained,tested,model,auc,dice,iou,coverage\na,b,c,89.1,.8,.7,.9\n", "line 2: auc is '89.1'"),
        ("trained,tested,model,auc,dice,iou,coverage\na,b,c,x,.8,.7,.9\n", "line 2: auc is 'x'"),
        ("trained,tested,model,auc,dice,iou,coverage\na,b,c,.9\n", "line 2: dice is None"),
        ("", "no column trained"),
    ],
)
def test_a_table_that_cannot_be_checked_names_the_line_and_the_column(tmp_path, text, words):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OptionError, match=words):
        printed_rows(path)


def test_a_row_without_a_confusion_matrix_has_dashes(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("trained,tested,model,auc,dice,iou,coverage\na,b,c,.9,.8,.7,.9\n", encoding="utf-8")
    shown = CliRunner().invoke(app, ["check-published", "--csv", str(path)])
    assert shown.exit_code == 0
    assert "nan" not in shown.stdout


def results_of(cells, cards=("pooled",)):
    sets = tuple(
        JudgedSet(
            name=name, dataset=name, digest="d", split_digest="s", bands=("red",), classes=("clear", "cloud"),
            positive=("cloud",), counts={}, split="test", is_trained_on=name == "Biome", is_judged=True,
        )
        for name in ("Biome", "SPARCS")
    )  # fmt: skip
    names = dict.fromkeys(cell.model for cell in cells)
    return Results(
        name="x", created="2026-01-01T00:00:00+00:00", seconds=1, clearscene="0", seed=0,
        hardware=Hardware(processor="p", cores=2, threads=1, device="cpu", python="3", system="Linux"),
        protocols=tuple(find_card(card) for card in cards), sets=sets,
        models=tuple(Model(name=name, kind="network", parameters=1234) for name in names), cells=tuple(cells),
    )  # fmt: skip


def cell_of(model, iou, *, train_set="Biome", test_set="SPARCS", protocol="pooled", **values):
    metrics = {"iou": Number(value=iou), "dice": Number(value=iou), "ece": Number(value=iou)}
    status = "done" if iou is not None else "failed"
    return Cell(
        id=f"{model}-{test_set}-{protocol}-{train_set}", key="k", model=model, train_set=train_set, test_set=test_set,
        protocol=protocol, status=status, metrics=metrics if iou is not None else {}, **values,
    )  # fmt: skip


def test_the_best_is_bold_and_of_errors_the_lowest():
    results = results_of([cell_of("U-Net", 0.61), cell_of("RS-Net_2", 0.72), cell_of("peer", 0.5, train_set=None)])
    (table,) = main_tables(results, results.protocols[0])
    (block,) = table.blocks
    heads = list(table.heads)
    assert block.title == "Trained on Biome and tested on SPARCS"
    best = {line.name: {heads[i] for i in line.best} for line in block.lines}
    assert best == {"U-Net": set(), "RS-Net_2": {"IoU", "Dice"}, "peer": {"ECE"}}
    text = to_markdown(table)
    assert "| RS-Net_2 | **0.7200** |" in text
    assert "| peer† | 0.5000 |" in text
    latex = to_latex(table)
    assert r"RS-Net\_2 & \textbf{0.7200}" in latex
    assert r"peer$^\dagger$" in latex
    assert latex.count(r"\\") == 1 + 1 + 3
    line = next(line for line in to_csv(table).splitlines() if "U-Net" in line)
    assert line.split(",")[:3] == ["Trained on Biome and tested on SPARCS", "U-Net", "0.6100"]
    assert "1234" in line


def test_a_set_that_only_models_from_elsewhere_answered_names_no_training():
    results = results_of([cell_of("U-Net", 0.61, test_set="Biome"), cell_of("peer", 0.5, train_set=None)])
    (table, *_) = main_tables(results, results.protocols[0])
    assert [block.title for block in table.blocks] == ["Trained on Biome and tested on Biome", "Tested on SPARCS"]


def test_one_value_has_an_axis():
    chart = forest(results_of([cell_of("a", 0.762593)]), find_card("pooled"), "SPARCS")
    labels = [float(tick.label) for tick in chart.ticks]
    assert len(set(labels)) == len(labels) >= 3
    assert labels[0] < 0.7626 < labels[-1]


def test_a_curve_of_one_point_is_drawn():
    one, many = Curve(steps=(36,), values=(0.4,)), Curve(steps=(10, 20, 36), values=(0.9, 0.6, 0.4))
    chart = loss_chart(Training(model="a", train_set="b", status="done", train_loss=many, val_loss=one))
    (start, end) = (tuple(map(float, pair.split(","))) for pair in chart.validation.split())
    assert start[0] < end[0]
    assert start[1] == end[1]
    assert len(chart.training.split()) == 3


def test_values_do_not_run_into_names_and_few_scenes_are_told():
    chart = forest(results_of([cell_of("a", 0.0), cell_of("b", 0.9)]), find_card("pooled"), "SPARCS")
    assert chart.note == "0 scenes: too few for intervals"
    worst = chart.dots[-1]
    assert worst.x == chart.left
    assert worst.label_x > worst.x
    assert chart.dots[0].label_x == chart.dots[0].x
    few, many = (cell_of("a", 0.5, n_scenes=n) for n in (1, 5))
    assert forest(results_of([few]), find_card("pooled"), "SPARCS").note == "1 scene: too few for intervals"
    assert forest(results_of([many]), find_card("pooled"), "SPARCS").note == "95 % interval over 5 scenes"


def test_equal_values_are_both_best_and_a_single_one_is_not():
    results = results_of([cell_of("a", 0.50001), cell_of("b", 0.50002)])
    (table,) = main_tables(results, results.protocols[0])
    assert all(line.best for line in table.blocks[0].lines)
    (table,) = main_tables(results_of([cell_of("a", 0.5)]), results.protocols[0])
    assert not table.blocks[0].lines[0].best


def test_a_failed_cell_is_shown_with_its_reason():
    results = results_of([cell_of("a", 0.5), cell_of("b", None, error="it has no nir")])
    (table,) = main_tables(results, results.protocols[0])
    assert table.blocks[0].lines[1].cells[0] == "failed"
    assert "b on SPARCS failed: it has no nir" in table.notes


def test_protocols_never_share_a_table_unless_asked():
    cells = [cell_of("a", 0.5), cell_of("a", 0.9, protocol="benchcloudvision-code")]
    results = results_of(cells, ("pooled", "benchcloudvision-code"))
    for card, value in zip(results.protocols, ("0.5000", "0.9000"), strict=True):
        text = "".join(to_markdown(table) for table in main_tables(results, card))
        assert value in text
        assert ({"0.5000", "0.9000"} - {value}).pop() not in text
    mixed = to_markdown(mixed_table(results, ("iou",)))
    assert "0.5000" in mixed
    assert "0.9000" in mixed


def test_numbers_that_are_not_finite_are_null_in_json():
    text = cell_of("a", 0.5, seconds=math.nan).model_dump_json()
    assert '"seconds":null' in text
    assert Card.model_validate(find_card("pooled").model_dump(mode="json")) == find_card("pooled")


def test_stitching_does_not_depend_on_the_order_where_labels_differ():
    chips = [
        Answered(0, 0, np.full((2, 3), 0.5, np.float32), np.array([[1, 1, 255]] * 2, np.uint8)),
        Answered(0, 1, np.full((2, 3), 0.5, np.float32), np.array([[0, 0, 0]] * 2, np.uint8)),
    ]
    for order in (chips, chips[::-1]):
        _, truth = stitched(order, (2, 4), crop_center=True)
        assert truth.tolist() == [[1, 1, 0, 0]] * 2
