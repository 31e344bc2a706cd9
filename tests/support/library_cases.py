"""Small spectral libraries in each format, of the same spectra."""

from __future__ import annotations

import json
import pickle
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from hsi_geo.arrays import AnyArray

NM = np.array([450.0, 500.0, 560.0, 655.0, 700.0, 780.0])
NAMES = ("grass 1", "grass 2", "asphalt_1", "asphalt_2", "Water1")
CLASSES = ("grass", "grass", "asphalt", "asphalt", "Water")
LEVELS = ("green", "green", "grey", "grey", "blue")


def spectra() -> AnyArray:
    """(5, 6) reflectance, 0 to 1."""
    rows = np.arange(5)[:, None]
    return 0.05 + 0.1 * rows + 0.02 * np.cos(NM / 90.0 + rows)


def write_sli(path: Path, *, big: bool = False, header: str = "", **fields: str) -> Path:
    stored = (spectra() * 10_000).astype(">f4" if big else "<f8")
    path.write_bytes(b"1234" + stored.tobytes())
    lines = {
        "samples": "6", "lines": "5", "bands": "1", "header offset": "4",
        "file type": "ENVI Spectral Library", "data type": "4" if big else "5",
        "interleave": "bsq", "byte order": str(int(big)), "wavelength units": "Micrometers",
        "spectra names": "{" + ", ".join(NAMES) + "}",
        "wavelength": "{" + ", ".join(str(nm / 1000) for nm in NM) + "}",
        **{key.replace("_", " "): value for key, value in fields.items()},
    }  # fmt: skip
    text = "\n".join(["ENVI", *(f"{key} = {value}" for key, value in lines.items() if value)])
    path.with_suffix(".hdr").write_text(text + header)
    return path


def sli(folder: Path) -> Path:
    return write_sli(folder / "library.sli")


def sli_big(folder: Path) -> Path:
    return write_sli(folder / "library.esl", big=True)


def sli_header(folder: Path) -> Path:
    return write_sli(folder / "library.sli").with_suffix(".hdr")


def sli_with_table(folder: Path) -> Path:
    rows = [f"{name},{c},{level}" for name, c, level in zip(NAMES, CLASSES, LEVELS, strict=True)]
    (folder / "library.csv").write_text("\n".join(["spectra names,kind,Level_1", *rows]))
    return write_sli(folder / "library.sli", spectra_names="{" + ", ".join(NAMES) + "}")


def sli_with_json(folder: Path) -> Path:
    names = [f"s{number}" for number in range(5)]
    classes = dict(zip(names, CLASSES, strict=True))
    (folder / "library.json").write_text(json.dumps(classes))
    return write_sli(folder / "library.sli", spectra_names="{" + ", ".join(names) + "}")


def csv_rows(folder: Path) -> Path:
    path = folder / "rows.csv"
    header = ["name", "class", *(f"X{nm:g}" for nm in NM)]
    rows = [
        [name, c, *(f"{value:.6f}" for value in row)]
        for name, c, row in zip(NAMES, CLASSES, spectra(), strict=True)
    ]
    path.write_text("\n".join(",".join(row) for row in [header, *rows]))
    return path


def csv_columns(folder: Path) -> Path:
    path = folder / "columns.txt"
    rows = [
        [f"{nm / 1000}", *(f"{v:.6f}" for v in col)]
        for nm, col in zip(NM, spectra().T, strict=True)
    ]
    path.write_text("\n".join("\t".join(row) for row in [["Wavelength (um)", *NAMES], *rows]))
    return path


def profile(row: AnyArray) -> dict[str, object]:
    return {"x": (NM / 1000).tolist(), "y": row.tolist(), "xUnit": "Micrometers", "bbl": [1] * 6}


def frame(values: list[object]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"name": NAMES, "class": CLASSES, "profiles": values},
        geometry=[shapely.Point(13.0 + i, 52.0) for i in range(5)],
        crs="EPSG:4326",
    )


def geojson(folder: Path) -> Path:
    path = folder / "profiles.geojson"
    frame([json.dumps(profile(row)) for row in spectra()]).to_file(path)
    content = json.loads(path.read_text())
    for feature, row in zip(content["features"], spectra(), strict=True):
        feature["properties"]["profiles"] = profile(row)  # as an object
    path.write_text(json.dumps(content))
    return path


def geopackage(folder: Path) -> Path:
    path = folder / "profiles.gpkg"
    frame([json.dumps(profile(row)) for row in spectra()]).to_file(path)
    return path


def geopackage_pickled(folder: Path, payload: object = None) -> Path:
    """As the EnMAP-Box writes binary fields."""
    path = geopackage(folder)
    with sqlite3.connect(path) as base:
        for name in ("ST_IsEmpty", "ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):  # of its triggers
            base.create_function(name, 1, lambda _: 0)
        base.execute("ALTER TABLE profiles ADD COLUMN spectrum BLOB")
        for number, row in enumerate(spectra(), start=1):
            content = pickle.dumps(profile(row) if payload is None else payload)
            base.execute("UPDATE profiles SET spectrum = ? WHERE fid = ?", (content, number))
        base.execute("ALTER TABLE profiles DROP COLUMN profiles")
    base.close()
    return path


def asd_bytes(row: AnyArray, *, kind: int = 1, reference: bool = True, format_: int = 2) -> bytes:
    """A file of an ASD instrument whose channels lie every 10 nm."""
    nm = np.arange(400.0, 900.0, 10.0)
    values = np.interp(nm, NM, row)
    dtype = {0: "<f4", 1: "<i4", 2: "<f8"}[format_]
    head = bytearray(484)
    head[:3] = b"as7"
    head[186], head[199] = kind, format_
    struct.pack_into("<ff", head, 191, 400.0, 10.0)
    struct.pack_into("<H", head, 204, len(nm))
    white = 50_000 + 10.0 * np.arange(len(nm))
    target = values * white if reference else values
    tail = struct.pack("<HQQH", 1, 0, 0, 5) + b"white" + white.astype(dtype).tobytes()
    if not reference:
        tail = struct.pack("<HQQH", 0, 0, 0, 0) + np.zeros(len(nm), dtype).tobytes()
    stored: bytes = target.astype(dtype).tobytes()
    return bytes(head) + stored + tail


def asd_folder(folder: Path) -> Path:
    here = folder / "field"
    here.mkdir()
    for name, row in zip(NAMES, spectra(), strict=True):
        (here / f"{name}.asd").write_bytes(asd_bytes(row))
    return here


def sig_text(row: AnyArray) -> str:
    lines = [
        f"{nm:.1f}  1000.0  {10 * v:.3f}  {100 * v:.4f}" for nm, v in zip(NM, row, strict=True)
    ]
    return "\n".join(["/*** Spectra Vista SIG Data ***/", "units= Radiance", "data= ", *lines])


def sig_folder(folder: Path) -> Path:
    """The classes are in a table."""
    here = folder / "field"
    here.mkdir()
    table = ["file,cover"]
    for number, (c, row) in enumerate(zip(CLASSES, spectra(), strict=True)):
        (here / f"HR.{number:03}.sig").write_text(sig_text(row))
        table.append(f"HR.{number:03}.sig,{c}")
    (here / "classes.csv").write_text("\n".join(table))
    return here


#: Function that writes each kind, whether its values are x 10,000, and whether it has the wavelengths `NM`.
LIBRARIES: dict[str, tuple[Callable[[Path], Path], float, bool]] = {
    "ENVI": (sli, 1e4, True),
    "ENVI big endian": (sli_big, 1e4, True),
    "ENVI header": (sli_header, 1e4, True),
    "ENVI with JSON": (sli_with_json, 1e4, True),
    "CSV of rows": (csv_rows, 1.0, True),
    "text of columns": (csv_columns, 1.0, True),
    "GeoJSON": (geojson, 1.0, True),
    "GeoPackage": (geopackage, 1.0, True),
    "pickled GeoPackage": (geopackage_pickled, 1.0, True),
    "ASD": (asd_folder, 1.0, False),
    "SVC": (sig_folder, 1.0, True),
}
