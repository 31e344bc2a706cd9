"""Shots of a request: files, or the features of the request itself as GeoJSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyproj import CRS
from pyproj.exceptions import CRSError

from hsi_geo.errors import HsiGeoError, OptionError
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import Shots
from hsi_geo.tiling import Grid

#: What messages call shots that came in a request.
SOURCE = "shots of the request"

#: Parameters of `update` that belong to `read_shots`.
READING = ("class_field", "layer", "classes", "all_touched", "library_weight")


@dataclasses.dataclass(frozen=True, eq=False)
class RequestShots:
    """Shots, and the ids that the client gave its features.

    Attributes:
        shots: The shots.
        ids: Id of each feature of a FeatureCollection by its number, any JSON value; None for files.
    """

    shots: Shots
    ids: Sequence[Any] | None = None

    def with_own_ids(self, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Entries about features, with the ids that the client gave.

        Args:
            entries: Entries with ``feature_id``, as `Preview.suspicious_shots`.
        """
        if self.ids is None:
            return [dict(one) for one in entries]
        return [{**one, "feature_id": self.ids[int(one["feature_id"])]} for one in entries]


def read_request_shots(
    params: Mapping[str, Any], folder: Path, near: Sequence[Grid] = ()
) -> RequestShots:
    """Read the shots of a request.

    Args:
        params: Checked parameters of `update`.
        folder: Folder for temporary files.
        near: Grids of the scenes, if they are known.

    Raises:
        HsiGeoError: If they cannot be read; the message says why.
    """
    options = {name: params[name] for name in READING if name in params}
    given = params["shots"]
    if not isinstance(given, dict):
        return RequestShots(read_shots(given, near=near, **options))
    crs = _crs_of(given)
    features = [{**feature, "id": number} for number, feature in enumerate(given["features"])]
    ids = [feature.get("id", number) for number, feature in enumerate(given["features"])]
    path = folder / "shots.geojson"
    path.write_text(
        json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8"
    )
    try:
        shots = read_shots(path, **options)
    except HsiGeoError as error:
        message, hint = (
            text.replace(f"'{path}'", f"'{SOURCE}'") for text in (error.message, error.hint)
        )
        raise type(error)(message, hint=hint) from error
    finally:
        path.unlink(missing_ok=True)
    frame = shots.frame.set_crs(crs, allow_override=True)
    named = dataclasses.replace(
        shots, frame=frame, source=SOURCE, files=(), in_scene_frame=crs is None
    )
    return RequestShots(named, ids)


def _crs_of(collection: Mapping[str, Any]) -> CRS | None:
    """The CRS of a FeatureCollection: its member ``crs``, a text or as of GeoJSON 2008; else WGS 84.

    None, as of a null, means the frame of the scene, which may have no CRS.
    """
    given = collection.get("crs", "OGC:CRS84")
    if given is None:
        return None
    if isinstance(given, dict):
        properties = given.get("properties")
        given = properties.get("name") if isinstance(properties, dict) else None
    try:
        return CRS.from_user_input(str(given))
    except CRSError as error:
        raise OptionError(
            f"'crs' of the shots is '{str(given)[:60]}', and no coordinate reference system",
            hint="give a code such as EPSG:32633, or WKT",
        ) from error
