"""Any STAC item or collection gives a result or an `HsiGeoError`, and never another exception."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders import cube_of, write_tif
from fuzzing import fuzz, open_and_check, result_or_error
from hypothesis import given
from hypothesis import strategies as st

from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.tile_list import list_tiles

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["center_wavelength", "full_width_half_max", "wavelength", "bbl", "x"]),
            inner,
        ),
    ),
    max_leaves=12,
)


@fuzz
@given(bands=JSON, envi=JSON, cut=st.integers(0, 3))
def test_any_stac_item_beside_a_geotiff(tmp_path: Path, bands: Any, envi: Any, cut: int) -> None:
    path = tmp_path / "a.tif"
    if not path.exists():
        write_tif(path, cube_of(3))
    item = json.dumps({"properties": {"eo:bands": bands, "envi:metadata": envi}})
    path.with_suffix(".stac.json").write_text(item[: len(item) - cut])
    result_or_error(lambda: open_and_check(path))


ASSET = st.sampled_from(
    [
        *("href", "roles", "title", "eo:bands", "bands", "raster:bands", "nodata", "raster:scale"),
        *("classification:bitfields", "classification:classes", "name", "offset", "length"),
        *("value", "center_wavelength", "scale"),
    ]
)
PARTS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.floats(),
        st.integers(),
        st.sampled_from(
            ["a.tif", "m.tif", "..", "cloud", "data-mask", "\x00", "http://127.0.0.1:9/a"]
        ),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(ASSET, inner)),
    max_leaves=16,
)


@fuzz
@given(image=PARTS, mask=st.dictionaries(ASSET, PARTS), beside=st.booleans())
@pytest.mark.slow
def test_any_assets_of_a_stac_item(tmp_path: Path, image: Any, mask: Any, beside: bool) -> None:
    if not (tmp_path / "a.tif").exists():
        write_tif(tmp_path / "a.tif", cube_of(3))
        write_tif(tmp_path / "m.tif", cube_of(1).astype("uint8"))
    assets = {"data": {"href": "a.tif", "eo:bands": image}, "mask": {"href": "m.tif", **mask}}
    item = {"properties": {"platform": image}, "assets": assets}
    path = tmp_path / "item.json"
    path.write_text(json.dumps(item))
    result_or_error(lambda: open_and_check(tmp_path / "a.tif" if beside else path, "400:900"))


@fuzz
@given(
    content=st.dictionaries(
        st.sampled_from(["type", "features", "links", "properties", "assets", "id"]),
        st.one_of(
            PARTS, st.sampled_from(["FeatureCollection", "Feature", "Collection", "Catalog"])
        ),
    ),
    features=st.lists(st.dictionaries(st.sampled_from(["id", "properties", "assets"]), PARTS)),
    member=st.sampled_from(["", "#", "#a", "#None"]),
)
@pytest.mark.slow
def test_any_items_of_a_collection(
    tmp_path: Path, content: Any, features: list[Any], member: str
) -> None:
    path = tmp_path / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **content}))
    result_or_error(lambda: open_scene(f"{path}{member}", wavelengths="400:900"))
    result_or_error(lambda: list_tiles([path], lambda _: None))
