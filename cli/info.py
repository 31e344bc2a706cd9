"""``hsi-geo info``."""

from __future__ import annotations

from typing import Any

import click

from . import options, values
from .help import GroupedCommand
from .printing import pairs, table
from .terminal import print_json


@click.command(name="info", cls=GroupedCommand)
@options.scene
@options.shots(required=False)
@options.wavelengths
@options.mask
@options.asset
@options.follow_links
@options.placement
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@options.progress
def command(
    scene: str,
    shots: tuple[str, ...],
    as_json: bool,
    progress: str,
    **given: Any,
) -> None:
    """Describe SCENE; with --shots, also the labelled pixels and those that are left out.

    For example:

        hsi-geo info scene.tif

        hsi-geo info scene.tif --shots labels.gpkg
    """
    from hsi_geo.tasks.info import info

    (opened,) = values.open_scenes([scene], given)
    found = info(
        opened, values.read_labels(shots, given, near=[opened.hsi.grid]) if shots else None
    )
    if as_json:
        print_json(found, indent=2)
        return
    click.echo(pairs(_scene_lines(found["scene"])))
    if found["shots"] is not None:
        click.echo()
        click.echo(pairs(_shot_lines(found["shots"])))
        click.echo()
        rows = [
            (c["name"], str(c["id"]), str(c["pixels"]), c["remark"])
            for c in found["shots"]["classes"]
        ]
        click.echo(table([("class", "id", "pixels", ""), *rows]))


def _scene_lines(scene: dict[str, Any]) -> list[tuple[str, object]]:
    low, high = scene["range_nm"]
    bad = scene["bad_bands"]
    return [
        ("scene", scene["path"]),
        ("format", f"{scene['format']}, {scene['dtype']}"),
        ("size", f"{scene['width']} x {scene['height']} px, {scene['bands']} bands"),
        ("pixel", f"{scene['resolution'][0]:g} x {scene['resolution'][1]:g} {scene['unit']}"),
        ("CRS", scene["crs"] or "none"),
        ("wavelengths", f"{low:.0f}-{high:.0f} nm, from {scene['wavelength_source']}"),
        ("bad bands", f"{len(bad)} of {scene['bands']}" + _why(bad)),
        ("nodata", _nodata(scene)),
        ("scale", _scale(scene["scale"], scene["offset"])),
        ("values", _values(scene)),
        *(("flagged", f"{100 * share:.0f} % {flag}") for flag, share in scene["quality"].items()),
        ("mask", _masked(scene["mask"])),
        *(("note", note) for note in scene["notes"]),
        *(("warning", warning) for warning in scene["warnings"]),
    ]


def _nodata(scene: dict[str, Any]) -> str:
    same = scene["same_value_share"]
    text = f"{scene['nodata']}, {100 * scene['nodata_share']:.1f} % of pixels"
    return text + (f"; {100 * same:.1f} % have the same value in all bands" if same else "")


def _masked(mask: dict[str, Any]) -> str:
    from hsi_geo.io.scenes.mask_option import mask_sentence

    if not mask["masked_px"]:
        return f"{mask['option']}: no pixel is masked"
    return f"{mask['option']}: {mask_sentence(mask)}"


def _scale(scale: float | list[float], offset: float | list[float]) -> str:
    shown = [
        f"{min(value):g} to {max(value):g}" if isinstance(value, list) else f"{value:g}"
        for value in (scale, offset)
    ]
    return f"{shown[0]} x stored value + {shown[1]}"


def _values(scene: dict[str, Any]) -> str:
    low, high = scene["values"]
    kind = scene["values_look_like"]
    return kind if low is None else f"{low:g} to {high:g} (96 in 100), which looks like {kind}"


def _why(bad: list[dict[str, Any]]) -> str:
    reasons: dict[str, int] = {}
    for band in bad:
        reasons[band["why"]] = reasons.get(band["why"], 0) + 1
    return "".join(f"; {count} {why}" for why, count in reasons.items())


def _shot_lines(shots: dict[str, Any]) -> list[tuple[str, object]]:
    return [
        ("shots", shots["path"]),
        *(("note", note) for note in shots["notes"]),
        *(("warning", warning) for warning in shots["warnings"]),
        ("CRS", (shots["crs"] or "none") + (" -> the scene's" if shots["reprojected"] else "")),
        ("features", shots["features"]),
        ("dropped", ", ".join(shots["dropped"]) or "nothing"),
    ]
