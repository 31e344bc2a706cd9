"""Reports about maps: their numbers are those of the result, and a browser shows them offline."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from builders import run, snapshot
from matplotlib.image import imread
from report_pages import Page

from hsi_geo import MapOptions, classify
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.maps.areas import row_areas_ha
from hsi_geo.io.scenes.properties import grid_of, select_good_bands
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.adapt import adapt
from hsi_geo.tasks.adaptation import fitting
from hsi_geo.tasks.reporting.spectra import class_spectra
from hsi_geo.tasks.validation import folds

Planted = Any  # defined in conftest, which tests cannot import
Recorder = Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def odd_shots(planted: Planted, tmp_path: Path) -> Path:
    """Five points a class; one more, the last, is drawn as water and lies on asphalt."""
    path = planted.shots(tmp_path / "shots.gpkg", per_class=5)
    frame = gpd.read_file(path)
    frame.loc[len(frame)] = ["water", shapely.Point(planted.transform @ (40.5, 5.5))]
    frame.set_crs(planted.crs).to_file(path)  # which older pandas lost
    return Path(path)


@pytest.fixture
def reported(
    planted: Planted,
    odd_shots: Path,
    tmp_path: Path,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """With two folds instead of five: a matter of time."""
    monkeypatch.setattr(folds, "FOLDS", 2)
    out = tmp_path / "m.tif"
    again = "hsi-geo classify 'a & <b>.tif'"
    return classify(
        planted.path,
        odd_shots,
        out=out,
        options=MapOptions(report=True, command=again),
        reporter=recorder,
    )


@pytest.mark.slow
def test_report_map_gives_hectares_in_degrees(make_scene: Any, tmp_path: Path) -> None:
    """Where rows differ in area, each class has the sum of its rows."""
    planted = make_scene()
    shots = gpd.read_file(planted.shots(tmp_path / "shots.gpkg"))
    place = (
        Affine.translation(13.0, 58.0)
        @ Affine.scale(1e-4)
        @ ~Affine.translation(planted.transform.c, planted.transform.f)
    )
    with rasterio.open(planted.path, "r+") as file:
        file.transform, file.crs = place @ planted.transform, "EPSG:4326"
    shots.geometry = shots.geometry.affine_transform(
        [place.a, place.b, place.d, place.e, place.c, place.f]
    )
    shots.set_crs("EPSG:4326", allow_override=True).to_file(tmp_path / "degrees.gpkg")
    made = classify(
        planted.path,
        tmp_path / "degrees.gpkg",
        out=tmp_path / "m.tif",
        options=MapOptions(report=True),
    )
    with rasterio.open(made.paths.classes) as file:
        ids = file.read(1)
    rows = row_areas_ha(grid_of(open_scene(planted.path)))
    assert rows is not None
    assert rows[0] < rows[-1]
    assert made.paths.report is not None
    page = Page(made.paths.report)
    for entry in made.record["classes"]:
        hectares = f"{(rows[:, None] * (ids == entry['id'])).sum():,.2f}"
        assert any(row[:1] + row[-1:] == [entry["name"], hectares] for row in page.rows)


def test_report_map_shows_the_result(reported: Any, planted: Planted) -> None:
    assert reported.paths.report.name == "m_report.html"
    assert reported.paths.confidence is None
    assert not list(reported.paths.classes.parent.glob("*confidence*"))
    page = Page(reported.paths.report)
    assert page.headings == [
        "Warnings",
        "Map",
        "Accuracy",
        "Spectra",
        "Areas",
        "Parameters",
        "Command",
    ]
    assert all(uri.startswith("data:image/png;base64,") for uri in page.asked)
    assert "hsi-geo classify 'a & <b>.tif'" in page.text
    said = str(reported.accuracy)
    assert said[1:] in page.text
    assert "of the classifiers" in reported.accuracy.method
    for entry in reported.record["classes"]:
        share = f"{100 * entry['share']:.1f} %"
        assert page.row(entry["name"]) == [
            entry["name"], str(entry["id"]), str(entry["shots"]), share
        ]  # fmt: skip
        hectares = f"{entry['pixels'] * 30 * 20 / 1e4:,.2f}"
        assert any(row[:1] + row[-1:] == [entry["name"], hectares] for row in page.rows)
    assert page.row("seed")[1] == "0"
    # The feature's id is the file's own: GeoPackages count from 1.
    assert page.row("16")[:4] == ["16", "water", "asphalt", "1"]
    x, y = planted.transform @ (40.5, 5.5)
    weight, *place = (float(cell) for cell in page.row("16")[4:])
    assert 0 <= weight < 0.5
    assert place == pytest.approx([x, y], abs=0.01)
    assert "1 shot looks wrong" in page.text
    check_pictures(page, reported, planted)


def check_pictures(page: Page, reported: Any, planted: Planted) -> None:
    """They are those of the map."""
    scene, shown, confidence, spectra = page.pictures
    height, width = planted.truth.shape
    assert scene.shape[:2] == shown.shape[:2] == confidence.shape[:2] == (height, width)
    assert spectra.shape[1] > 500
    with rasterio.open(reported.paths.classes) as file:
        ids = file.read(1)
    for entry in reported.record["classes"]:
        wanted = np.array(list(bytes.fromhex(entry["color"][1:]))) / 255
        here = (np.abs(shown[..., :3] - wanted) < 1e-3).all(axis=-1)
        np.testing.assert_array_equal(here, ids == entry["id"])
    assert (scene[planted.truth == 0][:, :3] == 1).all()  # nodata is white


def test_classify_gives_the_same_model_with_a_report(
    planted: Planted, odd_shots: Path, reported: Any, tmp_path: Path
) -> None:
    """A report costs no adaptation: map and estimate are the same."""
    plain = classify(planted.path, odd_shots, out=tmp_path / "plain.tif")
    assert plain.paths.classes.read_bytes() == reported.paths.classes.read_bytes()
    assert plain.paths.report is None
    assert plain.accuracy == reported.accuracy


@pytest.mark.slow
def test_log_record_and_report_name_a_wrong_shot(
    planted: Planted, tmp_path: Path, recorder: Recorder
) -> None:
    frame = gpd.read_file(planted.shots(tmp_path / "right.gpkg"))
    wrong = int(np.flatnonzero(frame["class"] == "meadow")[1])
    frame.loc[wrong, "class"] = "water"
    frame.to_file(tmp_path / "shots.gpkg")
    maps = {
        trust: classify(
            planted.path,
            tmp_path / "shots.gpkg",
            out=tmp_path / f"map_{trust}.tif",
            trust_shots=trust,
            options=MapOptions(report=True),
            reporter=recorder,
        )
        for trust in (False, True)
    }
    (one,) = maps[False].record["adaptation"]["suspicious_shots"]
    assert (one["drawn"], one["looks_like"]) == ("water", "meadow")
    assert one["weight"] < 0.2
    spot = frame.geometry[wrong]
    assert (one["x"], one["y"]) == (spot.x, spot.y)
    assert maps[True].record["adaptation"]["suspicious_shots"] == []
    said = [text for text in recorder.logs if "weighs less" in text]
    assert len(said) == 1
    assert f"feature {one['feature_id']} ('water', looks like 'meadow', weight" in said[0]
    page = Page(maps[False].paths.report)
    (row,) = [row for row in page.rows if row[:3] == [str(one["feature_id"]), "water", "meadow"]]
    assert f"{one['weight']:.2f}" in row


@pytest.mark.slow
def test_held_out_shots_are_predicted_without_their_pixels(
    planted: Planted, odd_shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each adaptation but the first lacks a part of the shots; together they lack each once."""
    seen: list[set[int]] = []
    learn = fitting.fit_classifier

    def spy(plots: Any, *rest: Any, **options: Any) -> Any:
        assert ((plots.labels >= 0) == (plots.features >= 0)).all()
        seen.append(set(np.flatnonzero(plots.labels >= 0).tolist()))
        return learn(plots, *rest, **options)

    monkeypatch.setattr(fitting, "fit_classifier", spy)
    adapt(planted.path, odd_shots, cross_validation=True)
    everything, *parts = seen
    assert len(parts) == 5
    missing = [everything - part for part in parts]
    assert sorted(pixel for part in missing for pixel in part) == sorted(everything)


@pytest.mark.slow
def test_classify_writes_a_report_for_each_scene(
    planted: Planted,
    halves: list[Path],
    odd_shots: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The west has no shot: its page does without."""
    monkeypatch.setattr(folds, "FOLDS", 2)
    frame = gpd.read_file(odd_shots)
    east = frame[frame.geometry.x > planted.transform.c + 21 * planted.transform.a]
    east[east["class"] != "meadow"].to_file(odd_shots)
    results = classify(halves, odd_shots, out=tmp_path / "maps", options=MapOptions(report=True))
    for result, half in zip(results, halves, strict=True):
        assert result.paths.report is not None
        page = Page(result.paths.report)
        assert f"Land cover of {half.name}" in page.text
        assert len(list(page.pictures)) == 4


@pytest.mark.slow
def test_report_bytes_are_reproducible(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg", per_class=2)
    pages = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        out = tmp_path / name / "m.tif"
        result = classify(planted.path, shots, out=out, options=MapOptions(report=True))
        assert result.paths.report is not None
        pages.append(result.paths.report.read_bytes())
    assert pages[0] == pages[1]


def test_class_spectra_are_means_of_pixels(planted: Planted, tmp_path: Path) -> None:
    scene = open_scene(planted.path)
    shots = burn(read_shots(planted.shots(tmp_path / "s.gpkg")), grid_of(scene))
    found = class_spectra(
        select_good_bands(scene), shots, lambda w: planted.truth[w.slices], len(planted.names)
    )
    order = np.argsort(planted.centres_nm)
    for index in range(3):
        mean = planted.values[order][:, planted.truth == index + 1].mean(axis=1)
        np.testing.assert_allclose(found.of_map[index], mean, rtol=1e-5)
        own = shots.class_ids == index + 1
        mean = planted.values[order][:, shots.rows[own], shots.cols[own]].mean(axis=1)
        np.testing.assert_allclose(found.of_shots[index], mean, rtol=1e-5)
    assert found.mapped_px == (planted.truth > 0).sum()
    none = class_spectra(
        select_good_bands(scene), shots, lambda w: np.zeros(w.shape, np.int64), 3
    ).of_map
    assert np.isnan(none).all()


@pytest.mark.slow
def test_classify_command_writes_a_report(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "my shots.gpkg", per_class=2)
    out = tmp_path / "m.tif"
    args = ["classify", planted.path, "--shots", shots, "-o", out, "--report", "--seed", "3"]
    shown = run(*args, "--progress", "none")
    assert shown.exit_code == 0, shown.output
    page = Page(tmp_path / "m_report.html")
    assert f"--shots '{shots}'" in page.text
    command = page.text[page.text.index("hsi-geo classify") :].strip()
    assert (
        command
        == f"hsi-geo classify {planted.path} --shots '{shots}' --out {out} --seed 3 --report"
    )
    before = snapshot(tmp_path)
    assert "already there" in run(*args).output
    assert snapshot(tmp_path) == before


# In a browser ---------------------------------------------------------------------------------


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")
@pytest.mark.slow
def test_browser_shows_the_report(reported: Any, planted: Planted, tmp_path: Path) -> None:
    """The map's colours are on the screen, large, and nothing was asked of the network."""
    assert CHROMIUM is not None
    shot = tmp_path / "shot.png"
    subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,2400",
            "--virtual-time-budget=5000", f"--screenshot={shot}",
            reported.paths.report.as_uri(),
        ],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    seen = imread(shot)[..., :3]
    assert seen.shape[1] == 1200
    shares = {entry["color"]: entry["share"] for entry in reported.record["classes"]}
    painted = {
        color: int(
            (np.abs(seen - np.array(list(bytes.fromhex(color[1:]))) / 255) < 0.01).all(-1).sum()
        )
        for color in shares
    }
    total = sum(painted.values())
    assert total > 20_000
    for color, count in painted.items():
        assert count / total == pytest.approx(shares[color], abs=0.05)
