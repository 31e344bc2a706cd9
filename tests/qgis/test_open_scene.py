"""Open scene: products at their place, in colours, remembered by their layers."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from builders import cube_of, write_envi
from emit_cases import write_emit
from product_cases import write_enmap

from hsi_geo.io.scenes.declared_values import OFFSET, SCALE, by_band
from hsi_geo.io.scenes.scene import open_scene

Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import


def emit(folder: Path) -> Path:
    return write_emit(folder / "EMIT ü.nc")


def enmap(folder: Path) -> Path:
    return write_enmap(folder / "ENMAP folder")


def enmap_zip(folder: Path) -> Path:
    product = write_enmap(folder / "unpacked")
    path = folder / "ENMAP.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in product.iterdir():
            archive.write(file, file.name)
    shutil.rmtree(product)
    return path


def envi(folder: Path) -> Path:
    lines = (
        "wavelength = {470, 550, 650, 860}",
        "wavelength units = nm",
        "data gain values = {2, 2, 2, 2}",
    )
    write_envi(folder / "flight.bsq", cube_of(4), *lines)
    return folder / "flight.hdr"


def prisma(folder: Path) -> Path:
    path = folder / "PRS_L2D_STD_1.he5"
    with h5py.File(path, "w") as file:
        for part, centres in (("Vnir", [860.0, 650.0, 550.0, 470.0]), ("Swir", [2200.0, 1650.0])):
            file.attrs[f"List_Cw_{part}"] = file.attrs[f"List_Fwhm_{part}"] = np.array(centres)
            file.attrs[f"List_Fwhm_{part}"] = np.full(len(centres), 10.0)
            file.attrs[f"List_Cw_{part}_Flags"] = np.ones(len(centres), int)
            file.attrs[f"L2Scale{part}Min"], file.attrs[f"L2Scale{part}Max"] = 0.0, 1.0
            cube = 1000 + cube_of(len(centres), 6, 7, "uint16").transpose(1, 0, 2)
            file[f"HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/{part.upper()}_Cube"] = cube
        for name, east, north in (
            ("UL", 600015, 5000165), ("UR", 600195, 5000165), ("LL", 600015, 5000015), ("LR", 600195, 5000015)
        ):  # fmt: skip
            file.attrs[f"Product_{name}corner_easting"] = float(east)
            file.attrs[f"Product_{name}corner_northing"] = float(north)
        file.attrs["Epsg_Code"] = 32632
    return path


#: Builder of a product, and the ending of what the layer reads.
PRODUCTS: dict[Callable[[Path], Path], str] = {
    emit: ".tif",
    enmap: ".vrt",
    enmap_zip: ".tif",
    envi: ".vrt",
    prisma: ".tif",
}


@pytest.mark.parametrize("build", PRODUCTS, ids=lambda build: build.__name__)
@pytest.mark.slow
def test_a_product_lies_at_its_place_in_colours(
    build: Callable[[Path], Path], case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    product = build(tmp_path)
    profile = tmp_path / "profile"
    profile.mkdir(mode=0o700)
    found = case(
        "open_scene",
        python=sys.executable,
        profile=profile,
        fake=str(fake.python),
        runs=[{"PRODUCT": str(product)}] * 2,
        labels=job["labels"],
        map=job["parameters"]["OUTPUT"],
        moved="",
    )
    first, second = found["runs"]
    assert first["ok"], first["log"]
    raster = Path(first["results"]["OUTPUT"])
    assert raster.suffix == PRODUCTS[build]
    assert profile in raster.parents
    scene = open_scene(product)
    (layer,) = first["layers"]
    grey = build is emit  # two of its four bands are bad
    assert layer["renderer"] == ("singlebandgray" if grey else "multibandcolor")
    assert layer["name"].startswith(product.name)
    left, bottom, right, top = scene.hsi.grid.bounds
    assert layer["extent"] == pytest.approx([left, bottom, right, top])
    assert layer["crs"] == f"EPSG:{scene.hsi.grid.crs.to_epsg()}"
    assert layer["count"] == scene.shape[0]
    assert all(" nm" in name for name in layer["bands"]), layer["bands"]
    # QGIS reads the physical values of the pixel in the middle, in the order of the bands.
    height, width = scene.shape[1:]
    row, col = min(int(height / 2), height - 1), min(int(width / 2), width - 1)
    stored = scene[:, row, col].values.astype(float)
    expected = stored * by_band(scene, SCALE, 1.0) + by_band(scene, OFFSET, 0.0)
    known = ~np.isin(stored, scene.attrs.get("_FillValue", np.nan))
    read = np.array([np.nan if value is None else value for value in layer["centre"]], float)
    np.testing.assert_allclose(read[known], expected[known], rtol=1e-5)
    low, high = layer["stretch"] or (0, 1)
    assert low < high
    # The second run takes the raster of the first.
    assert second["results"]["OUTPUT"] == str(raster)
    assert "of an earlier run is taken" in second["log"]
    # Classify takes the product, from the project of another day and from the raster's path.
    assert found["by_layer"]["ok"], found["by_layer"]
    assert found["by_path"]["ok"], found["by_path"]
    calls = (fake.folder / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(call)[-2:] for call in calls] == [["--", str(product)]] * 2


@pytest.mark.slow
def test_colours_bands_and_place_are_choices(
    case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    product, copy = envi(tmp_path), tmp_path / "copy.tif"
    found = case(
        "open_scene",
        python=sys.executable,
        profile=tmp_path,
        fake=str(fake.python),
        runs=[
            {"PRODUCT": str(product), "COMPOSITE": "colour infrared"},
            {"PRODUCT": str(product), "COMPOSITE": "true colour"},
            {
                "PRODUCT": str(product),
                "BANDS": "only the shown bands (a small copy)",
                "OUTPUT": str(copy),
            },
            {"PRODUCT": str(product), "COMPOSITE": "short-wave infrared"},
        ],
        labels=job["labels"],
        map=job["parameters"]["OUTPUT"],
        moved=str(product),
    )
    infrared, true, small, other = found["runs"]
    assert "860.0 nm" in infrared["layers"][0]["bands"][0]
    assert "650.0 nm" in true["layers"][0]["bands"][0]
    assert infrared["results"] == true["results"]
    assert small["results"]["OUTPUT"] == str(copy)
    assert copy.is_file()
    assert "3 bands of 7 x 5 pixels are copied" in small["log"]
    assert "650.0 nm" in other["layers"][0]["bands"][0]
    # The product is gone: three bands, or a raster that points nowhere, are no scene.
    assert not found["by_layer"]["ok"]
    assert "does not exist any more" in found["by_layer"]["log"] + found["by_layer"].get(
        "error", ""
    )


def test_what_is_no_product_gives_one_sentence(case: Case, fake: Fake, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    found = case(
        "open_scene", python=sys.executable, profile=tmp_path, runs=[{"PRODUCT": str(folder)}]
    )
    (only,) = found["runs"]
    assert not only["ok"]
    assert "neither an EnMAP or DESIS product nor a Zarr store" in only["log"] + only.get(
        "error", ""
    )
    assert not list(tmp_path.rglob("*.tif"))
