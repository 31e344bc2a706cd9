"""One layer of a file as a table, its texts decoded by the encoding that they are in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from pandas.api.types import is_float_dtype, is_numeric_dtype

from hsi_geo.io.files.text_encoding import decode_cell, find_codec, shown
from hsi_geo.io.labels.geometry_repair import are_collapsed


def read_layer(
    path: str, layer: str | None, options: Mapping[str, str]
) -> tuple[pd.DataFrame, str | None]:
    """Read the features of a layer. Shapefiles often state no encoding, or a wrong one.

    Args:
        path: What GDAL opens.
        layer: Name of the layer; None for the only one.
        options: Open options of GDAL's driver.

    Returns:
        frame: The features, indexed by their ids in the file. Rings of polygons are closed; other broken geometries are
            missing, and so are those that closing leaves without an area.
        note: The encoding that texts were taken for, if the file does not state it; else None.

    Raises:
        UnicodeDecodeError: If texts are in no encoding that is known.
    """

    def read(**more: Any) -> pd.DataFrame:
        def read_as(on_invalid: str) -> pd.DataFrame:
            frame: pd.DataFrame = gpd.read_file(
                path, layer=layer, fid_as_index=True, on_invalid=on_invalid, **options, **more
            )
            return frame

        frame = read_as("fix")
        if isinstance(frame, gpd.GeoDataFrame):
            shapes = frame.geometry.to_numpy()
            collapsed = are_collapsed(shapes)
            if collapsed.any():
                unrepaired = read_as("ignore").geometry.to_numpy()
                shapes = np.where(collapsed, unrepaired, shapes)
                frame = frame.set_geometry(gpd.GeoSeries(shapes, frame.index, crs=frame.crs))
        return frame

    info = pyogrio.read_info(path, layer=layer)
    if info["driver"] != "ESRI Shapefile":
        return _as_declared(read(), dict(zip(info["fields"], info["dtypes"], strict=True))), None
    stated: list[str] | None = None
    try:
        frame = read()
        stated = _texts(frame)
        if all(map(str.isascii, stated)):
            return frame, None
    except UnicodeDecodeError:  # not in the encoding that is stated
        pass
    raw = read(encoding="ISO-8859-1")  # a character for each byte
    codec = find_codec([text.encode("latin-1") for text in _texts(raw)], stated, _language(path))
    decoded = frame if codec is None else _decode(raw, codec)
    if codec is None or stated == _texts(decoded):
        return frame, None
    note = f"text of '{Path(path).name}' taken for {shown(codec)}"
    if codec == "utf-8":
        return decoded, note
    return decoded, f"{note}: if letters are wrong, name its encoding in a .cpg file beside it"


def _as_declared(frame: pd.DataFrame, kinds: Mapping[str, str]) -> pd.DataFrame:
    """The frame with the values that the file means: pyogrio makes numbers of truth values beside gaps.

    A float32 of 0.1 is 0.1, and not the double next to it.
    """
    found = frame.copy()
    for index, (name, dtype) in enumerate(zip(frame.columns, frame.dtypes, strict=True)):
        values, kind = frame.iloc[:, index], kinds.get(str(name))
        if kind == "bool" and is_float_dtype(dtype):
            truths = [None if np.isnan(value) else bool(value) for value in values.tolist()]
            found.isetitem(index, np.array(truths, object))
        elif dtype == np.float32:
            found.isetitem(index, values.to_numpy().astype("U32").astype(np.float64))
    return found


def _texts(frame: pd.DataFrame) -> list[str]:
    """Names of fields, and all values that are texts."""
    columns = [frame.iloc[:, index] for index in _text_columns(frame)]
    return [*map(str, frame.columns), *(t for c in columns for t in c if isinstance(t, str))]


def _decode(raw: pd.DataFrame, codec: str) -> pd.DataFrame:
    """The frame with each text decoded again from its bytes."""

    def decode(text: Any) -> Any:
        return decode_cell(text.encode("latin-1"), codec) if isinstance(text, str) else text

    frame = raw.copy()
    for index in _text_columns(raw):
        frame.isetitem(index, raw.iloc[:, index].map(decode).to_numpy())
    return frame.rename(columns=decode)


def _text_columns(frame: pd.DataFrame) -> list[int]:
    """Positions of columns that may hold texts: two of them may have one name."""
    kinds = enumerate(zip(frame.columns, frame.dtypes, strict=True))
    return [i for i, (name, kind) in kinds if name != "geometry" and not is_numeric_dtype(kind)]


def _language(path: str) -> int:
    """The language byte of the DBF file beside a Shapefile, 0 where there is no such file."""
    for suffix in (".dbf", ".DBF"):
        beside = Path(path).with_suffix(suffix)
        if beside.is_file():
            with beside.open("rb") as file:
                return (file.read(30) + bytes(30))[29]
    return 0
