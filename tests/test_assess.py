"""Maps against reference labels: the arithmetic, the matching of classes, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import shapely
from affine import Affine
from click.testing import CliRunner, Result
from hsi_geo.cli.main import group
from sklearn.metrics import cohen_kappa_score

from hsi_geo import assess
from hsi_geo.errors import HsiGeoError, MapError, MapNotFoundError, OptionError, ShotsError
from hsi_geo.io.class_colors import default_color
from hsi_geo.io.class_map import aux_xml
from hsi_geo.io.map_reader import read_map
from hsi_geo.io.shots import LandClass
from hsi_geo.tasks.area_estimates import AreaEstimates, estimate_areas

Array = npt.NDArray[Any]

NAMES = ("meadow", "asphalt", "deep water")
GRID = Affine(30.0, 0.0, 383472.5, 0.0, -20.0, 5818302.25)

#: Olofsson et al. 2014, table 8: sampled pixels (rows: map) and mapped pixels of 30 m.
OLOFSSON = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
MAPPED = np.array([200_000, 150_000, 3_200_000, 6_450_000])
CHANGES = ("deforestation", "forest gain", "stable forest", "stable non-forest")


def truth() -> Array:
    """(37, 53) classes 1..3 in unequal patches, 0 in a hole."""
    classes = np.ones((37, 53), np.uint8)
    classes[:, 21:] = 2
    classes[22:, :37] = 3
    classes[3:7, 5:10] = 0
    return classes


def damaged(share: float = 0.2, seed: int = 5) -> Array:
    """The truth with a share of its pixels named wrong at random."""
    generator = np.random.default_rng(seed)
    classes = truth()
    wrong = (generator.random(classes.shape) < share) & (classes > 0)
    return np.where(wrong, classes % 3 + 1, classes).astype(np.uint8)


WriteMap = Callable[..., Path]
WritePoints = Callable[..., Path]


@pytest.fixture
def write_map(tmp_path: Path) -> WriteMap:
    """Function that writes a class map, with names beside it."""

    def write(
        classes: Array,
        names: Sequence[str] | None = NAMES,
        crs: str | None = "EPSG:32633",
        name: str = "map.tif",
    ) -> Path:
        path = tmp_path / name
        height, width = classes.shape
        with rasterio.open(
            path, "w", driver="GTiff", height=height, width=width, count=1, nodata=0,
            dtype=str(classes.dtype), crs=crs, transform=GRID,
        ) as file:  # fmt: skip
            file.write(classes[None])
        if names is not None:
            table = tuple(LandClass(i, n, default_color(i)) for i, n in enumerate(names, start=1))
            path.with_name(f"{name}.aux.xml").write_text(aux_xml(table), encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_points(tmp_path: Path) -> WritePoints:
    """Function that writes the truth at some pixels as points."""

    def write(at: Array, classes: Sequence[Any] = ("", *NAMES), buffer: float = 0.0) -> Path:
        path = tmp_path / "reference.gpkg"
        points = [shapely.Point(*GRID @ (col + 0.5, row + 0.5)) for row, col in at]
        frame = gpd.GeoDataFrame(
            {"class": [classes[c] for c in truth()[at[:, 0], at[:, 1]]]},
            geometry=shapely.buffer(points, buffer) if buffer else points,
            crs="EPSG:32633",
        )
        frame.to_file(path, driver="GPKG")
        return path

    return write


@pytest.fixture
def everywhere(write_points: WritePoints) -> Path:
    """A reference point on every fifth pixel."""
    return write_points(np.argwhere(truth() > 0)[::5])


def run(*args: object) -> Result:
    return CliRunner().invoke(group, ["assess", *map(str, args)])


# Published examples ------------------------------------------------------------------------------


def spread(matrix: Array) -> tuple[Array, Array]:
    """(N,) mapped and (N,) true class of each pixel that a confusion matrix counts."""
    rows, cols = np.indices(matrix.shape)
    return np.repeat(rows.ravel(), matrix.ravel()), np.repeat(cols.ravel(), matrix.ravel())


@pytest.fixture
def olofsson() -> AreaEstimates:
    """Sampled within the map's classes."""
    mapped, actual = spread(OLOFSSON)
    return estimate_areas(mapped, actual, 4, mapped, dict(zip(CHANGES, MAPPED, strict=True)))


@pytest.fixture
def stehman() -> AreaEstimates:
    """Stehman 2014, table 2: strata, map and reference are three different things."""
    mapped, actual = (
        np.array(["ABCD".index(letter) for letter in letters.replace(" ", "")])
        for letters in (
            "AAAAAAABBB ABBBBBBBBB BBCCCCCCBB DDDDDDDDDD",
            "AAAAACBABC ABBBBBAABB CCCCCDDBBA DDDDDDDCCB",
        )
    )
    sizes = {"A": 40_000, "B": 30_000, "C": 20_000, "D": 10_000}
    return estimate_areas(mapped, actual, 4, np.repeat(np.arange(4), 10), sizes)


@pytest.mark.parametrize(
    ("name", "shares", "half_widths"),
    [
        ("oa", [0.95], [0.02]),
        ("user", [0.88, 0.73, 0.93, 0.96], [0.07, 0.10, 0.04, 0.02]),
        # The paper prints 0.23 and 0.01 for the second and the fourth half width, which its own
        # equation 7 does not give: mapac and mapaccuracy, packages in R, find 0.25 and 0.02 too.
        ("producer", [0.75, 0.85, 0.93, 0.96], [0.21, 0.25, 0.03, 0.02]),
    ],
)
def test_olofsson_as_printed(
    name: str, shares: list[float], half_widths: list[float], olofsson: AreaEstimates
) -> None:
    found = getattr(olofsson, name)
    assert np.round(found.value, 2).tolist() == shares
    assert np.round(1.96 * found.error, 2).tolist() == half_widths


def test_areas_of_olofsson_as_printed(olofsson: AreaEstimates) -> None:
    hectares = 0.09 * olofsson.total
    assert np.round(olofsson.share.value * hectares).tolist() == [21158, 11686, 285770, 581386]
    assert np.round(1.96 * olofsson.share.error * hectares).tolist() == [6158, 3756, 15510, 16282]
    assert round(olofsson.share.error[0], 4) == 0.0035


@pytest.mark.parametrize(
    ("name", "index", "value", "error"),
    [
        ("oa", 0, 0.63, 0.085),
        ("share", 0, 0.35, 0.082),
        ("share", 2, 0.20, 0.064),
        ("user", 1, 0.574, 0.125),
        ("producer", 1, 0.794, 0.117),
    ],
)
def test_stehman_as_printed(
    name: str, index: int, value: float, error: float, stehman: AreaEstimates
) -> None:
    found = getattr(stehman, name)
    assert found.value[index] == pytest.approx(value, abs=5e-4)
    assert found.error[index] == pytest.approx(error, abs=5e-4)


def test_estimates_do_not_depend_on_the_order_of_classes(olofsson: AreaEstimates) -> None:
    order = np.array([2, 0, 3, 1])
    mapped, actual = spread(OLOFSSON[np.ix_(order, order)])
    sizes = {CHANGES[i]: int(MAPPED[i]) for i in order}
    other = estimate_areas(mapped, actual, 4, mapped, sizes)
    for name in ("user", "producer", "f1", "share"):
        for part in ("value", "error"):
            one, two = getattr(getattr(olofsson, name), part), getattr(getattr(other, name), part)
            np.testing.assert_allclose(one[order], two)
    np.testing.assert_allclose(other.oa.value, olofsson.oa.value)


def test_standard_errors_are_the_spread_of_repeated_samples() -> None:
    """Draw many samples of a map with known truth, from the classes of another map."""
    mapped, actual, older = (a.ravel() for a in (damaged(), truth(), damaged(0.4, seed=8)))
    strata = [np.flatnonzero(older == c) for c in (1, 2, 3)]
    sizes = {name: len(stratum) for name, stratum in zip(NAMES, strata, strict=True)}
    generator = np.random.default_rng(3)
    estimates = []
    for _ in range(800):  # with replacement, as the formulas have it
        drawn = np.concatenate([generator.choice(stratum, 60) for stratum in strata])
        came_from = np.repeat(np.arange(3), 60)
        estimates.append(estimate_areas(mapped[drawn] - 1, actual[drawn] - 1, 3, came_from, sizes))
    area, shown = (np.bincount(values)[1:] for values in (actual, mapped))
    both = np.bincount(actual[actual == mapped])[1:]
    for name, expected in (
        ("share", area / area.sum()),
        ("f1", 2 * both / (area + shown)),
        ("producer", both / area),
        ("user", both / shown),
    ):
        values = np.array([getattr(e, name).value for e in estimates])
        errors = np.array([getattr(e, name).error for e in estimates])
        np.testing.assert_allclose(values.mean(axis=0), expected, atol=0.01)
        np.testing.assert_allclose(errors.mean(axis=0), values.std(axis=0), rtol=0.1)


# The map against its reference -------------------------------------------------------------------


def test_numbers_are_those_of_the_pixels(write_map: WriteMap, everywhere: Path) -> None:
    found = assess(write_map(damaged()), everywhere)
    at = np.argwhere(truth() > 0)[::5]
    mapped, actual = damaged()[*at.T], truth()[*at.T]
    assert found.oa.value == pytest.approx((mapped == actual).mean())
    assert found.kappa is not None
    assert found.kappa.value == pytest.approx(cohen_kappa_score(actual, mapped))
    assert found.matrix.sum() == found.pixels == found.features == len(at)
    for index, score in enumerate(found.scores, start=1):
        assert score.name == NAMES[index - 1]
        assert score.reference == (actual == index).sum()
        right = ((mapped == index) & (actual == index)).sum()
        for estimate, value in (
            (score.user, right / (mapped == index).sum()),
            (score.producer, right / (actual == index).sum()),
            (score.f1, 2 * right / ((mapped == index).sum() + (actual == index).sum())),
        ):
            assert estimate is not None
            assert estimate.value == pytest.approx(value)
            assert estimate.low < estimate.value < estimate.high
    assert found.oa.low < found.aa.value < found.oa.high


def test_no_interval_is_empty_even_if_all_is_right(write_map: WriteMap, everywhere: Path) -> None:
    for design in (None, "stratified"):
        found = assess(write_map(truth()), everywhere, design=design)
        assert found.oa.value == 1.0
        assert found.oa.low < 1.0
        assert found.kappa is not None
        assert found.kappa.value == 1.0
        assert all(s.user is not None and s.user.low < 1.0 for s in found.scores)


def test_pixels_of_one_polygon_count_once(write_map: WriteMap, write_points: WritePoints) -> None:
    at = np.array([[11, 13], [30, 9], [8, 40], [31, 20], [15, 45]])
    points = assess(write_map(damaged()), write_points(at))
    discs = assess(write_map(damaged()), write_points(at, buffer=90.0))
    assert discs.pixels > 5 * points.pixels
    assert discs.features == points.features == 5
    assert discs.oa.high - discs.oa.low > 0.4  # five trials, however many pixels


def test_a_design_gives_areas_in_hectares(write_map: WriteMap, everywhere: Path) -> None:
    found = assess(write_map(damaged()), everywhere, design="simple")
    areas = [score.area for score in found.scores]
    for area, count in zip(areas, np.bincount(truth().ravel())[1:], strict=True):
        assert area is not None
        assert area.ha is not None
        assert area.ha_se is not None
        assert abs(area.ha - count * 0.06) < 3 * area.ha_se
    assert sum(area.share for area in areas if area is not None) == pytest.approx(1.0)


def test_a_simple_sample_may_miss_a_class(
    write_map: WriteMap, write_points: WritePoints, caplog: pytest.LogCaptureFixture
) -> None:
    """Rare classes often get no point; where points were drawn within classes, that is no chance."""
    at = np.argwhere((truth() > 0) & (damaged() != 3))[::5]
    reference = write_points(at)
    found = assess(write_map(damaged()), reference, design="simple")
    assert "'deep water', 'meadow' are weighted as one" in caplog.text
    assert found.scores[2].user is None
    areas = [score.area for score in found.scores if score.area is not None]
    assert sum(area.share for area in areas) == pytest.approx(1.0)
    assert all(area.share_se > 0 for area in areas)
    with pytest.raises(ShotsError, match="fewer than two pixels in deep water"):
        assess(write_map(damaged()), reference, design="stratified")


def test_strata_may_be_another_map(write_map: WriteMap, everywhere: Path) -> None:
    path, older = write_map(damaged()), write_map(damaged(0.4, seed=8), name="older.tif")
    usual = assess(path, everywhere, design="stratified")
    assert assess(path, everywhere, design="stratified", strata=path).oa == usual.oa
    found = assess(path, everywhere, design="stratified", strata=older)
    assert found.oa != usual.oa
    assert abs(found.oa.value - usual.oa.value) < usual.oa.high - usual.oa.low


def without(row: int, col: int, classes: Array) -> Array:
    """The same map with a hole of one pixel."""
    holed = classes.copy()
    holed[row, col] = 0
    return holed


def test_strata_have_to_be_those_of_the_sample(
    write_map: WriteMap, write_points: WritePoints
) -> None:
    """A sample point lies at row 11, column 13."""
    reference = write_points(np.vstack([[[11, 13]], np.argwhere(truth() > 0)[2::5]]))
    path = write_map(damaged())
    wide = np.hstack([damaged(), damaged()])
    for name, classes, crs, said in (
        ("wide", wide, "EPSG:32633", r"cover 200\.0 % of the area that those of map"),
        ("small", damaged()[:20], "EPSG:32633", r"cover 5\d\.\d % of the area"),
        ("empty", 0 * damaged(), "EPSG:32633", r"cover 0\.0 % of the area"),
        ("elsewhere", damaged(), "EPSG:32632", "in another CRS"),
        ("holed", without(11, 13, damaged()), "EPSG:32633", "1 sampled pixels have no class in"),
    ):
        strata = write_map(classes, crs=crs, name=f"{name}.tif")
        with pytest.raises(MapError, match=said) as caught:
            assess(path, reference, design="stratified", strata=strata)
        assert caught.value.hint
    with pytest.raises(OptionError, match="not stratified"):
        assess(path, reference, design="simple", strata=path)


def test_points_of_the_strata_that_the_map_leaves_out_are_not_dropped(
    write_map: WriteMap, write_points: WritePoints
) -> None:
    """Weights count the land they stand for. Points that are in neither map stand for none."""
    strata = write_map(damaged(0.4, seed=8), name="older.tif")
    at = np.argwhere(truth() > 0)[::5]
    holed = write_map(without(11, 13, damaged()))
    reference = write_points(np.vstack([[[11, 13]], at]))
    with pytest.raises(MapError, match="1 points that were drawn from the strata") as caught:
        assess(holed, reference, design="stratified", strata=strata)
    assert caught.value.hint
    reference = write_points(np.vstack([[[4, 6]], at]), (*NAMES[:1], *NAMES))
    found = assess(write_map(damaged()), reference, design="stratified", strata=strata)
    assert found.dropped == ("1 pixels without a class in the map",)


def test_mapped_hectares_are_those_of_the_map_and_not_of_the_strata(
    write_map: WriteMap, everywhere: Path
) -> None:
    """The strata have four times the pixels, and lack two of the map's."""
    older = without(11, 14, without(30, 9, damaged(0.4, seed=8)))
    strata = write_map(np.kron(older, np.ones((2, 2), np.uint8)), name="older.tif")
    with rasterio.open(strata, "r+") as file:
        file.transform = GRID @ Affine.scale(0.5)
    found = assess(write_map(damaged()), everywhere, design="stratified", strata=strata)
    areas = [score.area for score in found.scores if score.area is not None]
    counts = np.bincount(damaged().ravel())[1:]
    assert [area.mapped_ha for area in areas] == pytest.approx((0.06 * counts).tolist())
    assert sum(area.ha or 0.0 for area in areas) == pytest.approx(0.06 * counts.sum())
    same = write_map(older, name="same.tif")
    again = assess(write_map(damaged()), everywhere, design="stratified", strata=same)
    assert again.as_dict() == found.as_dict()


def test_pixels_in_degrees_have_no_area(
    write_map: WriteMap, everywhere: Path, tmp_path: Path
) -> None:
    frame = gpd.read_file(everywhere).set_crs("EPSG:4326", allow_override=True)
    frame.geometry = frame.geometry.affine_transform([1e-5, 0, 0, 1e-5, 0, 0])
    frame.to_file(tmp_path / "degrees.gpkg", driver="GPKG")
    path = write_map(damaged(), crs="EPSG:4326")
    with rasterio.open(path, "r+") as file:
        file.transform = Affine.scale(1e-5) @ GRID
    found = assess(path, tmp_path / "degrees.gpkg", design="stratified")
    assert found.scores[0].area is not None
    assert found.scores[0].area.ha is None
    assert found.scores[0].area.share > 0


def test_class_names_are_what_is_matched(write_map: WriteMap, write_points: WritePoints) -> None:
    """The reference's own ids run the other way round."""
    at = np.argwhere(truth() > 0)[::7]
    reference = write_points(at, ("", "meadow", "tarmac", "deep water"))
    found = assess(write_map(truth()), reference)
    assert found.only_in_map == ("asphalt",)
    assert found.only_in_reference == ("tarmac",)
    assert [score.name for score in found.scores] == [*NAMES, "tarmac"]
    lost = (truth()[*at.T] == 2).mean()
    assert found.oa.value == pytest.approx(1 - lost)
    assert found.matrix[1, 3] == (truth()[*at.T] == 2).sum()
    assert found.scores[1].producer is None
    assert found.scores[3].user is None


@pytest.mark.parametrize("design", [None, "simple"])
def test_a_reference_may_be_of_one_class(
    design: Any, write_map: WriteMap, write_points: WritePoints, tmp_path: Path
) -> None:
    """Are these places water? Every other row is asked about."""
    at = np.argwhere(truth() == 3)[::2]
    path, reference = write_map(damaged()), write_points(at)
    found = assess(path, reference, design=design, out=tmp_path / "page.html")
    right = (damaged()[*at.T] == 3).mean()
    assert found.only_in_map == NAMES[:2]
    assert found.matrix[:, 2].sum() == found.matrix.sum() == len(at)
    assert found.scores[2].producer is not None
    assert found.aa.value == found.scores[2].producer.value
    if design is None:
        assert found.oa.value == pytest.approx(right)
    styles = tmp_path / "classes.json"
    styles.write_text('{"deep water": {"color": "#0000ff"}}')
    args = [path, "--reference", reference, "--classes", styles]
    shown = run(*args, *(["--design", design] if design else []))
    assert shown.exit_code == 0, shown.output


def test_a_map_of_the_one_class_that_the_reference_has(
    write_map: WriteMap, write_points: WritePoints
) -> None:
    water = np.where(truth() == 3, 3, 0).astype(np.uint8)
    found = assess(write_map(water), write_points(np.argwhere(truth() == 3)[::3]))
    assert found.oa.value == 1.0
    assert found.kappa is None


def test_a_map_without_names_matches_numbers(
    write_map: WriteMap, write_points: WritePoints
) -> None:
    reference = write_points(np.argwhere(truth() > 0)[::7], (0, 1, 2, 3))
    assert assess(write_map(truth(), names=None), reference).oa.value == 1.0


def test_values_of_one_name_are_one_class(write_map: WriteMap, write_points: WritePoints) -> None:
    names = ("green", "grey", "green")
    reference = write_points(np.argwhere(truth() > 0)[::7], ("", *names))
    for design in (None, "stratified"):
        found = assess(write_map(truth(), names), reference, design=design)
        assert [score.name for score in found.scores] == ["green", "grey"]
        assert found.oa.value == 1.0


def test_an_attribute_table_gives_names_too(write_map: WriteMap) -> None:
    path = write_map(truth())
    aux = path.with_name("map.tif.aux.xml")
    text = re.sub(r"<CategoryNames>.*</CategoryNames>", "", aux.read_text(), flags=re.DOTALL)
    aux.write_text(text)
    assert read_map(path).names == dict(enumerate(NAMES, start=1))


def test_counts_of_a_map_larger_than_a_strip(write_map: WriteMap) -> None:
    classes = np.tile(damaged(), (9, 1))
    path = write_map(classes)
    expected = dict(enumerate(np.bincount(classes.ravel())[1:].tolist(), start=1))
    assert read_map(path).counts() == expected
    rows, cols = np.argwhere(classes >= 0)[::97].T
    assert (read_map(path).values_at(rows, cols) == classes[rows, cols]).all()


# What is shown and refused -----------------------------------------------------------------------


def test_command_prints_a_table_and_json(write_map: WriteMap, everywhere: Path) -> None:
    path = write_map(damaged())
    shown = run(path, "--reference", everywhere, "--design", "stratified")
    assert shown.exit_code == 0, shown.output
    for text in (*NAMES, "overall accuracy", "kappa", "producer's", " ha", "Olofsson"):
        assert text in shown.stdout
    found = json.loads(run(path, "--reference", everywhere, "--json").stdout)
    assert found["oa"] == {
        "value": pytest.approx(assess(path, everywhere).oa.value),
        "low": pytest.approx(assess(path, everywhere).oa.low),
        "high": pytest.approx(assess(path, everywhere).oa.high),
    }
    told = run(path, "--reference", everywhere, "--progress", "jsonl")
    event = json.loads(told.stderr.splitlines()[-1])
    assert event["type"] == "result"
    assert event["assessment"] == found


@pytest.mark.usefixtures("quick")
def test_a_map_judged_by_its_own_shots_is_warned_of(planted: Any, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    out = tmp_path / "m.tif"
    made = CliRunner().invoke(
        group, ["classify", str(planted.path), "--shots", str(shots), "-o", str(out)]
    )
    assert made.exit_code == 0, made.output
    assert "knows the answers" in run(out, "--reference", shots).stderr
    others = planted.shots(tmp_path / "others.gpkg", per_class=6)
    assert "knows the answers" not in run(out, "--reference", others).stderr


@pytest.mark.parametrize(
    "record",
    [None, [], {"adaptation": None}, {"adaptation": "none"}, {"adaptation": {"hashes": [1]}}],
)
def test_a_record_of_another_program_is_passed_over(
    record: object, write_map: WriteMap, everywhere: Path
) -> None:
    path = write_map(damaged())
    path.with_suffix(".json").write_text(json.dumps(record))
    assert assess(path, everywhere).pixels > 0


def test_few_pixels_of_a_large_map_have_a_report_without_a_picture(
    write_map: WriteMap, write_points: WritePoints, tmp_path: Path
) -> None:
    """The picture takes every fourth row and column, and none of those is mapped."""
    classes = np.zeros((3000, 2900), np.uint8)
    classes[11:13, 15:17] = truth()[11:13, 15:17]
    reference = write_points(np.array([[11, 15], [12, 16], [20, 25]]))
    page = tmp_path / "page.html"
    assert assess(write_map(classes), reference, out=page).pixels == 2
    assert "too few to show" in page.read_text(encoding="utf-8")


Refusal = tuple[type[HsiGeoError], str, Callable[[Path, Path], tuple[Any, ...]], str | None]

REFUSED: dict[str, Refusal] = {
    "map missing": (
        MapNotFoundError, "does not exist", lambda m, r: (m.with_name("none.tif"), r), None
    ),
    "map is no raster": (MapError, "not a raster", lambda m, r: (r.with_name("notes"), r), None),
    "map is a scene": (MapError, "2 bands of float32", lambda m, r: (r.with_name("two.tif"), r), None),
    "no class in common": (
        MapError, "map has 'meadow', .*reference 'grass', 'road'",
        lambda m, r: (m, r.with_name("other.gpkg")), None,
    ),
    "reference in the hole": (
        ShotsError, "none of the 2 reference pixels", lambda m, r: (m, r.with_name("hole.gpkg")), None
    ),
    "a design of polygons": (
        ShotsError, "consists of points, and the reference has Polygons",
        lambda m, r: (m, r.with_name("discs.gpkg")), "simple",
    ),
    "a class unsampled": (
        ShotsError, "fewer than two pixels in deep water",
        lambda m, r: (m, r.with_name("few.gpkg")), "stratified",
    ),
    "a class the map lacks": (
        ShotsError, "the map has no class 'road'",
        lambda m, r: (m, r.with_name("road.gpkg")), "stratified",
    ),
}  # fmt: skip


@pytest.fixture
def refused_files(everywhere: Path, tmp_path: Path) -> None:
    """Everything the table above names."""
    frame = gpd.read_file(everywhere)
    (tmp_path / "notes").write_text("no raster\n")
    with rasterio.open(
        tmp_path / "two.tif", "w", driver="GTiff", height=3, width=4, count=2, dtype="float32",
        transform=GRID,
    ) as file:  # fmt: skip
        file.write(np.ones((2, 3, 4), np.float32))

    def save(name: str, changed: gpd.GeoDataFrame) -> None:
        changed.to_file(tmp_path / f"{name}.gpkg", driver="GPKG")

    names = {"meadow": "grass", "asphalt": "road", "deep water": "road"}
    save("other", frame.assign(**{"class": frame["class"].map(names)}))
    save("road", frame.assign(**{"class": frame["class"].replace("deep water", "road")}))
    save("few", frame[frame["class"] != "deep water"])
    save("discs", frame.set_geometry(frame.buffer(40.0)))
    hole = frame.iloc[[0, -1]].copy()
    hole.geometry = [shapely.Point(*GRID @ (col, 4.5)) for col in (6.5, 8.5)]
    save("hole", hole.assign(**{"class": ["meadow", "asphalt"]}))


def test_refusals_speak_of_map_and_reference(
    write_map: WriteMap, everywhere: Path, tmp_path: Path
) -> None:
    """Nobody who assesses a map has drawn shots, or given a scene."""
    frame = gpd.read_file(everywhere)
    changed = {
        "far": frame.set_geometry(frame.translate(1e6, 0.0)),
        "empty": frame[:0],
        "unlabelled": frame.assign(**{"class": None}),
        "twice": frame.assign(other=frame["class"], more=frame["class"]).drop(columns="class"),
        "contested": frame[:2].assign(geometry=[frame.geometry[0]] * 2, **{"class": NAMES[:2]}),
    }
    path, bare = write_map(truth()), write_map(truth(), crs=None, name="bare.tif")
    asked = {name: (path, tmp_path / f"{name}.gpkg") for name in (*changed, "missing")}
    for name, one in changed.items():
        one.to_file(asked[name][1], driver="GPKG")
    for name, (class_map, reference) in (*asked.items(), ("bare", (bare, everywhere))):
        with pytest.raises(HsiGeoError) as caught:
            assess(class_map, reference)
        said = str(caught.value).replace(str(tmp_path), "")
        assert "reference labels" in said, name
        assert not re.search("shot|scene|two classes or", said), name


@pytest.mark.usefixtures("refused_files")
@pytest.mark.parametrize("case", REFUSED)
def test_refusals_say_why(case: str, write_map: WriteMap, everywhere: Path) -> None:
    kind, expected, paths, design = REFUSED[case]
    with pytest.raises(kind, match=expected) as caught:
        assess(*paths(write_map(truth()), everywhere), design=design)  # type: ignore[arg-type]
    assert caught.value.hint
