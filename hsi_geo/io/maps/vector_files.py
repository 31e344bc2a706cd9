"""Layers of features written part by part: GeoPackage, FlatGeobuf and GeoParquet."""

from __future__ import annotations

import io
import json
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import geopandas as gpd
import pandas as pd
import pyogrio
from pyogrio.errors import (
    DataLayerError,
    DataSourceError,
    FeatureError,
    FieldError,
    GeometryError,
)
from pyproj.exceptions import CRSError

from hsi_geo.errors import OutputError, write_error_text
from hsi_geo.io.labels.geopackages import DATASET_OPTIONS, STYLES, fixed_time
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.vector_crs import require_same_places
from hsi_geo.io.maps.vector_names import style_beside
from hsi_geo.io.maps.vector_styles import vector_style
from hsi_geo.io.readers.base import plain

#: Number of features that are written at a time.
CHUNK = 20_000

_ERRORS = (DataSourceError, DataLayerError, FeatureError, FieldError, GeometryError)


class LayerWriter:
    """Writes one layer part by part, as a context manager.

    Args:
        path: File to write, which does not exist. Its suffix says the format.
        layer: Name of the layer.
    """

    def __init__(self, path: Path, layer: str) -> None:
        self.path = path
        self.layer = layer
        self.count = 0
        self._format = path.suffix.lower()
        # FlatGeobuf is written in one go: its index comes before its features.
        self._draft = path.with_name(path.name + ".gpkg") if self._format == ".fgb" else path
        self._parquet: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._parquet is not None:
            self._parquet.close()
        if kind is not None:
            return
        with writing_layer(self.path):
            if self._format == ".fgb":
                self._copy_to_flatgeobuf()
            if self._format != ".parquet":
                self._require_count()

    def write(self, frame: gpd.GeoDataFrame) -> None:
        """Append features.

        Args:
            frame: Features, with the same fields each time. The first call may have none.

        Raises:
            OutputError: If the disk is full or gone.
        """
        with writing_layer(self.path):
            if not self.count:
                require_same_places(frame, self.path)
            if self._format == ".parquet":
                self._append_to_parquet(frame)
            else:
                pyogrio.write_dataframe(
                    frame,
                    self._draft,
                    layer=self.layer,
                    driver="GPKG",
                    geometry_type="Polygon" if frame.empty else None,
                    append=self.count > 0,
                    dataset_options=DATASET_OPTIONS,
                )
        self.count += len(frame)

    def write_style(self, classes: Sequence[LandClass], attribute: str) -> None:
        """Store a QGIS style with a colour for each class: inside a GeoPackage, else beside the file.

        A style beside the file may be that of a raster of the same name: QGIS takes its own part for each.

        Args:
            classes: Classes. The ids are the values of the field.
            attribute: Name of the field of integers that holds the class.

        Raises:
            OutputError: If the disk is full or gone.
        """
        for beside in style_beside(self.path):
            before = ET.parse(beside).getroot() if beside.exists() else None
            beside.write_text(vector_style(classes, attribute, before), encoding="utf-8")
        if self._format == ".gpkg":
            self.embed_style(vector_style(classes, attribute))

    def embed_style(self, style: str) -> None:
        """Store a QGIS style inside a GeoPackage.

        Args:
            style: Text of the style (.qml).

        Raises:
            OutputError: If the disk is full or gone.
        """
        with writing_layer(self.path):
            _write_style_table(self.path, self.layer, style)

    def _require_count(self) -> None:
        """Read the file back: SQLite does not report every failed write."""
        info = pyogrio.read_info(self.path, layer=self.layer, force_feature_count=True)
        if info["features"] != self.count:
            raise OutputError(
                f"layer '{self.path.name}' does not hold what was written to it",
                hint="check the disk and its free space",
            )

    def _append_to_parquet(self, frame: gpd.GeoDataFrame) -> None:
        import pyarrow.parquet as pq

        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        table = pq.read_table(buffer)
        about = json.loads(table.schema.metadata[b"geo"])
        for column in about["columns"].values():  # of this part only
            column.pop("bbox", None)
            column["geometry_types"] = []
        table = table.replace_schema_metadata({b"geo": json.dumps(about).encode()})
        if self._parquet is None:
            self._parquet = pq.ParquetWriter(self.path, table.schema)
        self._parquet.write_table(table)

    def _copy_to_flatgeobuf(self) -> None:
        with pyogrio.open_arrow(self._draft, layer=self.layer) as (about, stream):
            pyogrio.write_arrow(
                stream,
                self.path,
                layer=self.layer,
                driver="FlatGeobuf",
                crs=about["crs"],
                geometry_name=about["geometry_name"] or "wkb_geometry",
                geometry_type=about["geometry_type"],
            )
        self._draft.unlink()


def _write_style_table(path: Path, layer: str, style: str) -> None:
    """Store a style where QGIS looks for the styles of a GeoPackage: in its table layer_styles."""
    table = pd.DataFrame(
        {
            "f_table_catalog": [""],
            "f_table_schema": [""],
            "f_table_name": [layer],
            "f_geometry_column": ["geom"],
            "styleName": [layer],
            "styleQML": [style],
            "styleSLD": [""],
            "useAsDefault": [True],
            "description": ["classes"],
            "owner": [""],
            "ui": [""],
            "update_time": [pd.Timestamp("1970-01-01", tz="UTC")],
        }
    )
    pyogrio.write_dataframe(table, path, layer=STYLES, driver="GPKG")


@contextmanager
def writing_layer(path: Path) -> Iterator[None]:
    """Set GDAL's options for writing; its errors become one sentence.

    Args:
        path: File that is written.

    Raises:
        OutputError: If GDAL fails.
    """
    try:
        with fixed_time(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'crs' was not provided")  # the map has none either
            yield
    except CRSError as error:  # as with a rotated pole
        raise OutputError(
            f"layer '{path.name}' cannot be written: its format cannot hold the coordinate reference system of the map",
            hint="bring the map to another one, for example with gdalwarp",
        ) from error
    except _ERRORS as error:
        why, hint = write_error_text(plain(error), path)
        raise OutputError(f"layer '{path.name}' cannot be written ({why})", hint=hint) from error
