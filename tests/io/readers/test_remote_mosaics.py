"""Remote files that name other files: mosaics are read if the user allows it, and nothing of this machine."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from builders import check_travels
from remote_cases import Served, scene

from hsi_geo import open_scene
from hsi_geo.errors import HsiGeoError, SceneError

pytest.importorskip("aiohttp", reason="needs the extra remote")

REFERRING = {
    "VRT": '<VRTDataset rasterXSize="7" rasterYSize="5"><VRTRasterBand dataType="Int16" band="1"><SimpleSource>'
    "<SourceFilename>{target}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>",
    "WMS": "<GDAL_WMS><Service name='TMS'><ServerUrl>{target}</ServerUrl></Service></GDAL_WMS>",
}


@pytest.mark.parametrize("kind", REFERRING)
@pytest.mark.parametrize("name", ["a.vrt", "a.tif"])
def test_remote_files_name_no_other_files(served: Served, kind: str, name: str) -> None:
    scene(served.folder / "secret.tif")
    target = f"/vsicurl/{served.url}/fine/secret.tif"
    (served.folder / name).write_text(REFERRING[kind].format(target=target))
    with pytest.raises(HsiGeoError):
        open_scene(f"{served.url}/fine/{name}", wavelengths="index").load()
    assert not any("secret" in line for line in served.requests())


VRT = (
    '<VRTDataset rasterXSize="7" rasterYSize="5"><SRS>EPSG:32633</SRS><GeoTransform>5e5,30,0,4e6,0,-30'
    "</GeoTransform>{bands}</VRTDataset>"
)
BAND = (
    '<VRTRasterBand dataType="Int16" band="{band}"><SimpleSource><SourceFilename relativeToVRT="{relative}">{name}'
    "</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
)


def vrt(name: str, relative: int = 0) -> str:
    bands = [BAND.format(band=band, relative=relative, name=name) for band in (1, 2, 3)]
    return VRT.format(bands="".join(bands))


@pytest.mark.parametrize(
    ("name", "relative"),
    [("a.tif", 1), ("a.tif", 0), ("{same}/a.tif", 0), ("/vsicurl/{other}/a.tif", 0)],
)
def test_a_remote_mosaic_is_read_with_leave(served: Served, name: str, relative: int) -> None:
    """Names are those of files beside it, or whole links."""
    local = scene(served.folder / "a.tif")
    same = f"{served.url}/fine"
    named = name.format(same=same, other=same.replace("127.0.0.1", "localhost"))
    (served.folder / "a.vrt").write_text(vrt(named, relative))
    found = open_scene(f"{same}/a.vrt", wavelengths="450:660", follow_links=True)
    with rasterio.open(local) as file:
        np.testing.assert_array_equal(found.values, file.read())
    assert found.attrs["source"] == f"{same}/a.vrt"
    check_travels(found, forks=False)
    with pytest.raises(SceneError, match=r"virtual raster .* allow it with follow_links=True"):
        open_scene(f"{same}/a.vrt", wavelengths="450:660")


def test_a_remote_mosaic_names_nothing_of_this_machine(served: Served) -> None:
    secret = scene(served.folder.parent / "secret.tif")
    scene(served.folder / "a.tif")
    (served.folder / "b.vrt").write_text(vrt("a.tif"))
    (served.folder / "b.tif").write_text(vrt(str(secret)))
    code = "<PixelFunctionLanguage>Python</PixelFunctionLanguage>"
    texts = {
        "path": vrt(str(secret)),
        "relative path": vrt(f"../{secret}", 1),
        "address of a file": vrt(f"file://{secret}"),
        "archive": vrt(f"/vsizip/{secret}/a.tif"),
        "subdataset": vrt(f"GTIFF_DIR:1:{secret}"),
        "text": vrt("&lt;VRTDataset/&gt;"),
        "mosaic": vrt("b.vrt"),
        "mosaic of another name": vrt("b.tif"),
        "code": vrt("a.tif").replace("<SimpleSource>", f"{code}<SimpleSource>", 1),
        "raw": vrt("a.tif").replace(
            "<VRTRasterBand ", '<VRTRasterBand subClass="VRTRawRasterBand" '
        ),
        "derived": vrt("a.tif").replace(
            "<VRTRasterBand ", '<VRTRasterBand subClass="VRTDerivedRasterBand" '
        ),
        "overview": vrt("a.tif").replace(
            "<SimpleSource>",
            f"<Overview><SourceFilename>{secret}</SourceFilename></Overview><SimpleSource>",
            1,
        ),
        "mask": vrt("a.tif").replace(
            "</VRTDataset>", f"<MaskBand><Dataset>{secret}</Dataset></MaskBand></VRTDataset>"
        ),
        "warped": vrt("a.tif").replace("<VRTDataset ", '<VRTDataset subClass="VRTWarpedDataset" '),
        "cut": vrt("a.tif")[:-20],
    }
    for kind, text in texts.items():
        (served.folder / "c.vrt").write_text(text)
        with pytest.raises(HsiGeoError) as caught:
            open_scene(f"{served.url}/fine/c.vrt", wavelengths="450:660", follow_links=True).load()
        assert caught.value.hint, kind
        assert "\n" not in str(caught.value), kind
