"""Pictures of rejected pixels, small patches, two levels of classes, and zones, on Indian Pines.

    python docs/measurements/map_pictures.py

It needs no data: the scene is that of `hsi-geo demo`. It writes `docs/reject.png`, `docs/min-area.png`, `docs/levels.png` and
`docs/zones.png`, in about two minutes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hsi_geo import MapOptions, adapt, predict, read_shots, zones
from hsi_geo.arrays import AnyArray
from hsi_geo.display.images import paint
from hsi_geo.io.datasets.indian_pines import LabelledScene, load_indian_pines
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.legend import read_legend
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.zone_areas import ZoneArea
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.demo import write_inputs

DOCS = Path(__file__).parents[1]

#: Class that the model of the first picture does not know.
UNKNOWN = "Hay-windrowed"

#: Parent by the first word of a class.
PARENTS = {
    "Corn": "corn", "Soybean": "soybean", "Grass": "grass and hay", "Hay": "grass and hay",
    "Alfalfa": "grass and hay", "Wheat": "cereals", "Oats": "cereals", "Woods": "trees",
    "Buildings": "built-up", "Stone": "built-up",
}  # fmt: skip

#: Number of zones along each side.
SIDE = 3

#: Number of random samples by which the errors of zones are checked.
SAMPLES = 20


def main() -> None:
    """Make the maps and draw the pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene, shots, _ = write_inputs(folder)
        truth = _alphabetical(load_indian_pines())
        draw_rejected(folder, scene, shots, truth)
        labels = read_shots(shots, classes=_parents(folder, shots))
        model = adapt(scene, labels)
        maps = {}
        for key, options in (
            ("plain", MapOptions(parents=True)),
            ("cleaned", MapOptions(min_area="12px")),
        ):
            maps[key] = predict(scene, model, out=folder / f"{key}.tif", options=options).paths
        _draw(
            "min-area.png",
            [(maps["plain"].classes, "map"), (maps["cleaned"].classes, "--min-area 12px")],
        )
        assert maps["plain"].parents is not None
        _draw(
            "levels.png",
            [(maps["plain"].classes, "classes"), (maps["plain"].parents, "--parents")],
            legend=1,
        )
        draw_zones(folder, maps["plain"].parents, truth, labels.classes)


def _alphabetical(scene: LabelledScene) -> AnyArray:
    """The true classes with the ids of a class table, which is in alphabetical order."""
    names = sorted(scene.names)
    ids = np.array([0, *(names.index(name) + 1 for name in scene.names)])
    return np.asarray(ids[scene.truth])


def _parents(folder: Path, shots: Path) -> Path:
    """File with the parent of each class."""
    path = folder / "classes.json"
    names = [c.name for c in read_shots(shots).classes]
    entries = {name: {"parent": PARENTS[name.split("-")[0]]} for name in names}
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def draw_rejected(folder: Path, scene: Path, shots: Path, truth: AnyArray) -> None:
    """A map whose model does not know a class, with and without --reject auto."""
    frame = gpd.read_file(shots)
    known = folder / "known.gpkg"
    frame[frame["class"] != UNKNOWN].to_file(known)
    names = [c.name for c in read_shots(shots).classes]
    assert names == sorted(names)
    model = adapt(scene, known)
    paths = []
    for key, options in (("all", MapOptions()), ("reject", MapOptions(reject="auto"))):
        paths.append(
            predict(scene, model, out=folder / f"{key}.tif", options=options).paths.classes
        )
    titles = ("map", "--reject auto; black: unlike any shot")
    figure = _draw(None, list(zip(paths, titles, strict=True)))
    for axis in figure.axes[:2]:
        axis.contour(
            truth == names.index(UNKNOWN) + 1, levels=[0.5], colors="#ff0000", linewidths=1
        )
    figure.savefig(DOCS / "reject.png")


def draw_zones(folder: Path, path: Path, truth: AnyArray, classes: Sequence[LandClass]) -> None:
    """Zones on a map of the parents, and areas of corn with their standard errors by a random sample of the truth.

    The map is cut to the land whose class is known, from which the sample is drawn.
    """
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
        file.write(np.where(truth > 0, file.read(1), 0), 1)
    grid = read_map(path).grid
    rows, cols = (np.linspace(0, n, SIDE + 1).round() for n in grid.shape)
    boxes = []
    for r in range(SIDE):
        for c in range(SIDE):
            (x0, y0), (x1, y1) = (
                grid.transform @ (cols[c], rows[r + 1]),
                grid.transform @ (cols[c + 1], rows[r]),
            )
            boxes.append(shapely.box(x0, y0, x1, y1))
    frame = gpd.GeoDataFrame(
        {"zone": [str(i + 1) for i in range(len(boxes))]},
        geometry=boxes,
        crs=None if grid.crs is None else grid.crs.to_wkt(),
    )
    frame.to_file(folder / "zones.gpkg")
    of_class = [str(c.parent) for c in classes]
    areas = [_areas(folder, path, truth, of_class, seed) for seed in range(SAMPLES)]
    _print_coverage(areas, truth, of_class, rows, cols)
    figure = Figure(figsize=(9.2, 4.2), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _show(left, path, "zones")
    height, width = grid.shape
    for r in range(SIDE):
        for c in range(SIDE):
            left.text(
                (c + 0.5) * width / SIDE, (r + 0.5) * height / SIDE, str(SIDE * r + c + 1),
                color="#ffffff", weight="bold", ha="center", va="center",
                bbox={"facecolor": "#222222", "edgecolor": "none", "pad": 2},
            )  # fmt: skip
    for line in cols[1:-1]:
        left.axvline(line - 0.5, color="#222222")
    for line in rows[1:-1]:
        left.axhline(line - 0.5, color="#222222")
    is_corn = np.isin(truth, [c.id for c in classes if c.parent == "corn"])
    corn = {one.zone: one for one in areas[0] if one.name == "corn"}
    for number, zone in enumerate(frame["zone"], start=1):
        one = corn.get(zone)
        if one is None:
            continue
        right.bar(number, one.mapped_percent, color="#cccccc", width=0.8)
        right.errorbar(
            number, one.percent, 2 * (one.percent_se or 0), fmt="o", color="#222222", capsize=3
        )
        r, c = divmod(number - 1, SIDE)
        part = np.s_[int(rows[r]) : int(rows[r + 1]), int(cols[c]) : int(cols[c + 1])]
        true = 100 * is_corn[part].sum() / (truth[part] > 0).sum()
        right.plot(number + 0.25, true, "D", color="#d7191c", markersize=5)
        print(
            f"zone {zone}: {one.mapped_percent:.1f} mapped, {one.percent:.1f} +- {one.percent_se or 0:.1f} corrected, "
            f"{true:.1f} true"
        )
    right.set(
        title="corn: bars mapped, points corrected, red true",
        xlabel="zone",
        ylabel="per cent of the zone",
    )
    right.set_xticks(range(1, len(frame) + 1))
    figure.savefig(DOCS / "zones.png")


def _areas(
    folder: Path, path: Path, truth: AnyArray, of_class: Sequence[str], seed: int
) -> Sequence[ZoneArea]:
    """Areas of the zones by 250 places drawn at random."""
    grid = read_map(path).grid
    at = np.argwhere((truth > 0) & (_values(path) > 0))
    chosen = at[np.random.default_rng(seed).choice(len(at), 250, replace=False)]
    points = [shapely.Point(*grid.transform @ (c + 0.5, r + 0.5)) for r, c in chosen]
    gpd.GeoDataFrame(
        {"class": [of_class[truth[r, c] - 1] for r, c in chosen]},
        geometry=points,
        crs=None if grid.crs is None else grid.crs.to_wkt(),
    ).to_file(folder / "visit.gpkg")
    return zones(
        path, folder / "zones.gpkg", folder / "areas.csv", overwrite=True,
        reference=folder / "visit.gpkg", design="simple", reporter=SilentReporter(),
    ).areas  # fmt: skip


def _print_coverage(
    areas: Sequence[Sequence[ZoneArea]],
    truth: AnyArray,
    of_class: Sequence[str],
    rows: AnyArray,
    cols: AnyArray,
) -> None:
    """How often two standard errors reach the truth, and how far maps and estimates are from it."""
    names = np.array(["", *of_class])[truth]
    covered, mapped, corrected = [], [], []
    for found in areas:
        for one in found:
            r, c = divmod(int(one.zone) - 1, SIDE)
            part = names[int(rows[r]) : int(rows[r + 1]), int(cols[c]) : int(cols[c + 1])]
            true = 100 * (part == one.name).sum() / (part != "").sum()
            if one.percent_se is not None:
                covered.append(abs(one.percent - true) <= 2 * one.percent_se + 0.05)
            mapped.append(abs(one.mapped_percent - true))
            corrected.append(abs(one.percent - true))
    print(
        f"{len(areas)} samples of 250 places, {len(covered)} areas: two standard errors reach the truth in "
        f"{100 * np.mean(covered):.0f} %; mean distance to it {np.mean(mapped):.1f} points as mapped, "
        f"{np.mean(corrected):.1f} corrected"
    )


def _values(path: Path) -> AnyArray:
    with rasterio.open(path) as file:
        return np.asarray(file.read(1))


def _show(axis: Axes, path: Path, title: str) -> dict[int, LandClass]:
    opened = read_map(path)
    legend = read_legend(opened, opened.counts())
    image = paint(_values(path).astype(np.int64), tuple(legend.values()))
    axis.imshow(image, interpolation="nearest")
    axis.set_axis_off()
    axis.set_title(title)
    return legend


def _draw(name: str | None, shown: Sequence[tuple[Path, str]], legend: int | None = None) -> Figure:
    """Maps beside each other, with the legend of one of them."""
    figure = Figure(figsize=(4.6 * len(shown), 4.2), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    for index, (axis, (path, title)) in enumerate(
        zip(figure.subplots(1, len(shown)), shown, strict=True)
    ):
        classes = _show(axis, path, title)
        if index == legend:
            for c in classes.values():
                axis.plot([], [], "s", color=c.color, label=c.name)
            figure.legend(loc="outside right center", fontsize=8, frameon=False)
    if name is not None:
        figure.savefig(DOCS / name)
    return figure


if __name__ == "__main__":
    main()
