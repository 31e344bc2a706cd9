"""Time and memory of `classify` and `predict` against the size of a job: docs/performance.md.

    python docs/measurements/scaling.py [--pixels 4,5,6,7,8] [--tiles 64:300,128:300] [--plot scaling.png] [--full]

The scene is Indian Pines: repeated to more pixels by a VRT, resampled to fewer or more bands, with classes that k-means
finds in it and shots at random pixels of each class. One thing grows at a time; the others stay at a scene of 145 x 145 pixels,
200 bands, 10 classes and 5 points a class (classify), or at the model of these. A last table compares batches of small tiles
(--tiles side in pixels:number) with one file of the same pixels. The processor is limited to AVX2; --full takes all its instructions. Nothing else may run.
"""

import argparse
import contextlib
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import geopandas as gpd
import machine
import matplotlib as mpl
import numpy as np
import psutil
import rasterio
import shapely
from affine import Affine
from rasterio.io import DatasetWriter
from rasterio.windows import Window
from sklearn.cluster import MiniBatchKMeans

from hsi_geo.arrays import Float32Array, Float64Array, IntArray
from hsi_geo.io.datasets.indian_pines import load_indian_pines

#: Pixel size and upper left corner of all scenes, in the coordinates of UTM zone 16 N.
RESOLUTION_M, LEFT, TOP, CRS = 20.0, 500_000.0, 4_500_000.0, "EPSG:32616"

#: What a job has where nothing else is said.
BANDS, CLASSES, POINTS = 200, 10, 5

#: Tiles that lie side by side.
TILES_IN_ROW = 20

#: Rows and columns of copies of the scene in a block, of which large mosaics consist.
BLOCK = 8

#: Power of ten of the pixels from which on only `predict` is measured: `classify` learns from no more pixels, and maps the same.
ONLY_PREDICT = 8

#: Seconds between looks at the memory of a job.
POLL_S = 0.25


@dataclasses.dataclass(frozen=True)
class Job:
    """A measured command.

    Attributes:
        size: What was varied.
        command: "classify" or "predict".
        seconds: Wall time from process start to the end.
        rss_mib: Peak resident memory of its largest process.
    """

    size: int
    command: str
    seconds: float
    rss_mib: float


class Scenes:
    """Scenes and shots in a folder.

    Args:
        folder: Existing folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        pines = load_indian_pines()
        self.cube = pines.cube.astype(np.float32)
        self.centres_nm = np.asarray(pines.centres_nm, np.float64)
        self.generator = np.random.default_rng(0)

    def scene(self, bands: int = BANDS) -> Path:
        """The scene with so many bands, evenly spaced over its range."""
        path = self.folder / f"bands_{bands}.tif"
        if path.exists():
            return path
        cube, centres_nm = self.cube, self._centres_nm(bands)
        if bands != len(cube):
            cube = _interpolated(cube, self.centres_nm, centres_nm)
        write(path, cube, centres_nm)
        return path

    def repeated(self, pixels: int, bands: int = BANDS) -> Path:
        """A mosaic (VRT) of copies of the scene, with about so many pixels."""
        source, (height, width) = self.scene(bands), self.cube.shape[1:]
        side_px = round(pixels**0.5)
        # A VRT of VRTs: with a source for each copy it would be too large.
        if side_px > BLOCK * max(height, width):
            block = self.folder / f"block_{bands}.vrt"
            height, width = BLOCK * height, BLOCK * width
            self._write_mosaic(block, source, self.cube.shape[1:], (height, width), bands)
            source = block
        path = self.folder / f"pixels_{pixels}_{bands}.vrt"
        self._write_mosaic(path, source, (height, width), (side_px, side_px), bands)
        return path

    def _write_mosaic(
        self, path: Path, source: Path, of_source: Sequence[int], size_px: Sequence[int], bands: int
    ) -> None:
        """Write a VRT of (rows, columns) `size_px` that repeats a source of (rows, columns) `of_source`."""
        (height, width), (rows_px, cols_px) = of_source, size_px
        texts = [
            f'<VRTDataset rasterXSize="{cols_px}" rasterYSize="{rows_px}"><SRS>{CRS}</SRS>',
            f"<GeoTransform>{LEFT}, {RESOLUTION_M}, 0, {TOP}, 0, {-RESOLUTION_M}</GeoTransform>",
        ]
        for band, centre_nm in enumerate(self._centres_nm(bands), start=1):
            texts.append(
                f'<VRTRasterBand dataType="Int16" band="{band}"><Metadata>'
                f'<MDI key="wavelength">{centre_nm:.3f}</MDI>'
                f'<MDI key="wavelength_units">nm</MDI></Metadata>'
            )
            for top in range(0, rows_px, height):
                for left in range(0, cols_px, width):
                    x, y = min(width, cols_px - left), min(height, rows_px - top)
                    texts.append(
                        f"<SimpleSource><SourceFilename>{source}</SourceFilename><SourceBand>{band}</SourceBand>"
                        f'<SrcRect xOff="0" yOff="0" xSize="{x}" ySize="{y}"/>'
                        f'<DstRect xOff="{left}" yOff="{top}" xSize="{x}" ySize="{y}"/></SimpleSource>'
                    )
            texts.append("</VRTRasterBand>")
        path.write_text("".join([*texts, "</VRTDataset>"]))

    def _centres_nm(self, bands: int) -> Float64Array:
        if bands == len(self.cube):
            return self.centres_nm
        return np.linspace(self.centres_nm[0], self.centres_nm[-1], bands)

    def shots(self, classes: int = CLASSES, of_class: int = POINTS) -> Path:
        """Points at random pixels of each class that k-means finds."""
        path = self.folder / f"shots_{classes}_{of_class}.gpkg"
        if path.exists():
            return path
        labels = self._clusters(classes)
        chosen = [
            self.generator.choice(members, min(of_class, len(members)), replace=False)
            for members in (np.flatnonzero(labels == c) for c in range(classes))
        ]
        rows, cols = np.divmod(np.concatenate(chosen), self.cube.shape[2])
        points = shapely.points(
            LEFT + (cols + 0.5) * RESOLUTION_M, TOP - (rows + 0.5) * RESOLUTION_M
        )
        names = [f"class {c:02d}" for c, part in enumerate(chosen) for _ in part]
        gpd.GeoDataFrame({"class": names}, geometry=points, crs=CRS).to_file(path)
        return path

    def _clusters(self, classes: int) -> IntArray:
        spectra = self.cube.reshape(len(self.cube), -1).T
        found = MiniBatchKMeans(classes, random_state=0, n_init=3).fit_predict(spectra)
        return np.asarray(found, np.int64)

    def tiles(self, side_px: int, count: int) -> Path:
        """A folder of square tiles side by side, cut from a mosaic of copies of the scene at random places."""
        folder = self.folder / f"tiles_{side_px}"
        folder.mkdir()
        height, width = self.cube.shape[1:]
        for number in range(count):
            row, col = self.generator.integers(height), self.generator.integers(width)
            rows, cols = (first + np.arange(side_px) for first in (row, col))
            part = self.cube[:, rows % height][:, :, cols % width]
            name = folder / f"tile_{number:04d}.tif"
            write(name, part, self.centres_nm, divmod(number, TILES_IN_ROW))
        return folder

    def joined(self, tiles: Sequence[Path], side_px: int) -> Path:
        """One file with the pixels of tiles that `tiles` wrote, stored as they are."""
        path, (rows, cols) = (
            self.folder / f"joined_{side_px}.tif",
            np.divmod(len(tiles) - 1, TILES_IN_ROW),
        )
        width = TILES_IN_ROW if rows else cols + 1
        with new_file(path, self.centres_nm, ((rows + 1) * side_px, width * side_px)) as file:
            for number, tile in enumerate(tiles):
                row, col = divmod(number, TILES_IN_ROW)
                with rasterio.open(tile) as source:
                    file.write(
                        source.read(), window=Window(col * side_px, row * side_px, side_px, side_px)
                    )
        return path


def _interpolated(
    cube: Float32Array, centres_nm: Float64Array, wanted_nm: Float64Array
) -> Float32Array:
    """(C, H, W) to (C', H, W) values, linear in the wavelength."""
    order = np.argsort(centres_nm)
    at = np.clip(np.searchsorted(centres_nm[order], wanted_nm), 1, len(order) - 1)
    below, above = order[at - 1], order[at]
    share = (wanted_nm - centres_nm[below]) / (centres_nm[above] - centres_nm[below])
    weight = share.astype(np.float32)[:, None, None]
    return np.asarray(cube[below] * (1 - weight) + cube[above] * weight, np.float32)


@contextlib.contextmanager
def new_file(
    path: Path, centres_nm: Float64Array, size_px: tuple[int, int], tile: tuple[int, int] = (0, 0)
) -> Iterator[DatasetWriter]:
    """A GeoTIFF of (rows, columns) `size_px` with wavelengths, at a place that a tile's row and column give."""
    height, width = size_px
    corner = Affine.translation(
        LEFT + tile[1] * width * RESOLUTION_M, TOP - tile[0] * height * RESOLUTION_M
    )
    with rasterio.open(
        path, "w", driver="GTiff", count=len(centres_nm), height=height, width=width, dtype="int16",
        crs=CRS, transform=corner @ Affine.scale(RESOLUTION_M, -RESOLUTION_M), compress="deflate", tiled=True,
        blockxsize=64, blockysize=64, bigtiff="if_safer",
    ) as file:  # fmt: skip
        for band, centre_nm in enumerate(centres_nm, start=1):
            file.update_tags(band, wavelength=f"{centre_nm:.3f}", wavelength_units="nm")
        yield file


def write(
    path: Path, cube: Float32Array, centres_nm: Float64Array, tile: tuple[int, int] = (0, 0)
) -> None:
    """Write a cube to a new file; see `new_file`."""
    with new_file(path, centres_nm, cube.shape[1:], tile) as file:
        file.write(cube.round().astype(np.int16))


def run(*arguments: str | Path) -> tuple[float, float]:
    """Run a command of hsi-geo; wall seconds, and peak memory in MiB of the largest of its processes."""
    machine.require_quiet()
    started = time.perf_counter()
    process = psutil.Popen(
        [sys.executable, "-m", "hsi_geo", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    largest = 0
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            family = [process, *process.children(recursive=True)]
            largest = max(largest, *(one.memory_info().rss for one in family))
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(POLL_S)
    seconds = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"failed: {' '.join(map(str, arguments))}")
    return seconds, largest / 2**20


def classify(folder: Path, scene: Path, shots: Path) -> tuple[float, float]:
    """Time of `classify`."""
    return run("classify", scene, "--shots", shots, "-o", folder / "map.tif", "--overwrite")


def predict(folder: Path, scene: Path, model: Path) -> tuple[float, float]:
    """Time of `predict`."""
    return run("predict", scene, "--model", model, "-o", folder / "map.tif", "--overwrite")


def adapt(folder: Path, scene: Path, shots: Path) -> Path:
    """A model, in a time that is not measured."""
    path = folder / "model.safetensors"
    run("adapt", scene, "--shots", shots, "-o", path, "--overwrite")
    return path


def measure(scenes: Scenes, powers: Sequence[int]) -> dict[str, list[Job]]:
    """All jobs, by what grows."""
    folder, found = (
        scenes.folder,
        {name: list[Job]() for name in ("pixels", "bands", "shots", "classes")},
    )

    def add_job(what: str, job: Job) -> None:
        found[what].append(job)
        print(f"{what} {job.size}: {job.command} {job.seconds:.1f} s", file=sys.stderr)

    def add(
        what: str, size: int, scene: Path, shots: Path, *, learnt: bool = True, mapped: bool = True
    ) -> None:
        if learnt:
            add_job(what, Job(size, "classify", *classify(folder, scene, shots)))
        if mapped:
            model = adapt(folder, scenes.scene() if what == "pixels" else scene, shots)
            add_job(what, Job(size, "predict", *predict(folder, scene, model)))

    for power in powers:
        learnt = power < ONLY_PREDICT
        add("pixels", 10**power, scenes.repeated(10**power), scenes.shots(), learnt=learnt)
    for bands in (30, 100, 200, 430):
        add("bands", bands, scenes.scene(bands), scenes.shots())
    for of_class in (1, 10, 100, 1000):
        add(
            "shots",
            of_class * CLASSES,
            scenes.scene(),
            scenes.shots(of_class=of_class),
            mapped=False,
        )
    for classes in (2, 10, 30, 60):
        add("classes", classes, scenes.scene(), scenes.shots(classes))
    return found


def show(found: dict[str, list[Job]]) -> None:
    """Print a table."""
    print(
        "| what grows | size | command | seconds | microseconds a unit | peak RSS, MiB |\n|---|---|---|---|---|---|"
    )
    for what, jobs in found.items():
        for job in jobs:
            each = 1e6 * job.seconds / job.size
            print(
                f"| {what} | {job.size:,} | {job.command} | {job.seconds:.1f} | {each:.3g} | {job.rss_mib:.0f} |"
            )


def show_batches(scenes: Scenes, batches: Sequence[tuple[int, int]]) -> None:
    """Print times of batches of tiles (side in pixels, number), and of one scene with the same pixels."""
    folder = scenes.folder
    model = adapt(folder, scenes.scene(), scenes.shots())
    print(
        "\n| job | seconds | milliseconds a tile | times one scene | peak RSS, MiB |\n|---|---|---|---|---|"
    )
    for side_px, count in batches:
        tiles = sorted(scenes.tiles(side_px, count).iterdir())
        scene = scenes.joined(tiles, side_px)
        one, one_mib = predict(folder, scene, model)
        scene.unlink()

        def show(job: str, seconds: float, mib: float, count: int, one: float | None = one) -> None:
            times = "" if one is None else f"{seconds / one:.2f}"
            print(f"| {job} | {seconds:.1f} | {1e3 * seconds / count:.0f} | {times} | {mib:.0f} |")

        size = f"tiles of {side_px} x {side_px}"
        show(f"predict of one scene, the pixels of {count} {size}", one, one_mib, count)
        half = count // 2
        for part, more in ((half, ()), (count, ()), (count, ("--no-halo",))):
            out = folder / f"maps_{side_px}_{part}{''.join(more)}"
            seconds, mib = run("batch", *tiles[:part], "--model", model, "-o", out, *more)
            name = f"batch of {part} {size}{', without their neighbours' if more else ''}"
            show(name, seconds, mib, part, one if part == count else None)
        shutil.rmtree(tiles[0].parent)


def plot(found: dict[str, list[Job]], path: Path) -> None:
    """A panel for each thing that grows."""
    mpl.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, panels = plt.subplots(
        1, len(found), figsize=(3.2 * len(found), 3), layout="constrained"
    )
    for panel, (what, jobs) in zip(panels, found.items(), strict=True):
        for command in ("classify", "predict"):
            own = [job for job in jobs if job.command == command]
            if own:
                panel.loglog(
                    [job.size for job in own], [job.seconds for job in own], "o-", label=command
                )
        panel.set(xlabel=what, ylabel="seconds")
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_minor_formatter(NullFormatter())  # labels of a short axis would overlap
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        panel.yaxis.set_major_formatter("{x:g}")
        sizes = sorted({job.size for job in jobs})
        panel.set_xticks(sizes, [_tick(size) for size in sizes], fontsize="small")
        panel.grid(alpha=0.3)
        panel.legend()
    figure.savefig(path, dpi=110)


def _tick(size: int) -> str:
    """A number; a power of ten where it would be long."""
    power = len(str(size)) - 1
    return f"$10^{power}$" if size == 10**power and power > 3 else f"{size:,}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", default="4,5,6,7,8", help="powers of ten of the pixels")
    parser.add_argument("--tiles", default="64:300,128:300,256:60", help="side in pixels:number")
    parser.add_argument("--only", choices=("sizes", "batches"), help="one of the two parts")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--full", action="store_true", help="use all instructions, not only AVX2")
    options = parser.parse_args()
    if not options.full:
        machine.limit_instructions()
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as name:
        scenes = Scenes(Path(name))
        if options.only != "batches":
            found = measure(scenes, [int(power) for power in options.pixels.split(",")])
            show(found)
            if options.plot:
                plot(found, options.plot)
        if options.only != "sizes":
            batches = [side_and_number.split(":") for side_and_number in options.tiles.split(",")]
            show_batches(scenes, [(int(side), int(number)) for side, number in batches])
    print(f"\n{os.cpu_count()} cores; {machine.instructions()}.")


if __name__ == "__main__":
    main()
