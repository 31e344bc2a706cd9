"""A session as the engine uses it: results as values for JSON, and previews as files."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import xarray as xr

from hsi_geo.io.files import scratch
from hsi_geo.io.labels.shots import ClassTable, Shots
from hsi_geo.io.labels.suggested_points import SuggestedPoint
from hsi_geo.io.maps.areas import pixel_areas_ha
from hsi_geo.io.maps.preview_file import write_preview
from hsi_geo.io.outputs.atomic import before_renaming
from hsi_geo.io.scenes.properties import name_of, remarks_of
from hsi_geo.progress import Reporter
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.serving.jobs import Job
from hsi_geo.tasks.serving.messages import FAILED, RpcError
from hsi_geo.tasks.serving.request_shots import RequestShots, read_request_shots
from hsi_geo.tasks.serving.request_words import request_words
from hsi_geo.tiling import Bounds, Grid

if TYPE_CHECKING:
    from hsi_geo.tasks.adaptation.preview import Preview

#: Parameters of `finish` that are fields of `MapOptions`.
MAPPING = (
    *("aoi", "confidence", "probabilities", "parents", "polygons", "smooth", "report"),
    *("reject", "min_confidence", "min_area", "max_memory", "stac", "zones", "zone_field"),
)

#: Previews whose files are kept: programs may still show the last but one.
KEPT_PREVIEWS = 2


class SomeMap(Protocol):
    """What the engine uses of `MapResult`."""

    def for_programs(self, model: Path | None = None) -> dict[str, Any]:
        """Files, classes and accuracy, for JSON."""


class SomeSession(Protocol):
    """What the engine uses of `hsi_geo.tasks.session.Session`; see there."""

    scene: xr.DataArray

    def prepare(self, *, reporter: Reporter | None = None) -> None:
        """Compute what does not depend on shots."""

    def update(
        self,
        shots: Shots,
        *,
        bounds: Bounds | None = None,
        trust_shots: bool = False,
        reporter: Reporter | None = None,
    ) -> Preview:
        """Learn from shots."""

    def suggest(self, count: int = 20) -> Sequence[SuggestedPoint]:
        """Places to label next."""

    def spectrum(self, x: float, y: float) -> Any:
        """Spectrum of a pixel, a `PixelSpectrum`."""

    def finish(
        self,
        *,
        out: Any = None,
        overwrite: bool = False,
        save_model: Any = None,
        options: MapOptions = MapOptions(),
        reporter: Reporter | None = None,
    ) -> SomeMap:
        """Write the map."""

    def close(self) -> None:
        """Free memory."""


class LiveSession:
    """A session of the engine.

    Args:
        number: Number by which clients name it, from 1.
        session: The session. It is used by one thread at a time.
        folder: Folder for its previews, which is removed when it closes.

    Attributes:
        number: Number by which clients name it.
        lock: Is held while the session is used.
    """

    def __init__(self, number: int, session: SomeSession, folder: Path) -> None:
        self.number = number
        self._session, self._folder = session, folder
        self.lock = threading.RLock()
        self._preview: Preview | None = None
        self._shots: RequestShots | None = None
        self._learnt: dict[str, Any] = {}
        self._is_ahead = False
        self._files: list[Path] = []
        self._written = 0

    def describe(self) -> dict[str, Any]:
        """Answer to `open`: size, grid and bands of the scene, and remarks on its file."""
        scene = self._session.scene
        grid: Grid = scene.hsi.grid
        remarks = remarks_of(scene)
        return {
            "session": self.number,
            "name": Path(name_of(scene)).name,
            "crs": None if grid.crs is None else grid.crs.to_wkt(),
            "bounds": grid.bounds,
            "width": grid.width,
            "height": grid.height,
            "pixel_size": grid.resolution,
            "centres_nm": scene.hsi.good["wavelength"].values,
            "messages": list(map(request_words, [*remarks.notes, *remarks.warnings])),
        }

    def prepare(self, reporter: Reporter) -> None:
        """Compute what does not depend on shots.

        Args:
            reporter: Receives progress.
        """
        with self.lock:
            self._session.prepare(reporter=reporter)

    def update(self, params: Mapping[str, Any], job: Job, reporter: Reporter) -> dict[str, Any]:
        """Learn from shots, and write a preview.

        Args:
            params: Checked parameters of `update`.
            job: The job, which cannot be cancelled once the preview is complete.
            reporter: Receives progress and messages.

        Returns:
            The answer.
        """
        with self.lock:
            shots = read_request_shots(params, self._folder, [self._session.scene.hsi.grid])
            learnt: dict[str, Any] = {"trust_shots": params.get("trust_shots", False)}
            if "bounds" in params:
                learnt["bounds"] = tuple(map(float, params["bounds"]))
            preview = self._session.update(shots.shots, reporter=reporter, **learnt)
            self._is_ahead = True
            path = self._write(preview, params)
            try:
                job.commit()
            except BaseException:
                _remove(path)
                raise
            self._is_ahead = False
            self._preview, self._shots, self._learnt = preview, shots, learnt
            self._keep(path)
            return self._described(preview, shots, path)

    def preview(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Write the last preview again, with another transparency.

        Args:
            params: Checked parameters of `preview`.

        Returns:
            The answer, which is that of `update`.
        """
        with self.lock:
            preview, shots = self._last()
            path = self._write(preview, params)
            self._keep(path)
            return self._described(preview, shots, path)

    def suggest(self, params: Mapping[str, Any], reporter: Reporter) -> dict[str, Any]:
        """Places to label next.

        Args:
            params: Checked parameters of `suggest`.
            reporter: Receives progress if the last update has to be repeated.

        Returns:
            The answer.
        """
        with self.lock:
            self._repeat_last_update(reporter)
            places = self._session.suggest(params.get("count", 20))
        return {
            "places": [
                {
                    "rank": p.rank,
                    "x": p.x,
                    "y": p.y,
                    "predicted": p.guess,
                    "confidence": p.confidence,
                }
                for p in places
            ]
        }

    def spectrum(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Spectrum of a pixel, beside the means of the classes.

        Args:
            params: Checked parameters of `spectrum`.

        Returns:
            The answer.
        """
        with self.lock:
            found = self._session.spectrum(float(params["x"]), float(params["y"]))
            classes: ClassTable = () if self._preview is None else self._preview.classes
        colors = {c.name: c.color for c in classes}
        return {
            "row": found.row,
            "col": found.col,
            "x": found.x,
            "y": found.y,
            "centres_nm": found.centres_nm,
            "values": found.values,
            "class": found.class_name,
            "means": [
                {"name": name, "color": colors.get(name), "values": values}
                for name, values in found.means.items()
            ],
        }

    def finish(self, params: Mapping[str, Any], job: Job, reporter: Reporter) -> dict[str, Any]:
        """Write the map of the whole scene.

        Args:
            params: Checked parameters of `finish`.
            job: The job, which cannot be cancelled from when the files get their names.
            reporter: Receives progress and messages.

        Returns:
            The answer, which is the result event of ``classify --progress jsonl``.
        """
        options = MapOptions(**{name: params[name] for name in MAPPING if name in params})
        model = Path(params["save_model"]) if "save_model" in params else None
        with self.lock:
            self._repeat_last_update(reporter)
            with before_renaming(lambda files: job.commit() if _is_map(files) else None):
                result = self._session.finish(
                    out=params.get("out"),
                    overwrite=params.get("overwrite", False),
                    save_model=model,
                    options=options,
                    reporter=reporter,
                )
        return result.for_programs(model)

    def close(self) -> None:
        """Free memory, and remove the previews."""
        with self.lock:
            try:
                self._session.close()
            finally:
                scratch.remove(self._folder)

    def _last(self) -> tuple[Preview, RequestShots]:
        if self._preview is None or self._shots is None:
            raise RpcError(
                FAILED,
                "the session has no shots yet",
                {"hint": "call update first", "kind": "RpcError", "code": "shots"},
            )
        return self._preview, self._shots

    def _repeat_last_update(self, reporter: Reporter) -> None:
        """Learn again from the shots of the last update that was answered, if a later one had no answer."""
        _, shots = self._last()
        if self._is_ahead:
            self._session.update(shots.shots, reporter=reporter, **self._learnt)
            self._is_ahead = False

    def _write(self, preview: Preview, params: Mapping[str, Any]) -> Path:
        """Write a preview under a new name."""
        self._written += 1
        path = self._folder / f"preview_{self._written}.tif"
        try:
            write_preview(
                path,
                preview.grid,
                preview.class_ids,
                preview.confidence,
                preview.familiarity,
                preview.classes,
                min_confidence=params.get("min_confidence", 0),
            )
        except BaseException:
            _remove(path)
            raise
        return path

    def _keep(self, path: Path) -> None:
        """Remove all previews but the last ones; Windows keeps a file that a program has open."""
        self._files.append(path)
        for old in self._files[:-KEPT_PREVIEWS]:
            _remove(old)
        self._files = [old for old in self._files if old.exists()]

    def _described(self, preview: Preview, shots: RequestShots, path: Path) -> dict[str, Any]:
        return {
            "preview": path,
            "is_preview": True,
            "step_px": preview.step_px,
            "bounds": preview.grid.bounds,
            "classes": class_entries(preview),
            "accuracy": preview.accuracy.as_dict(),
            "suspicious_shots": shots.with_own_ids(preview.suspicious_shots),
            "warnings": list(map(request_words, preview.warnings)),
            "seconds": preview.seconds,
        }


def class_entries(preview: Preview) -> list[dict[str, Any]]:
    """Id, name, colour, number of shots, share and hectares of each class of a preview.

    Args:
        preview: The preview. Shares are of its pixels with data. A coarse pixel stands for the area of its own size.
    """
    ids = np.asarray(preview.class_ids, np.int64)
    highest = max((c.id for c in preview.classes), default=0)
    counts = np.bincount(ids.ravel(), minlength=highest + 1)
    mapped = max(1, int(counts[1:].sum()))
    areas = pixel_areas_ha(preview.grid)
    hectares = None
    if areas is not None:
        of_pixels = areas.of(preview.grid.window).ravel()
        hectares = np.bincount(ids.ravel(), of_pixels, minlength=highest + 1)
    return [
        {
            "id": c.id,
            "name": c.name,
            "color": c.color,
            "shots": preview.shots.get(c.name, 0),
            "share": float(counts[c.id] / mapped),
            "hectares": None if hectares is None else float(hectares[c.id]),
        }
        for c in preview.classes
    ]


def _is_map(files: Sequence[Path]) -> bool:
    """Whether outputs are those of a map. `finish` also writes features, into the cache."""
    return any(path.suffix.lower() in (".tif", ".tiff") for path in files)


def _remove(path: Path) -> None:
    for file in (path, path.with_name(f"{path.name}.aux.xml"), path.with_suffix(".qml")):
        with suppress(OSError):
            file.unlink(missing_ok=True)
