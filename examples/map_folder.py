"""Learn from shots that lie in several tiles, then map a folder of them.

Run it with `python examples/map_folder.py [FOLDER]`. It cuts Indian Pines into four tiles, adapts one
model to all of them (each shot goes to the tile it lies in), maps tile by tile, and draws the maps
side by side into FOLDER/map_folder.png. Tiles that are mapped already are passed over, so that the
script goes on where it was stopped. The seams do not show: windows are anchored to the pixel grid
of the CRS, not to the corner of a file.
"""

import sys
from pathlib import Path

import rasterio
import rasterio.merge
import rasterio.windows

from hsi_geo import adapt, predict
from hsi_geo.tasks.demo import write_inputs
from hsi_geo.tasks.preview import draw_scene_and_map


def main(folder: Path) -> None:
    """Cut, adapt, map, put together."""
    scene_path, shots_path, _ = write_inputs(folder)
    tiles = cut(scene_path, folder / "tiles")

    model = adapt(tiles, shots_path, out=folder / "tiles.safetensors", overwrite=True)
    maps = folder / "maps"
    maps.mkdir(exist_ok=True)
    for tile in tiles:
        out = maps / tile.name
        if not out.exists():  # maps appear whole or not at all
            predict(tile, model, out=out)
        print(f"{tile.name}: {out}")

    with rasterio.open(maps / tiles[0].name) as first:
        colors = first.colormap(1)
    mosaic = folder / "map_folder.tif"
    rasterio.merge.merge([maps / tile.name for tile in tiles], dst_path=mosaic)
    with rasterio.open(mosaic, "r+") as file:
        file.write_colormap(1, colors)
    picture = folder / "map_folder.png"
    draw_scene_and_map(scene_path, mosaic, model.classes, picture, title="Four tiles")
    print(f"picture: {picture}")


def cut(scene_path: Path, folder: Path) -> list[Path]:
    """Four tiles of a scene, with its wavelengths."""
    folder.mkdir(exist_ok=True)
    tiles = []
    with rasterio.open(scene_path) as source:
        half_height, half_width = source.height // 2, source.width // 2
        for row in (0, half_height):
            for col in (0, half_width):
                height = half_height if row == 0 else source.height - half_height
                width = half_width if col == 0 else source.width - half_width
                window = rasterio.windows.Window(col, row, width, height)
                profile = {**source.profile, "height": height, "width": width}
                profile["transform"] = source.window_transform(window)
                tiles.append(folder / f"tile_{row}_{col}.tif")
                with rasterio.open(tiles[-1], "w", **profile) as target:
                    target.write(source.read(window=window))
                    for band in source.indexes:
                        target.update_tags(band, **source.tags(band))
    return tiles


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
