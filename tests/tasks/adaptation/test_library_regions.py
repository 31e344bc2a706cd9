"""Spectra of a library in an adaptation: alone, beside drawn shots, and where they do not fit the scene."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from builders import run, write_tif

from hsi_geo import adapt, open_scene, read_shots
from hsi_geo.arrays import AnyArray
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.spectral_library import LibrarySpectrum
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adaptation.library_regions import MAX_SPECTRA, with_library
from hsi_geo.tasks.adaptation.region_cutting import cut_training_regions
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.inference.spectral_resampling import reflectance_unit, resample
from hsi_geo.tasks.validation.folds import group_by_spatial_blocks, labelled_pixels

if TYPE_CHECKING:
    from planted import Planted

Recorder = Any


def library_of(
    planted: Planted,
    path: Path,
    *,
    per_class: int = 6,
    factor: float = 1e-4,
    offset: float = 0.0,
    bands: slice = slice(None),
    names: tuple[str, ...] | None = None,
) -> Path:
    """A table of pixels of the scene, each class under its own name."""
    rows: list[list[object]] = []
    order = np.argsort(planted.centres_nm)[bands]
    rows.append(["name", "class", *(f"{nm:.2f}" for nm in planted.centres_nm[order])])
    for index, name in enumerate(names or planted.names, start=1):
        at = np.argwhere(planted.truth == index)[:: max(1, 200 // per_class)][:per_class]
        for number, (row, col) in enumerate(at):
            spectrum = planted.values[order, row, col] * factor + offset
            rows.append([f"{name} {number}", name, *(f"{value:.6f}" for value in spectrum)])
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def regions_of(planted: Planted, shots: Any, reporter: Any = None) -> TrainingRegions:
    return cut_training_regions(
        [open_scene(planted.path)],
        shots,
        budget_px=10**6,
        seed=0,
        reporter=reporter or SilentReporter(),
    )


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_a_library_alone_maps_the_scene(planted: Planted, tmp_path: Path) -> None:
    library = library_of(planted, tmp_path / "library.csv")
    done = run("classify", planted.path, "--shots", library, "-o", tmp_path / "map.tif", "--report")
    assert done.exit_code == 0, done.output
    with rasterio.open(tmp_path / "map.tif") as file:
        ids = file.read(1)
    record = json.loads((tmp_path / "map.json").read_text())
    names = {c["id"]: c["name"] for c in record["classes"]}
    inside = planted.truth > 0
    truth = np.array([*planted.names], object)[planted.truth[inside] - 1]
    assert (np.vectorize(names.get)(ids[inside]) == truth).mean() > 0.95
    assert record["accuracy"]["oa"] is None
    assert "no pixels of the scene" in done.output
    assert [c["shots"] for c in record["classes"]] == [6, 6, 6]
    model = adapt(planted.path, read_shots(library), recipe=None)
    assert model.record["library"]["spectra"] == 18
    assert model.record["library"]["held_out_spectra_right"] > 0.9


def test_info_counts_the_spectra_of_each_class(planted: Planted, tmp_path: Path) -> None:
    library = library_of(planted, tmp_path / "library.csv", per_class=4)
    shots = planted.shots(tmp_path / "shots.gpkg", per_class=3)
    for given, pixels in (((library,), 0), ((shots, library), 3)):
        options = [word for path in given for word in ("--shots", path)]
        done = run("info", planted.path, *options, "--json")
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)["shots"]["classes"]
        assert [(c["pixels"], c["spectra"]) for c in found] == [(pixels, 4)] * 3


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_drawn_shots_are_held_out_and_spectra_are_not(planted: Planted, tmp_path: Path) -> None:
    library = library_of(planted, tmp_path / "library.csv")
    shots = planted.shots(tmp_path / "shots.gpkg", per_class=4)
    model = adapt(planted.path, read_shots([shots, library], library_weight=0.5))
    assert model.record["accuracy"]["oa"] is not None
    assert model.record["accuracy"]["pixels"] == 12
    assert model.record["shots"] == dict.fromkeys(("asphalt", "meadow", "water"), 10)
    assert model.record["library"]["weight"] == 0.5
    alone = adapt(planted.path, read_shots(shots))
    assert "library" not in alone.record
    assert alone.record["hashes"]["shots"] != model.record["hashes"]["shots"]


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_a_class_may_be_in_the_library_only(planted: Planted, tmp_path: Path) -> None:
    """Drawn shots of one class, and spectra of the two others."""
    library = library_of(planted, tmp_path / "library.csv")
    shots = planted.shots(tmp_path / "shots.gpkg", per_class=4)
    frame = gpd.read_file(shots)
    frame[frame["class"] == "water"].to_file(tmp_path / "one.gpkg")
    rows = [line for line in library.read_text().splitlines() if not line.startswith("water")]
    library.write_text("\n".join(rows))
    model = adapt(planted.path, read_shots([tmp_path / "one.gpkg", library]))
    assert model.record["shots"] == {"asphalt": 6, "meadow": 6, "water": 4}


def test_spectra_are_pixels_without_surroundings(planted: Planted, tmp_path: Path) -> None:
    library = read_shots(library_of(planted, tmp_path / "library.csv"), library_weight=0.3)
    shots = read_shots(
        [planted.shots(tmp_path / "shots.gpkg"), tmp_path / "library.csv"], library_weight=0.3
    )
    before = regions_of(planted, shots)
    after = with_library(before, shots, SilentReporter())
    assert with_library(before, read_shots(tmp_path / "shots.gpkg"), SilentReporter()) is before
    assert after.in_scene.sum() == before.spectra.shape[1] == before.in_scene.sum()
    assert (~after.in_scene).sum() == 18
    np.testing.assert_array_equal(after.spectra[:, after.in_scene], before.spectra)
    # Each spectrum is a pixel of the scene, at whose place it lies.
    at = {
        tuple(spectrum): place
        for spectrum, place in zip(before.spectra.T, before.positions_px, strict=True)
    }
    for spectrum, place in zip(
        after.spectra[:, ~after.in_scene].T, after.positions_px[~after.in_scene], strict=True
    ):
        near = min(at, key=lambda one: float(np.abs(np.array(one) - spectrum).max()))
        np.testing.assert_allclose(near, spectrum, rtol=1e-3, atol=1)
        np.testing.assert_array_equal(at[near], place)
    for region in after.regions[len(before.regions) :]:
        view = after.views[region.scene]
        rows, cols = region.window.grow(16).slices
        patch = view[:, rows, cols].values
        assert patch.shape[1:] == (33, 33)
        np.testing.assert_array_equal(patch, np.broadcast_to(region.image, patch.shape))
    for pixels in (
        found := labelled_pixels(
            after.labels, after.features, after.in_scene, after.library_weight
        ),
        group_by_spatial_blocks(found, after.positions_px),
    ):
        assert pixels.in_scene is not None
        assert (pixels.folds[~pixels.in_scene] == -1).all()
        assert (pixels.folds[pixels.in_scene] >= 0).all()
        assert (pixels.weights == np.where(pixels.in_scene, 1.0, 0.3)).all()
    assert library.library is not None


@pytest.mark.parametrize("factor", [1e-4, 1e-2, 1.0])
def test_values_are_brought_to_the_scale_of_the_scene(
    planted: Planted, tmp_path: Path, factor: float
) -> None:
    shots = read_shots(library_of(planted, tmp_path / "library.csv", factor=factor))
    regions = with_library(regions_of(planted, shots), shots, SilentReporter())
    found = regions.spectra[:, ~regions.in_scene]
    assert 500 < np.median(found) < 5000
    rest = regions.spectra[:, regions.in_scene]
    distance = np.abs(rest[:, None, :] - found[:, :, None]).max(axis=0).min(axis=1)
    assert distance.max() < 200


def messages(planted: Planted, library: Path, recorder: Recorder) -> list[str]:
    shots = read_shots(library)
    with_library(regions_of(planted, shots), shots, recorder)
    return [text for text in recorder.warnings if "disagree" in text]


def test_no_warning_where_library_and_scene_agree(
    planted: Planted, tmp_path: Path, recorder: Recorder
) -> None:
    assert messages(planted, library_of(planted, tmp_path / "a.csv"), recorder) == []


def test_a_warning_where_bands_of_the_library_are_off(
    planted: Planted, tmp_path: Path, recorder: Recorder
) -> None:
    """As after another atmospheric correction: short wavelengths are brighter."""
    path = library_of(planted, tmp_path / "a.csv")
    with path.open() as file:
        header, *rows = list(csv.reader(file))
    for row in rows:
        for index, nm in enumerate(header[2:], start=2):
            if float(nm) < 650:
                row[index] = str(float(row[index]) + 0.12)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    (warning,) = messages(planted, path, recorder)
    assert "above the most similar pixels" in warning


def test_bands_that_a_spectrum_lacks_are_those_of_the_most_similar_pixel(
    planted: Planted, tmp_path: Path
) -> None:
    shots = read_shots(library_of(planted, tmp_path / "a.csv", bands=slice(0, 32)))
    regions = with_library(regions_of(planted, shots), shots, SilentReporter())
    found, rest = regions.spectra[:, ~regions.in_scene], regions.spectra[:, regions.in_scene]
    distance = np.abs(rest[:, None, :] - found[:, :, None]).max(axis=0).min(axis=1)
    assert distance.max() < 400


def test_a_library_of_other_wavelengths_is_refused(planted: Planted, tmp_path: Path) -> None:
    shots = read_shots(library_of(planted, tmp_path / "a.csv", bands=slice(0, 15)))
    with pytest.raises(ShotsError, match=r"covers 4\d\d to \d+ nm, and of no spectrum 70 %"):
        with_library(regions_of(planted, shots), shots, SilentReporter())


def test_many_spectra_are_thinned_evenly(planted: Planted, tmp_path: Path) -> None:
    path = library_of(planted, tmp_path / "a.csv", per_class=4)
    header, *rows = path.read_text().splitlines()
    first = [row for row in rows if row.startswith("meadow")]
    path.write_text("\n".join([header, *(first * 120), *rows]))
    shots = read_shots(path)
    regions = with_library(regions_of(planted, shots), shots, SilentReporter())
    assert regions.library_px <= MAX_SPECTRA
    assert regions.counts["asphalt"] == regions.counts["water"] == 4
    assert regions.counts["meadow"] > 100


def gaussian(nm: AnyArray, centre: float, width: float) -> AnyArray:
    line: AnyArray = np.exp(-4 * np.log(2) * ((nm - centre) / width) ** 2)
    return line


def test_a_line_is_as_wide_as_the_band_that_sees_it() -> None:
    """The mean of a Gaussian line under a Gaussian band has a closed form."""
    nm = np.arange(400.0, 1000.0, 0.5)
    line = LibrarySpectrum("line", nm, gaussian(nm, 700.0, 8.0))
    centres, widths = np.array([690.0, 700.0, 712.5]), np.array([6.0, 12.0, 20.0])
    both = np.sqrt(widths**2 + 8.0**2)
    expected = 8.0 / both * np.exp(-4 * np.log(2) * ((centres - 700.0) / both) ** 2)
    np.testing.assert_allclose(resample(line, centres, widths), expected, rtol=0.03)


@pytest.mark.parametrize("width", [2.0, 10.0, 30.0])
def test_straight_lines_stay_straight(width: float) -> None:
    nm = np.r_[np.arange(400.0, 700.0, 4.0), np.arange(700.0, 1000.0, 9.0)]
    line = LibrarySpectrum("line", nm, 0.1 + 0.001 * nm)
    centres = np.linspace(440.0, 950.0, 40)
    found = resample(line, centres, np.full(40, width))
    np.testing.assert_allclose(found, 0.1 + 0.001 * centres, rtol=5e-3)


def test_the_same_bands_give_the_same_values() -> None:
    """Across a gap too, and without widening a spectrum twice."""
    nm = np.r_[np.arange(450.0, 700.0, 6.0), np.arange(1500.0, 1800.0, 10.0)]
    values = np.sin(nm / 40.0)
    own = LibrarySpectrum("own", nm, values, np.full(len(nm), 7.0))
    np.testing.assert_allclose(resample(own, nm, np.full(len(nm), 7.0)), values)
    outside = resample(own, np.array([430.0, 1100.0, 1900.0]), np.full(3, 7.0))
    assert np.isnan(outside).all()


def test_gaps_in_a_spectrum_are_not_bridged() -> None:
    nm = np.arange(400.0, 900.0, 5.0)
    values = np.where((nm > 600) & (nm < 700), np.nan, 0.3)
    found = resample(LibrarySpectrum("gap", nm, values), np.array([550.0, 650.0]), np.full(2, 8.0))
    np.testing.assert_allclose(found, [0.3, np.nan])


@pytest.mark.parametrize(
    ("highest", "unit"),
    [(0.03, 1.0), (0.9, 1.0), (1.2, 1.0), (45.0, 100.0), (900.0, 1e4), (9e3, 1e4)],
)
def test_units_of_reflectance(highest: float, unit: float) -> None:
    assert reflectance_unit(np.linspace(0.0, highest, 50)) == unit


def test_an_all_masked_scene_says_so(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    mask = write_tif(tmp_path / "mask.tif", np.ones((1, 37, 53), "uint8"))
    done = run("classify", planted.path, "--shots", shots, "--mask", mask)
    assert done.exit_code == 1
    assert "are nodata in the scene" in done.output
