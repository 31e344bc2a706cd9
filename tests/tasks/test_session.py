"""A session: previews of a scene that is prepared once, and the map of `classify`, the same bytes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import xarray as xr

from hsi_geo import MapOptions, Session, classify, read_shots
from hsi_geo.errors import HsiGeoError, OptionError, SceneChangedError, ShotsError
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adaptation import preview_regions
from hsi_geo.tasks.adaptation.preview_regions import Lattice
from hsi_geo.tiling import Grid, Window

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Any

pytestmark = pytest.mark.usefixtures("quick")


def files(folder: Path) -> dict[str, bytes]:
    """Content of each file by its name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_finish_writes_the_bytes_of_classify(
    planted: Planted, shots: Path, tmp_path: Path, computed: list[int]
) -> None:
    options = MapOptions(confidence=True, probabilities=True, reject="auto")
    fewer = read_shots(shots)
    with Session(planted.path) as session:
        session.prepare()
        session.update(shots)
        session.update(dataclasses.replace(fewer, frame=fewer.frame.iloc[1:]))
        session.update(shots)
        (tmp_path / "one").mkdir()
        session.finish(
            out=tmp_path / "one" / "map.tif",
            save_model=tmp_path / "one" / "m.safetensors",
            options=options,
        )
    assert len(computed) == 1
    (tmp_path / "two").mkdir()
    classify(
        planted.path,
        shots,
        out=tmp_path / "two" / "map.tif",
        save_model=tmp_path / "two" / "m.safetensors",
        options=options,
    )
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert len(files(tmp_path / "one")) >= 7


def test_preview_shows_the_planted_classes(planted: Planted, shots: Path) -> None:
    with Session(planted.path) as session:
        preview = session.update(shots)
        assert preview is session.preview
    assert preview.step_px == 1
    assert preview.class_ids.shape == planted.truth.shape
    assert preview.grid.bounds == pytest.approx(rasterio.open(planted.path).bounds)
    known = planted.truth > 0
    names = [c.name for c in preview.classes]
    of_name = {"meadow": 1, "asphalt": 2, "water": 3}
    truth = np.array([0, *(names.index(n) + 1 for n in sorted(of_name, key=of_name.__getitem__))])
    assert (preview.class_ids == truth[planted.truth])[known].mean() > 0.9
    assert (preview.confidence[preview.class_ids == 0] == 255).all()
    assert (preview.confidence[preview.class_ids > 0] <= 100).all()
    assert (preview.familiarity[preview.class_ids > 0] <= 100).all()
    assert sum(preview.shots.values()) > 0
    assert preview.accuracy.oa is None or preview.accuracy.oa > 0.5


@pytest.mark.slow
def test_preview_does_not_depend_on_the_order_of_the_shots(planted: Planted, shots: Path) -> None:
    frame = gpd.read_file(shots)
    with Session(planted.path) as session:
        one = session.update(shots)
        frame.iloc[::-1].to_file(shots)
        two = session.update(shots)
    np.testing.assert_array_equal(one.probabilities, two.probabilities)


@pytest.mark.usefixtures("large")
def test_large_scene_is_previewed_by_every_kth_pixel(planted: Planted, shots: Path) -> None:
    with Session(planted.path) as session:
        whole = session.update(shots)
    assert whole.step_px == 2
    assert whole.class_ids.shape == (19, 27)
    middle = planted.truth[
        np.minimum(np.arange(19) * 2 + 1, 36)[:, None], np.minimum(np.arange(27) * 2 + 1, 52)
    ]
    names = {c.id: c.name for c in whole.classes}
    shown = [names[int(i)] for i in whole.class_ids[middle == 3]]
    assert np.mean([name == "water" for name in shown]) > 0.8


@pytest.mark.usefixtures("large")
@pytest.mark.slow
def test_part_of_a_large_scene_is_previewed_in_full(planted: Planted, shots: Path) -> None:
    left, top = planted.transform @ (30, 4)
    right, bottom = planted.transform @ (49, 25)
    with Session(planted.path) as session:
        part = session.update(shots, bounds=(left, bottom, right, top))
        beside = session.update(shots, bounds=(right + 1e6, bottom, right + 2e6, top))
    assert part.step_px == 1
    assert part.class_ids.shape == (21, 19)
    assert part.grid.bounds == pytest.approx((left, bottom, right, top))
    truth = planted.truth[4:25, 30:49]
    assert ((part.class_ids == 0) == (truth == 0)).all()
    assert set(np.unique(part.class_ids[truth == 3])) <= {c.id for c in part.classes}
    assert beside.class_ids.shape == (19, 27)


@pytest.mark.usefixtures("large")
@pytest.mark.slow
def test_finish_of_a_large_scene_writes_the_bytes_of_classify(
    planted: Planted, shots: Path, tmp_path: Path
) -> None:
    with Session(planted.path) as session:
        session.update(shots)
        session.finish(out=tmp_path / "one.tif")
    classify(planted.path, shots, out=tmp_path / "two.tif")
    assert (tmp_path / "one.tif").read_bytes() == (tmp_path / "two.tif").read_bytes()


@pytest.mark.slow
def test_cancelled_update_leaves_the_session_usable(planted: Planted, shots: Path) -> None:
    class Cancelling(SilentReporter):
        def progress(self, stage: str, done: int, total: int) -> None:
            if done > 2:
                raise KeyboardInterrupt

    with Session(planted.path) as session:
        with pytest.raises(KeyboardInterrupt):
            session.update(shots, reporter=Cancelling())
        assert session.preview is None
        preview = session.update(shots)
    with Session(planted.path) as session:
        np.testing.assert_array_equal(preview.class_ids, session.update(shots).class_ids)


def test_suggested_places_lie_where_the_preview_is_unsure(planted: Planted, shots: Path) -> None:
    frame = gpd.read_file(shots)
    frame[frame["class"] != "water"].to_file(shots)
    with Session(planted.path) as session:
        session.update(shots)
        places = session.suggest(4)
        with pytest.raises(OptionError, match="0 places"):
            session.suggest(0)
    assert [place.rank for place in places] == [1, 2, 3, 4]
    for place in places:
        col, row = ~planted.transform @ (place.x, place.y)
        assert planted.truth[int(row), int(col)] > 0


def test_spectrum_is_that_of_the_pixel_beside_the_means_of_classes(
    planted: Planted, shots: Path
) -> None:
    x, y = planted.transform @ (12.2, 7.7)
    with rasterio.open(planted.path) as file:
        stored = file.read(window=rasterio.windows.Window(12, 7, 1, 1))[:, 0, 0]
    with Session(planted.path) as session:
        before = session.spectrum(x, y)
        session.update(shots)
        after = session.spectrum(x, y)
        with pytest.raises(OptionError, match="outside the scene"):
            session.spectrum(x + 1e7, y)
    assert (before.row, before.col) == (7, 12)
    assert before.class_name is None
    assert before.means == {}
    assert after.class_name in after.means
    assert len(after.centres_nm) == len(after.values) == len(after.means["water"])
    assert np.isin(np.round(after.values, 3), np.round(stored.astype(float), 3)).all()


def test_errors_name_what_is_wrong(planted: Planted, shots: Path, tmp_path: Path) -> None:
    session = Session(planted.path)
    with pytest.raises(OptionError, match="no preview yet"):
        session.suggest()
    with pytest.raises(OptionError, match="no preview yet"):
        session.finish(out=tmp_path / "map.tif")
    frame = gpd.read_file(shots)
    frame[frame["class"] == "water"].to_file(tmp_path / "one.gpkg")
    with pytest.raises(ShotsError):
        session.update(tmp_path / "one.gpkg")
    session.update(shots)
    session.close()
    session.close()
    with pytest.raises(OptionError, match="closed"):
        session.update(shots)
    with pytest.raises(HsiGeoError):
        Session(tmp_path / "none.tif")


@pytest.mark.parametrize("height", [1, 7, 100, 1013])
@pytest.mark.parametrize("width", [1, 90, 1200])
def test_lattice_covers_the_window_with_few_cells(height: int, width: int) -> None:
    from affine import Affine

    grid = Grid(1100, 1300, Affine(30.0, 0.0, 5e5, 0.0, -30.0, 6e6), None)
    window = Window(40, 33, height, width)
    lattice = Lattice.covering(grid, window)
    cells = lattice.cells(window)
    k = lattice.step_px
    assert (cells.height - 1) * (cells.width - 1) <= preview_regions.PREVIEW_PX
    assert cells.row * k <= window.row < (cells.row + 1) * k
    below = (cells.row + cells.height) * k
    assert below >= window.row + window.height
    assert k == 1 or -(-height // (k - 1)) * -(-width // (k - 1)) > preview_regions.PREVIEW_PX
    corner = lattice.grid(grid, cells)
    assert corner.transform @ (0, 0) == grid.transform @ (cells.col * k, cells.row * k)
    assert corner.transform @ (1, 1) == grid.transform @ ((cells.col + 1) * k, (cells.row + 1) * k)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("share", [0.001, 0.6, 1.0])
def test_bounds_smaller_than_a_pixel_show_that_pixel(
    planted: Planted, shots: Path, share: float
) -> None:
    left, top = planted.transform @ (30, 4)
    right, bottom = planted.transform @ (30 + share, 4 + share)
    with Session(planted.path) as session:
        preview = session.update(shots, bounds=(left, bottom, right, top))
    assert preview.class_ids.shape == (1, 1)
    assert preview.grid.transform @ (0, 0) == pytest.approx((left, top))


@pytest.mark.parametrize(
    "bounds", [(1, 2, 3), (1, 2, np.nan, 4), (1, 2, np.inf, 4), (3, 2, 1, 4), "abcd", 7]
)
def test_bounds_that_are_none_are_refused(planted: Planted, shots: Path, bounds: Any) -> None:
    with Session(planted.path) as session, pytest.raises(OptionError, match="the bounds"):
        session.update(shots, bounds=bounds)


def test_arguments_of_another_type_are_refused(planted: Planted, shots: Path) -> None:
    with Session(planted.path) as session:
        with pytest.raises(OptionError, match="None is no file of shots"):
            session.update(None)
        session.update(shots)
        for count in (1.5, True, "a"):
            with pytest.raises(OptionError, match="is no number of places"):
                session.suggest(count)  # type: ignore[arg-type]
        with pytest.raises(OptionError, match="at most 500"):
            session.suggest(100_000)
        for place in (("a", 1.0), (np.nan, 1.0), (None, 1.0)):
            with pytest.raises(OptionError, match="is no place"):
                session.spectrum(*place)


def test_scene_may_be_looked_at_during_a_session(planted: Planted, shots: Path) -> None:
    cube = xr.open_dataset(planted.path, engine="hsi_geo")["band_data"]
    with Session(cube) as session:
        assert cube.values.any()  # xarray keeps them
        session.update(shots)
        session.scene.load()
        session.update(shots)


def test_scene_that_changes_during_a_session_is_refused(
    planted: Planted, shots: Path, tmp_path: Path
) -> None:
    with Session(planted.path) as session:
        session.update(shots)
        with rasterio.open(planted.path, "r+") as file:
            file.write(file.read()[:, ::-1])
        for job in (lambda: session.update(shots), lambda: session.finish(out=tmp_path / "m.tif")):
            with pytest.raises(SceneChangedError, match="has changed since the session opened it"):
                job()
    assert not list(tmp_path.glob("m.*"))
