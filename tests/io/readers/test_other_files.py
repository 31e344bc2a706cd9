"""Files of other kinds that are given as a scene: messages say what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from hsi_geo import open_scene
from hsi_geo.errors import SceneError

OTHERS = {
    "empty": ("a.tif", b"", "is empty"),
    "page": ("a.tif", b"\n<!DOCTYPE html><html><body>Log in</body></html>", "is a web page"),
    "page-with-mark": ("a.nc", b"\xef\xbb\xbf<html></html>", "is a web page"),
    "page-in-xml": ("a.tif", b'<?xml version="1.0"?>\n<html><body/></html>', "is a web page"),
    "page-in-xml-with-type": (
        "a.tif",
        b'<?xml version="1.0"?>\n<!-- a -->\n<!DOCTYPE html PUBLIC "x"><html/>',
        "is a web page",
    ),
    "stac-items": (
        "a.json",
        b'{"type": "FeatureCollection", "stac_version": "1.0.0", "features": []}',
        "is a list of STAC items",
    ),
    "stac-items-by-name": (
        "a.txt",
        b'{"features": [{"id": "' + 5000 * b"a" + b'", "stac_extensions": []}], "type": "x"}',
        "is a list of STAC items",
    ),
    "stac-item": (
        "a.json",
        b'{"type": "Feature", "stac_version": "1.0.0", "properties": {}}',
        "is a STAC item",
    ),
    "table": ("a.dbf", b"\x03" + bytes(64), "is the table of a shapefile"),
    "geopackage": ("a.gpkg", b"SQLite format 3\0" + bytes(84), "is a vector layer"),
    "shapefile": ("a.shp", b"\0\0\x27\x0a" + bytes(96), "is a vector layer"),
    "geojson": ("a.geojson", b'{"type": "FeatureCollection", "features": []}', "is a vector layer"),
    "model": ("a.safetensors", b'\x10\0\0\0\0\0\0\0{"__metadata__":{}}', "is a model"),
    "header": ("a.hdr", b"ENVI\nsamples = 3\n", "is the header of an ENVI cube"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_files_are_named(kind: str, tmp_path: Path) -> None:
    name, content, said = OTHERS[kind]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SceneError, match=rf"scene '.*{name}' {said}") as caught:
        open_scene(tmp_path / name)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "said"), [("a.json", "a.json#ID'"), ("a.tif", "end in .json; ")], ids=["json", "tif"]
)
def test_lists_of_stac_items_are_given_by_an_id_or_to_batch(
    name: str, said: str, tmp_path: Path
) -> None:
    content = '{"type": "FeatureCollection", "features": [], "stac_version": "1.0.0"}'
    (tmp_path / name).write_text(content)
    with pytest.raises(SceneError) as caught:
        open_scene(tmp_path / name)
    assert caught.value.hint is not None
    assert said in caught.value.hint
    assert "the list to batch" in caught.value.hint


@pytest.mark.parametrize("name", ["a.tif", "a.nc"])
def test_a_link_to_a_web_page_is_named(name: str, request: pytest.FixtureRequest) -> None:
    """As of a server that shows its page of login in place of the file."""
    pytest.importorskip("aiohttp", reason="needs the extra remote")
    served = request.getfixturevalue("served")
    (served.folder / name).write_bytes(b"<html><body>Log in</body></html>")
    with pytest.raises(SceneError, match="is a web page, and no raster"):
        open_scene(f"{served.url}/fine/{name}")


def test_a_damaged_raster_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0" + bytes(40))
    with pytest.raises(SceneError, match="is not a raster that GDAL can open"):
        open_scene(tmp_path / "a.tif")
