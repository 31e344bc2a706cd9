"""The library's values that are made of options of a command.

Each function takes its options out of the dictionary. What is left are keywords of the library function.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hsi_geo.io.labels.shots import Shots
    from hsi_geo.tasks.inference.options import MapOptions
    from hsi_geo.tasks.runtime import Compute


def open_scenes(paths: Sequence[str], given: dict[str, Any]) -> list[Any]:
    """Scenes, opened with the options of reading: --wavelengths, --mask, --grid and others."""
    from hsi_geo.io.scenes.scene import open_scenes

    take_grid(given)
    keywords = {
        name: given.pop(name)
        for name in (
            *("wavelengths", "mask", "grid", "straighten", "pixel_size", "dem"),
            *("asset", "follow_links"),
        )
    }
    return open_scenes(paths, **keywords)


def take_grid(given: dict[str, Any]) -> None:
    """Make one value ``grid`` of --grid and --swath.

    Args:
        given: The command's options; ``swath`` is taken out.

    Raises:
        OptionError: If both were given.
    """
    from hsi_geo.errors import OptionError

    if given.pop("swath"):
        if given["grid"] is not None:
            raise OptionError("--grid and --swath were both given", hint="give one of them")
        given["grid"] = "swath"


def read_labels(paths: Sequence[str], given: dict[str, Any], **keywords: Any) -> Shots:
    """Shots or reference labels, read with the options of `reading` and styled with --classes.

    Args:
        paths: Paths of the files, one or more.
        given: The command's options.
        keywords: Further arguments of `read_shots`.
    """
    from hsi_geo.io.labels.shot_reading import read_shots

    chosen: dict[str, Any] = {
        name: given.pop(name) or None for name in ("class_field", "layer", "classes")
    }
    if "library_weight" in given:
        keywords["library_weight"] = given.pop("library_weight")
    return read_shots(paths, all_touched=given.pop("all_touched"), **chosen, **keywords)


def map_options(given: dict[str, Any], **more: Any) -> MapOptions:
    """Those of the options that are fields of `MapOptions`."""
    from hsi_geo.tasks.inference.options import MapOptions

    return MapOptions(**_fields(MapOptions, given), **more)


def compute(given: dict[str, Any]) -> Compute:
    """Those of the options that are fields of `Compute`."""
    from hsi_geo.tasks.runtime import Compute

    return Compute(**_fields(Compute, given))


def _fields(value: type, given: dict[str, Any]) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(value) if field.name in given]
    return {name: given.pop(name) for name in names}
