"""Small EnMAP and DESIS products, with the files of the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from builders import cube_of, write_tif

from hsi_geo.arrays import AnyArray

ENMAP = "ENMAP01-____L2A-DT0000001280_20220627T104548Z_001_V010111_20221015T100000Z"
DESIS = "DESIS-HSI-L2A-DT0483531728_001-20200628T153803-V0210"

#: VNIR ends at 993 nm and SWIR begins at 902 nm, as on the satellite; the last band is dead.
CENTRES = (911.0, 942.0, 993.0, 902.0, 951.0, 1400.0, 2200.0)
FWHM = (7.0, 7.5, 8.0, 11.0, 11.5, 11.0, 9.0)
GAINS = (1e-4, 2e-4, 1e-4, 1e-4, 1e-4, 1e-4, 1e-4)
NODATA = -32768


def stored() -> AnyArray:
    cube = cube_of(7) * 10
    cube[:, 1, 2] = NODATA
    cube[6] = NODATA
    return cube


def enmap_xml(centres: Sequence[float] = CENTRES) -> str:
    bands = "".join(
        f"""<bandID number="{i}"><wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand>
        <FWHMOfBand>{width}</FWHMOfBand><GainOfBand>{gain}</GainOfBand>
        <OffsetOfBand>0.5</OffsetOfBand></bandID>"""
        for i, (nm, width, gain) in enumerate(zip(centres, FWHM, GAINS, strict=False), 1)
    )
    statistics = "".join(
        f"""<bandID number="{i}"><mean>{mean}</mean><stdDeviation>{deviation}</stdDeviation>
        </bandID>"""
        for i, (mean, deviation) in enumerate([(3000, 40)] * 6 + [(-1000000, 0)], 1)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
    <level_X xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><product>
    <bandStatistics>{statistics}</bandStatistics></product><specific>
    <bandCharacterisation>{bands}</bandCharacterisation>
    <vnirProductQuality><expectedChannelsList>1,2,3</expectedChannelsList></vnirProductQuality>
    <swirProductQuality><expectedChannelsList>4,5,6,7</expectedChannelsList></swirProductQuality>
    </specific></level_X>"""


def desis_xml() -> str:
    bands = "".join(
        f"""<band><bandNumber>{i}</bandNumber>
        <wavelengthWidthOfBand>{width}</wavelengthWidthOfBand>
        <response>0.1,0.9,0.1</response><wavelengths>{nm - 1},{nm},{nm + 1}</wavelengths>
        <wavelengthCenterOfBand>{nm}</wavelengthCenterOfBand>
        <gainOfBand>{gain}</gainOfBand><offsetOfBand>0.5</offsetOfBand></band>"""
        for i, (nm, width, gain) in enumerate(zip(CENTRES, FWHM, GAINS, strict=True), 1)
    )
    geometry = "<band><bandNumber>1</bandNumber></band>" * 7
    return f"""<hsi_doc><specific><interiorOrientation>{geometry}</interiorOrientation>
    <bandCharacterisation>{bands}</bandCharacterisation></specific></hsi_doc>"""


def write_enmap(folder: Path, xml: str | None = None, name: str = ENMAP) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_tif(folder / f"{name}-SPECTRAL_IMAGE.TIF", stored(), nodata=NODATA)
    (folder / f"{name}-METADATA.XML").write_text(enmap_xml() if xml is None else xml)
    cloud = np.zeros((1, 5, 7), "uint8")
    cloud[0, :2] = 1
    write_tif(folder / f"{name}-QL_QUALITY_CLOUD.TIF", cloud)
    write_tif(folder / f"{name}-QL_PIXELMASK.TIF", np.zeros((7, 5, 7), "uint8"))
    return folder


def write_neon(path: Path) -> Path:
    """The groups and names of NEON's reflectance."""
    with h5py.File(path, "w") as file:
        group = file.create_group("SJER/Reflectance")
        data = group.create_dataset("Reflectance_Data", data=stored().transpose(1, 2, 0))
        data.attrs["Data_Ignore_Value"], data.attrs["Scale_Factor"] = -9999.0, 1e4
        group.attrs["Band_Window_1_Nanometers"] = np.array([1340.0, 1445.0])
        metadata = group.create_group("Metadata")
        metadata["Spectral_Data/Wavelength"] = np.linspace(400.0, 2400.0, 7)
        metadata["Spectral_Data/FWHM"] = np.full(7, 6.0)
        metadata["Coordinate_System/Map_Info"] = (
            b"UTM, 1, 1, 257957.6, 4110508.8, 1.0, 2.0, 11, North, WGS-84"
        )
        metadata["Coordinate_System/EPSG Code"] = b"32611"
        metadata["Ancillary_Imagery/Haze_Cloud_Water_Map"] = np.full((5, 7), 5, "uint8")
    return path


def write_prisma_l2d(path: Path) -> Path:
    """The groups and names of PRISMA L2D."""
    with h5py.File(path, "w") as file:
        for part, bands in (("Vnir", stored()[:4]), ("Swir", stored()[4:])):
            centres = np.linspace(400.0, 900.0, len(bands)) + (900.0 if part == "Swir" else 0.0)
            file.attrs[f"List_Cw_{part}"], file.attrs[f"List_Fwhm_{part}"] = centres, centres / 90
            file.attrs[f"L2Scale{part}Min"], file.attrs[f"L2Scale{part}Max"] = 0.0, 1.0
            name = f"HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/{part.upper()}_Cube"
            file[name] = np.abs(bands).astype("uint16").transpose(1, 0, 2)
        for name, east, north in (
            ("UL", 600015, 5000165),
            ("UR", 600195, 5000165),
            ("LL", 600015, 5000045),
            ("LR", 600195, 5000045),
        ):
            file.attrs[f"Product_{name}corner_easting"] = float(east)
            file.attrs[f"Product_{name}corner_northing"] = float(north)
        file.attrs["Epsg_Code"] = 32632
    return path


def write_desis(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_tif(folder / f"{DESIS}-SPECTRAL_IMAGE.tif", stored())
    (folder / f"{DESIS}-METADATA.xml").write_text(desis_xml())
    flags = np.zeros((10, 5, 7), "uint8")
    flags[2, 0] = 1
    write_tif(folder / f"{DESIS}-QL_QUALITY-2.tif", flags)
    return folder
