"""Adapt a model to several tiles, then map a folder of tiles.

Run it with `python examples/map_folder.py [FOLDER]`. It cuts Indian Pines into four tiles and adapts one
model to all of them; each shot goes to the tile it lies in. It maps the tiles in parallel on all cores, and
draws the index of all maps into FOLDER/map_folder.png. Tiles that have a map already are skipped, so the
script continues where it was stopped. There are no seams: windows at the edge of a tile read its neighbours.
"""

import sys
from pathlib import Path

import rasterio
import rasterio.windows

from hsi_geo import adapt, batch
from hsi_geo.tasks.demo import write_inputs
from hsi_geo.tasks.reporting.preview import draw_scene_and_map


def main(folder: Path) -> None:
    """Cut the scene, adapt a model, map the tiles, draw the maps."""
    scene_path, shots_path, _ = write_inputs(folder)
    tiles = cut(scene_path, folder / "tiles")

    model_path = folder / "tiles.safetensors"
    model = adapt(tiles, shots_path, out=model_path, overwrite=True)
    result = batch(tiles, model_path, folder / "maps")
    for tile, outcome in result.outcomes.items():
        print(f"{Path(tile).name}: {outcome.state}")

    picture = folder / "map_folder.png"
    index = result.outputs["index"]
    draw_scene_and_map(scene_path, index, model.classes, picture, title="Four tiles")
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
