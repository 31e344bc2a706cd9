"""Uncertainties, masks and odd bands beside a scene: they are not read in its place, and are named."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from builders import cube_of, nm_tags, write_tif
from new_sensor_cases import write_wyvern

from hsi_geo.errors import OptionError, SceneError
from hsi_geo.io.scenes.mask_option import masked_counts
from hsi_geo.io.scenes.scene import open_scene

CENTRES = [462.0, 551.5, 640.25]


def write_pair(folder: Path, scene: str, other: str) -> None:
    """A scene, and a file beside it with twice its values."""
    for name, factor in ((scene, 1), (other, 2)):
        path = folder / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_tif(path, cube_of(3) * factor, band_tags=nm_tags(CENTRES))


def packed(folder: Path, archive: Path) -> Path:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in files:
                file.write(path, path.relative_to(folder))
    else:
        with tarfile.open(archive, "w:gz") as tar:
            for path in files:
                tar.add(path, path.relative_to(folder))
    return archive


PAIRS = [
    ("cube", "reflectance_std"),
    ("line_rfl", "line_rfl_unc"),
    ("scene", "scene_mask"),
    ("a/radiance", "a/refl_noise"),
    ("rfl", "SNR"),
]


@pytest.mark.parametrize("archive", ["a.zip", "a.tar.gz"])
@pytest.mark.parametrize(("scene", "other"), PAIRS)
def test_an_archive_gives_the_scene_and_names_the_rest(
    tmp_path: Path, scene: str, other: str, archive: str
) -> None:
    write_pair(tmp_path / "files", scene, other)
    opened = open_scene(packed(tmp_path / "files", tmp_path / archive))
    np.testing.assert_array_equal(opened.values, cube_of(3))
    assert any(f"it does not read '{other}.tif'" in note for note in opened.attrs["notes"])


@pytest.mark.parametrize("names", [("one", "two"), ("rfl_unc", "refl_std")])
def test_an_archive_with_two_scenes_or_none_asks(tmp_path: Path, names: tuple[str, str]) -> None:
    write_pair(tmp_path / "files", *names)
    with pytest.raises(SceneError, match="holds 2 rasters"):
        open_scene(packed(tmp_path / "files", tmp_path / "a.zip"))


def test_masks_of_an_archive_that_are_applied_are_not_named(tmp_path: Path) -> None:
    own = masked_counts(open_scene(write_wyvern(tmp_path / "files")))
    opened = open_scene(packed(tmp_path / "files", tmp_path / "a.zip"))
    assert masked_counts(opened)["reasons"] == own["reasons"] != {}
    assert not any("not read" in note for note in opened.attrs["notes"])


def write_item(folder: Path, **keys: str) -> Path:
    """A STAC item whose assets are the files of `write_pair`."""
    assets = {
        key: {"href": f"{name}.tif", "type": "image/tiff", "roles": ["data"]}
        for key, name in keys.items()
    }
    path = folder / "item.json"
    path.write_text(json.dumps({"type": "Feature", "id": "a", "properties": {}, "assets": assets}))
    return path


@pytest.mark.parametrize(
    ("key", "other"),
    [("data", "reflectance_uncertainty"), ("cube", "sr_error"), ("rfl", "rfl_uncert"), ("a", "b")],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_an_item_gives_the_measured_values(
    tmp_path: Path, key: str, other: str, reverse: bool
) -> None:
    write_pair(tmp_path, "cube", "cube_std")
    keys = {key: "cube", other: "cube_std"}
    item = write_item(tmp_path, **dict(reversed(keys.items()) if reverse else keys.items()))
    np.testing.assert_array_equal(open_scene(item).values, cube_of(3))
    np.testing.assert_array_equal(open_scene(item, asset=other).values, 2 * cube_of(3))


def test_an_item_with_two_images_asks(tmp_path: Path) -> None:
    write_pair(tmp_path, "cube", "other")
    with pytest.raises(OptionError, match="2 assets that may be the scene"):
        open_scene(write_item(tmp_path, one="cube", two="other"))


def test_a_band_with_a_letter_after_its_number_is_named(tmp_path: Path) -> None:
    for number, band in enumerate(["B02", "B03", "B08", "B8A"]):
        write_tif(
            tmp_path / f"T33_{band}.tif",
            cube_of(4)[number][None],
            band_tags=nm_tags([500.0 + 100 * number]),
        )
    scene = open_scene(tmp_path)
    assert scene["wavelength"].values.tolist() == [500.0, 600.0, 700.0]
    assert any("not 'T33_B8A.tif'" in warning for warning in scene.attrs["warnings"])


@pytest.mark.parametrize("name", ["no_data_mask", "invalid_mask", "nodata_flag"])
def test_masks_of_what_is_no_data_are_applied(tmp_path: Path, name: str) -> None:
    flags = np.zeros((5, 7), "uint8")
    flags[0, :2] = 1
    scene = xr.Dataset(
        {
            "reflectance": (("wavelength", "y", "x"), cube_of(3).astype("float32")),
            name: (("y", "x"), flags),
        },
        {"wavelength": ("wavelength", CENTRES, {"units": "nm"})},
    )
    scene.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    assert masked_counts(open_scene(tmp_path / "a.nc"))["masked_px"] == 2
