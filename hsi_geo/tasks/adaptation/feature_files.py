"""Files of features and graphs of pixels, so that later runs on the same scene need not compute them."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from hsi_geo.interrupts import noting_outputs
from hsi_geo.io.outputs.atomic import atomic_outputs, make_folder
from hsi_geo.tasks.adaptation.feature_cubes import SpatialContext
from hsi_geo.tasks.adaptation.feature_sets import FeatureSet, FeatureSets, PixelFeatures
from hsi_geo.tasks.runtime import versions

#: Most bytes of all files of a folder. The oldest ones are removed.
MAX_BYTES = 2 << 30

#: Start of the files' names; other files of the folder are left alone.
PREFIX = "hsi-geo-features-"

#: Changes when the files' content or the features change.
FORMAT = 1


class FeatureFiles:
    """A folder of such files.

    Args:
        folder: The folder; it is made when the first file is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, key: str) -> PixelFeatures | None:
        """Read the features that were written under a key.

        Args:
            key: Text that says what the features were computed from.

        Returns:
            The features; None if there are none, or the file is damaged.
        """
        path = self._path(key)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                found = _unpack({name: stored[name] for name in stored.files})
            os.utime(path)  # the files that are used stay
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
            return None  # not there, or damaged
        return found

    def write(self, key: str, features: PixelFeatures) -> None:
        """Write features under a key, and remove the oldest files if there are too many.

        Args:
            key: Text that says what the features were computed from.
            features: The features.

        Raises:
            OutputError: If the folder cannot be written to.
        """
        make_folder(self.folder)
        path = self._path(key)
        with (
            noting_outputs(),  # a cache is no output
            atomic_outputs([path], overwrite=True) as where,
            where[path].open("wb") as file,
        ):
            np.savez(file, allow_pickle=False, **_pack(features))
        self._prune(path)

    def _path(self, key: str) -> Path:
        # Another version may compute other features.
        text = json.dumps([FORMAT, key, versions()], sort_keys=True)
        return self.folder / f"{PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"

    def _prune(self, newest: Path) -> None:
        total, files = 0, []
        for path in self.folder.glob(f"{PREFIX}*.npz"):
            with suppress(OSError):  # another job has removed it
                status = path.stat()
                files.append((status.st_mtime_ns, status.st_size, path))
        for _, size, path in sorted(files, reverse=True):
            total += size
            if total > MAX_BYTES and path != newest:
                with suppress(OSError):
                    path.unlink()


def _pack(features: PixelFeatures) -> dict[str, Any]:
    """Arrays by name; an array that several feature sets share is stored once."""
    arrays: dict[str, Any] = {"positions_px": features.positions_px}
    names: dict[int, str] = {}

    def store(array: np.ndarray[Any, Any]) -> str:
        name = names.setdefault(id(array), f"features_{len(names)}")
        arrays[name] = array
        return name

    sets = features.feature_sets
    layout = {
        "inputs": [
            {
                "features": store(one.features),
                "C": one.C,
                "context_px": one.context_px,
                "context": one.context.name,
                "share": one.share,
                "name": one.name,
            }
            for one in sets.classifier_inputs
        ],
        "filtered": {context.name: store(array) for context, array in sets.filtered.items()},
        "unit_length": store(sets.unit_length),
        "graphs": len(features.graphs),
    }
    for number, graph in enumerate(features.graphs):
        for part in ("data", "indices", "indptr"):
            arrays[f"graph_{number}_{part}"] = getattr(graph, part)
    arrays["layout"] = np.array(json.dumps(layout))
    return arrays


def _unpack(arrays: dict[str, Any]) -> PixelFeatures:
    layout = json.loads(str(arrays["layout"]))
    positions = arrays["positions_px"]
    inputs = [
        FeatureSet(arrays[one.pop("features")], context=SpatialContext[one.pop("context")], **one)
        for one in layout["inputs"]
    ]
    filtered = {SpatialContext[name]: arrays[array] for name, array in layout["filtered"].items()}
    graphs = tuple(
        csr_array(
            tuple(arrays[f"graph_{number}_{part}"] for part in ("data", "indices", "indptr")),
            shape=(len(positions), len(positions)),
        )
        for number in range(layout["graphs"])
    )
    sets = FeatureSets(inputs, filtered, arrays[layout["unit_length"]])
    return PixelFeatures(sets, graphs, positions)
