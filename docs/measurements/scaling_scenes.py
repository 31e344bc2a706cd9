"""Scenes of any number of pixels and bands, with shots and tiles, made from Indian Pines."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
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
