"""The Python blocks of the README and the Python guide run as they stand, in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pytest
import rasterio
from batch_cases import COLS, ROWS, cut
from installed_extras import needs

if TYPE_CHECKING:
    from planted import MakeScene

ROOT = Path(__file__).parents[1]

#: Number of blocks of each page; a page that gains one is tested with it.
PAGES = {"README.md": 1, "docs/python.md": 7, "docs/examples.md": 0}


def write_inputs(make_scene: MakeScene, folder: Path) -> None:
    """Files of the names in the pages: two scenes, one on another scale, tiles, labels, a reference."""
    scene, _ = make_scene(), make_scene("other.tif", seed=8)
    with rasterio.open(folder / "other.tif") as file:
        values, profile = file.read(), file.profile
        tags = [file.tags(band) for band in file.indexes]
    with rasterio.open(folder / "of_0_to_1.tif", "w", **{**profile, "dtype": "float32"}) as file:
        file.write(np.where(values == profile["nodata"], profile["nodata"], values * 1e-4))
        for band, own in enumerate(tags, start=1):
            file.update_tags(band, **own)
    cut(scene.path, folder / "tiles", ROWS, COLS)
    scene.shots(folder / "labels.gpkg")
    gpd.read_file(scene.shots(folder / "visited.gpkg", per_class=9)).to_file(
        folder / "visited.gpkg"
    )


@needs("datasets")
@needs("batch")
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.slow if "python.md" in page else ()) for page in PAGES],
)
@pytest.mark.slow
def test_blocks_run(
    page: str,
    make_scene: MakeScene,
    tmp_path: Path,
    scheduler: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL
    )
    assert len(blocks) == PAGES[page]
    write_inputs(make_scene, tmp_path)
    monkeypatch.chdir(tmp_path)
    # The only change: workers in this process, since a batch starts those of a script anew.
    here = [block.replace('"maps")', f'"maps", scheduler="{scheduler}")') for block in blocks]
    names: dict[str, Any] = {"__name__": "page"}
    for block in here:
        exec(compile(block, page, "exec"), names)  # noqa: S102
    if page == "docs/python.md":
        assert len(list((tmp_path / "maps").glob("*.tif"))) >= 6
        assert names["batch_of_windows"]["mask"].max() >= 0
        assert (tmp_path / "land_cover.png").stat().st_size > 5000
        plt.close("all")
