"""Writing a scene as a raster that other programs open: a copy, or a virtual raster over the original."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from hsi_geo import stages
from hsi_geo.arguments import require_flags
from hsi_geo.errors import OptionError, OutputError, SceneError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.maps.geotiff_crs import lost_crs_warning
from hsi_geo.io.maps.writer import writing
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.readers import Links, Placement, SceneFile, read_scene
from hsi_geo.io.scenes.composites import COMPOSITES, Composite, make_composites
from hsi_geo.io.scenes.copies import raster_of, virtual_raster, write_copy
from hsi_geo.io.scenes.mask_option import with_mask
from hsi_geo.io.scenes.properties import files_of, log_remarks, name_of
from hsi_geo.io.scenes.scene import scene_of
from hsi_geo.io.scenes.unpacking import unpacked
from hsi_geo.progress import LoggingReporter, Reporter

#: Which bands are written.
ALL_BANDS, SHOWN_BANDS = "all", "shown"

#: Endings of a copy, and of a virtual raster.
_COPIES, _VIRTUAL = (".tif", ".tiff"), ".vrt"


@dataclass(frozen=True, slots=True)
class ConvertedScene:
    """A raster that was written.

    Attributes:
        path: Path of the raster.
        is_copy: Whether it holds the pixels itself; else it refers to the scene's file.
        composites: Bands of the raster that show it in colours, and their range of values: those that were
            asked for first, then others.
    """

    path: Path
    is_copy: bool
    composites: tuple[Composite, ...]

    @property
    def composite(self) -> Composite:
        """The composite that was asked for, or that fits best."""
        return self.composites[0]

    def as_dict(self) -> dict[str, Any]:
        """Values that JSON can hold: whether it is a copy, its bytes, and the composites."""
        return {
            "is_copy": self.is_copy,
            "bytes": self.path.stat().st_size,
            "composites": [dataclasses.asdict(one) for one in self.composites],
        }


def convert(
    scene: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    bands: str = ALL_BANDS,
    composite: str | None = None,
    wavelengths: str | None = None,
    mask: str = "none",
    grid: str | None = None,
    pixel_size: float | None = None,
    dem: str | None = None,
    asset: str | None = None,
    follow_links: bool = False,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> ConvertedScene:
    """Write a scene as GeoTIFF or VRT, on its map grid, with wavelengths as names and tags of the bands.

    Args:
        scene: Path of a scene; see `open_scene`.
        out: Path of the raster. ``.tif`` writes a copy. ``.vrt`` writes a small file that refers to the
            scene's own. Any other ending is kept, and one of the two is added: ``.vrt`` where GDAL reads
            the pixels in their place, else ``.tif``.
        bands: "all", or "shown" for the three of the composite only.
        composite: Key of `COMPOSITES`; None takes the first that the scene has the bands for.
        wavelengths: Replaces the band centres of the file; see `open_scene`.
        mask: Pixels that are written as missing; see `open_scene`. Those of a virtual raster cannot be.
        grid: Grid that the file is read on; see `open_scene`. Without one a rotated grid stays rotated.
        pixel_size: Side of the pixels of the grid; see `open_scene`.
        dem: Raster of heights; see `open_scene`.
        asset: Asset of a STAC item; see `open_scene`.
        follow_links: Whether other hosts are asked; see `open_scene`.
        overwrite: Whether a file that exists is replaced.
        reporter: Receives progress, notes and warnings; None logs them.

    Returns:
        The raster. Bands of its composite are numbers in the raster. The values are those that the scene
        stores, with its scale, offset and nodata value. Flags of bad bands are tags ``bbl``.

    Raises:
        HsiGeoError: If the scene cannot be read, or the raster not be written.
    """
    require_flags(follow_links=follow_links, overwrite=overwrite)
    reporter = reporter or LoggingReporter()
    _check_choices(bands, composite)
    if os.path.isdir(Path(out)):  # noqa: PTH112  (a name that is too long is none)
        raise OutputError(f"output '{out}' is a folder", hint="give the path of a file")
    keeps = grid is None and pixel_size is None
    placement = Placement(grid, keep_rotated=keeps, pixel_size=pixel_size, dem=dem)
    file = with_mask(read_scene(scene, placement, Links(asset, follow_links)), mask)
    opened = scene_of(file, wavelengths=wavelengths)
    log_remarks([opened], reporter)
    raster = raster_of(file)
    final = _final_path(Path(out), file, raster)
    with (
        atomic_outputs([final], overwrite=overwrite, inputs=files_of(opened)) as temporary,
        unpacked([opened], reporter.log) as (readable,),
    ):
        composites = make_composites(readable, composite)
        shown = composites[0]
        if composite is not None and shown.name != composite:
            reporter.warning(
                f"scene '{name_of(opened)}' has no bands for {composite}: it is shown in {shown.name}"
            )
        chosen = _chosen(readable, shown, bands)
        is_copy = final.suffix.lower() != _VIRTUAL
        if is_copy:
            _announce(opened, len(chosen), final, reporter)
            if warning := lost_crs_warning(opened.hsi.grid, "copy"):
                reporter.warning(f"scene '{name_of(opened)}' {warning}")
            with writing(final, "raster"):
                write_copy(readable, temporary[final], chosen, _rows_of(reporter))
        else:
            assert raster is not None  # else the path ends in .tif
            text = virtual_raster(readable, raster, chosen)
            temporary[final].write_text(text, encoding="utf-8")
    placed = [_in_raster(one, chosen) for one in composites]
    return ConvertedScene(final, is_copy, tuple(one for one in placed if one is not None))


def _in_raster(composite: Composite, chosen: list[int]) -> Composite | None:
    """A composite with the numbers of its bands in the raster; None if the raster lacks one."""
    if not {number - 1 for number in composite.bands} <= set(chosen):
        return None
    numbers = tuple(chosen.index(number - 1) + 1 for number in composite.bands)
    return dataclasses.replace(composite, bands=numbers)


def _check_choices(bands: str, composite: str | None) -> None:
    if bands not in (ALL_BANDS, SHOWN_BANDS):
        raise OptionError(f"bands are '{bands}'", hint=f"give '{ALL_BANDS}' or '{SHOWN_BANDS}'")
    if composite is not None and composite not in COMPOSITES:
        raise OptionError(
            f"composite is '{composite}'", hint=f"give one of {', '.join(COMPOSITES)}"
        )


def _final_path(out: Path, file: SceneFile, raster: str | None) -> Path:
    """The path with an ending that says how the scene is written."""
    ending = out.suffix.lower()
    if ending == _VIRTUAL and raster is None:
        raise SceneError(
            f"scene '{file.name}' ({file.driver}) holds its pixels in a form that no virtual raster can show",
            hint=f"write a copy: '{out.with_suffix('.tif').name}'",
        )
    if ending in (*_COPIES, _VIRTUAL):
        return out
    return out.with_name(out.name + (_COPIES[0] if raster is None else _VIRTUAL))


def _chosen(scene: xr.DataArray, shown: Composite, bands: str) -> list[int]:
    """Indices of the bands that are written."""
    if bands == ALL_BANDS:
        return list(range(scene.shape[0]))
    return [number - 1 for number in dict.fromkeys(shown.bands)]


def _announce(scene: xr.DataArray, bands: int, final: Path, reporter: Reporter) -> None:
    """Tell how large the copy may become, and warn where the disk has less room."""
    height, width = scene.shape[-2:]
    size = bands * height * width * scene.dtype.itemsize
    reporter.log(
        f"{bands} bands of {width:,} x {height:,} pixels are copied, {_size(size)} before compression"
    )
    folder = final.absolute().parent
    free = shutil.disk_usage(folder).free if exists(folder) else size
    if free < size:
        reporter.warning(f"the disk of '{folder}' has only {_size(free)} free")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 0.1):.1f} MB"


def _rows_of(reporter: Reporter) -> Callable[[int, int], None]:
    return lambda done, total: reporter.progress(stages.COPYING, done, total)
