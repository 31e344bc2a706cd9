"""A CRS, and values of no data, that a user has set in QGIS and that no file holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import

#: CRS of the layer by that of the file (of the planted scene, EPSG:32633, or none), and what is said.
CRS = [
    ("EPSG:32633", None, ""),
    ("EPSG:32633", "EPSG:25833", ""),  # the same place
    ("EPSG:32633", "EPSG:23033", "shown in EPSG:23033 - ED50 / UTM zone 33N, but its file says EPSG:32633"),
    ("EPSG:32633", "EPSG:4326", "shown in EPSG:4326"),
    ("EPSG:32633", "", "shown without a CRS, but its file says EPSG:32633"),
    ("", "EPSG:32633", "but its file has no CRS"),
    ("", None, ""),
]  # fmt: skip


def said(row: dict[str, Any]) -> str:
    return str(row.get("error") or row["log"]) if not row["ok"] else ""


def test_a_crs_that_only_qgis_holds_is_refused(
    case: Case, fake: Fake, job: dict[str, Any], make_scene: Callable[..., Any]
) -> None:
    rasters = {
        "EPSG:32633": job["parameters"].pop("INPUT"),
        "": str(make_scene("bare.tif", crs=None).path),
    }
    given = {**job["parameters"], "LABELS": job["labels"]}
    rows = [
        {"algorithm": "classify", "parameter": "INPUT", "parameters": given, "raster": rasters[held], "crs": crs}
        for held, crs, _ in CRS
    ]  # fmt: skip
    found = case("overridden", rows=rows, python=fake.python)["rows"]
    for row, (_, _, expected) in zip(found, CRS, strict=True):
        assert row["ok"] == (not expected), row
        assert expected in said(row)
        assert row["ok"] or "'Assign projection'" in said(row)


def test_a_description_warns_of_the_crs(case: Case, fake: Fake, job: dict[str, Any]) -> None:
    """It is how users find out."""
    row = {
        "algorithm": "info", "parameter": "INPUT", "parameters": {},
        "raster": job["parameters"]["INPUT"], "crs": "EPSG:23033",
    }  # fmt: skip
    (found,) = case("overridden", rows=[row], python=fake.python)["rows"]
    assert "but its file says EPSG:32633" in found["log"]
    assert fake.arguments[0] == "info"


#: No data of the file, additional ones in QGIS, whether that of the file is off, and what is said.
NODATA = [
    (None, [], False, ""),
    (None, [[9, 9]], False, "additional no data value 9 in QGIS"),
    (None, [[0, 0]], False, ""),  # 0 is no class
    (255, [[0, 0]], False, "additional no data value 0 in QGIS"),  # 0 is a class
    (255, [[255, 255]], False, ""),
    (255, [[7, 9]], False, "additional no data value 7 to 9 in QGIS"),
    (255, [], True, "no data value 255 of layer 'Szene' is switched off"),
]  # fmt: skip

#: Algorithm and parameter of a raster of classes or heights.
CLASSES = [
    ("classify", "MORE_LABELS"), ("classify", "DEM"), ("assess", "INPUT"), ("assess", "STRATA"),
    ("zones", "INPUT"), ("compare", "NEW"), ("polygons", "INPUT"), ("sample", "INPUT"),
]  # fmt: skip


def test_values_of_no_data_that_only_qgis_holds_are_refused(
    case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    """They matter where a pixel has one value; a scene may hide values in QGIS."""
    scene = job["parameters"]["INPUT"]
    rasters = {}
    with rasterio.open(scene) as source:
        profile = {**source.profile, "count": 1, "dtype": "uint8", "driver": "GTiff"}
        for nodata in (None, 255):
            rasters[nodata] = str(tmp_path / f"classes_{nodata}.tif")
            with rasterio.open(rasters[nodata], "w", **{**profile, "nodata": nodata}) as target:
                target.write(np.full((source.height, source.width), 9, np.uint8), 1)
    plain, out = rasters[None], str(tmp_path / "out")
    common = {
        "classify": {**job["parameters"], "LABELS": job["labels"]},
        "assess": {"INPUT": plain, "REFERENCE": job["labels"], "CLASS_FIELD": "class"},
        "zones": {"ZONES": job["labels"], "OUTPUT": f"{out}.gpkg"},
        "compare": {"OLD": plain, "OUTPUT": f"{out}.tif"},
        "polygons": {"OUTPUT": f"{out}.gpkg"},
        "sample": {"OUTPUT": f"{out}.gpkg"},
    }
    rows = [
        {
            "algorithm": "classify", "parameter": "MORE_LABELS", "parameters": common["classify"],
            "raster": rasters[nodata], "nodata": added, "off": off,
        }
        for nodata, added, off, _ in NODATA
    ] + [
        {
            "algorithm": name, "parameter": parameter, "parameters": common[name],
            "raster": plain, "nodata": [[9, 9]],
        }
        for name, parameter in CLASSES
    ] + [
        {
            "algorithm": "classify", "parameter": "INPUT", "parameters": common["classify"],
            "raster": scene, "nodata": [[9, 9]],
        }
    ]  # fmt: skip
    expected = [text for *_, text in NODATA] + ["additional no data value 9"] * len(CLASSES) + [""]
    found = case("overridden", rows=rows, python=fake.python)["rows"]
    for row, text in zip(found, expected, strict=True):
        assert row["ok"] == (not text), row
        assert text in said(row)
