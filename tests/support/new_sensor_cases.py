"""Small products of newer sensors, with the files and names of the real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from builders import cube_of, nm_tags, write_tif

from hsi_geo.arrays import AnyArray

WYVERN = "wyvern_dragonette-001_20240730T154919_12324bf7"
WYVERN_NM = (503.0, 570.0, 614.0, 799.0)

#: Pixels of Wyvern's masks.
CLOUDY, HAZY, SHADED = (0, 3), (2, 2), (4, 6)


def wyvern_item(**image: Any) -> dict[str, Any]:
    """A STAC item as Wyvern's catalogue has them: wavelengths and scale at the asset only."""
    bands = [
        {"name": f"Band_{nm:.0f}", "center_wavelength": nm / 1000, "full_width_half_max": 0.02}
        for nm in WYVERN_NM
    ]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": WYVERN,
        "properties": {"platform": "Dragonette-001", "constellation": "Dragonette"},
        "assets": {
            "Cloud optimized GeoTiff": {
                "href": f"https://wyvern.example/{WYVERN}/{WYVERN}.tiff",
                "roles": ["data"],
                "eo:bands": bands,
                "raster:bands": [{"scale": 1e-4, "offset": 0, "nodata": 65535} for _ in bands],
                **image,
            },
            "Data Mask": {
                "href": f"https://wyvern.example/{WYVERN}/{WYVERN}_data_mask.tiff",
                "roles": ["data-mask"],
            },
            "Thumbnail": {"href": "./thumbnail.png", "roles": ["thumbnail"]},
        },
    }


def wyvern_cube() -> AnyArray:
    cube = (cube_of(4) + 900).astype("uint16")
    cube[:, 3, 1] = 65535
    return cube


def write_wyvern(folder: Path, *, item: dict[str, Any] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = write_tif(folder / f"{WYVERN}.tiff", wyvern_cube())
    masks = np.zeros((4, 5, 7), "uint8")
    masks[0] = 1
    for band, place in ((1, CLOUDY), (2, HAZY), (3, SHADED)):
        masks[band][place], masks[0][place] = 1, 0
    masks[:, 3, 1] = 255
    write_tif(folder / f"{WYVERN}_data_mask.tiff", masks)
    (folder / f"{WYVERN}.json").write_text(json.dumps(wyvern_item() if item is None else item))
    return path


PIXXEL_NM = (480.5, 560.0, 660.5)


def write_pixxel(folder: Path) -> Path:
    """A scene with a header of ENVI, metadata and a mask of bits beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = write_tif(folder / "FF01_20250322_L2A.tif", (cube_of(3) * 9).astype("uint16"))
    (folder / "FF01_20250322_L2A.hdr").write_text(
        "ENVI\nsamples = 7\nlines = 5\nbands = 3\nwavelength units = Nanometers\n"
        f"wavelength = {{{', '.join(map(str, PIXXEL_NM))}}}\nfwhm = {{5, 6, 7}}\n"
    )
    bits = np.zeros((5, 7), "uint8")
    bits[CLOUDY], bits[SHADED], bits[1, 1] = 1, 6, 4  # shadow over water, and water
    write_tif(folder / "FF01_20250322_L2A.mask.tif", bits[None])
    (folder / "FF01_20250322_L2A.xml").write_text("<product/>")
    return path


HYPERION = "EO1H0140342013200110K0"
HYPERION_BANDS = (*range(6, 13), 56, 57, 58, 70, 71, 77, 80, 224, 225)


def write_hyperion(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in HYPERION_BANDS:
        name = f"{HYPERION}_B{number:03}_L1T.TIF"
        write_tif(folder / name, hyperion_band(number)[None])
    (folder / f"{HYPERION}_MTL_L1T.TXT").write_text("GROUP = L1_METADATA_FILE\n")
    write_tif(folder / f"{HYPERION}_BROWSE.TIF", np.ones((3, 5, 7), "uint8"))
    return folder


def hyperion_band(number: int) -> AnyArray:
    band: AnyArray = (cube_of(1)[0] + 10 * number).astype("int16")
    band[1, 2] = 0
    return band


def write_plain_bands(folder: Path) -> Path:
    """A band a file, with wavelengths as tags."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, tags in enumerate(nm_tags([880.0, 450.0, 660.0]), start=9):
        write_tif(folder / f"drone_band_{number}.tif", cube_of(12)[number][None], band_tags=[tags])
    return folder
