"""Which files a VRT shows: not its pyramids, not itself, each opened once, and with which scales."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from builders import cube_of, nm_tags, physical, write_envi, write_tif
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from hsi_geo.errors import WavelengthError
from hsi_geo.io.readers import read_scene
from hsi_geo.io.scenes.scene import open_scene

CENTRES = (500.0, 600.0, 700.0, 900.0)
LINES = ("wavelength = {500, 600, 700, 900}", "wavelength units = Nanometers")
FACTOR = "reflectance scale factor = {}"


def mosaic(path: Path, files: Sequence[str], bands: int = 4) -> Path:
    """A VRT of files side by side."""
    text = ""
    for band in range(1, bands + 1):
        text += f'<VRTRasterBand dataType="Int16" band="{band}">'
        for column, file in enumerate(files):
            place = f'<DstRect xOff="{7 * column}" yOff="0" xSize="7" ySize="5"/>'
            text += (
                f'<SimpleSource><SourceFilename relativeToVRT="1">{file}</SourceFilename>'
                f'<SourceBand>{band}</SourceBand><SrcRect xOff="0" yOff="0" xSize="7" ySize="5"/>'
                f"{place}</SimpleSource>"
            )
        text += "</VRTRasterBand>"
    size = f'rasterXSize="{7 * len(files)}" rasterYSize="5"'
    path.write_text(f"<VRTDataset {size}>{text}</VRTDataset>")
    return path


def stack(path: Path, files: Sequence[str]) -> Path:
    """A VRT of a band of each file."""
    text = "".join(
        f'<VRTRasterBand dataType="Int16" band="{band}"><SimpleSource><SourceFilename relativeToVRT="1">'
        f"{file}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        for band, file in enumerate(files, start=1)
    )
    path.write_text(f'<VRTDataset rasterXSize="7" rasterYSize="5">{text}</VRTDataset>')
    return path


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("is_nested", [False, True])
def test_pyramids_of_a_vrt_are_none_of_its_files(tmp_path: Path, is_nested: bool) -> None:
    write_envi(tmp_path / "a.bsq", cube_of(4), *LINES, FACTOR.format(10_000))
    path = mosaic(tmp_path / "s.vrt", ["a.bsq"])
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2], Resampling.nearest)
    assert (tmp_path / "s.vrt.ovr").exists()
    if is_nested:
        path = mosaic(tmp_path / "outer.vrt", ["s.vrt"])
    scene = open_scene(path)
    assert scene["wavelength"].values.tolist() == list(CENTRES)
    np.testing.assert_allclose(physical(scene)[0], cube_of(4) / 1e4, rtol=1e-6)


@pytest.mark.parametrize(
    ("factors", "told"),
    [
        ([10_000, 10_000, 10_000], ""),
        ([10_000, 10_000, 100], "c.bsq"),
        ([10_000, None, 10_000], "b.bsq"),
        ([None, 10_000, None], "b.bsq"),
        ([None, None, None], ""),
    ],
    ids=["same", "third", "second without", "first without", "none"],
)
def test_files_of_a_mosaic_with_other_scales_than_the_first_are_told(
    tmp_path: Path, factors: list[int | None], told: str
) -> None:
    names = ["a.bsq", "b.bsq", "c.bsq"]
    for name, factor in zip(names, factors, strict=True):
        lists = LINES if factor is None else (*LINES, FACTOR.format(factor))
        write_envi(tmp_path / name, cube_of(4), *lists)
    file = read_scene(mosaic(tmp_path / "s.vrt", names))
    assert (file.scale == 1 / (factors[0] or 1)).all()
    assert [f"'a.bsq' and '{told}'" in text for text in file.warnings] == ([True] if told else [])


@pytest.mark.parametrize(
    ("lists", "told"),
    [
        (["500, 600, 700, 900}\nbbl = {1, 1, 0, 1", "500, 600, 700, 900"], True),
        (["500, 600, 700, 900}\nbbl = {1, 1, 1, 1", "500, 600, 700, 900"], False),
        (["500, 600, 700, 900", "500.2, 600, 700, 900"], False),
        (["500, 600, 700, 900", "0.5, 0.6, 0.7, 0.9"], False),
        (["500, 600, 700, 900", "510, 610, 710, 910"], True),
        (["500, 600, 700, 900", "900, 700, 600, 500"], True),
    ],
    ids=["other bad bands", "no bad bands", "rounded", "other unit", "shifted", "other order"],
)
@pytest.mark.parametrize("has_own", [False, True], ids=["of its files", "of its own"])
def test_files_of_a_mosaic_with_other_wavelengths_than_the_first_are_told(
    tmp_path: Path, lists: list[str], told: bool, has_own: bool
) -> None:
    for name, listed in zip("ab", lists, strict=True):
        write_envi(tmp_path / f"{name}.bsq", cube_of(4), f"wavelength = {{{listed}}}")
    path = mosaic(tmp_path / "s.vrt", ["a.bsq", "b.bsq"])
    if has_own:
        own = '<Metadata><MDI key="wavelength">{500, 600, 700, 900}</MDI></Metadata>'
        path.write_text(path.read_text().replace("<VRTRasterBand", f"{own}<VRTRasterBand", 1))
    scene = open_scene(path)
    assert scene["wavelength"].values.tolist() == [500, 600, 700, 900]
    found = ["'a.bsq' and 'b.bsq'" in text for text in scene.attrs.get("warnings", ())]
    assert found == ([True] if told and not has_own else [])


@pytest.mark.parametrize("make", [mosaic, stack])
@pytest.mark.parametrize("others", [["s.vrt"], ["other.vrt"]], ids=["itself", "each other"])
def test_vrts_that_name_themselves_have_no_wavelengths(
    tmp_path: Path, make: type, others: list[str]
) -> None:
    names = others * 2
    make(tmp_path / "s.vrt", names)
    make(tmp_path / "other.vrt", ["s.vrt"] * 2)
    with pytest.raises(WavelengthError, match="no wavelengths"):
        open_scene(tmp_path / "s.vrt")


def test_vrts_are_followed_into_each_other_to_a_depth(tmp_path: Path) -> None:
    write_envi(tmp_path / "0.bsq", cube_of(4), *LINES)
    inner = "0.bsq"
    for depth in range(1, 11):
        inner = mosaic(tmp_path / f"{depth}.vrt", [inner]).name
    assert open_scene(tmp_path / "8.vrt")["wavelength"].values.tolist() == list(CENTRES)
    with pytest.raises(WavelengthError, match="no wavelengths"):
        open_scene(tmp_path / "10.vrt")


def test_each_file_of_a_stack_is_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{band}.tif" for band in range(4)]
    for name, centre in zip(names, CENTRES, strict=True):
        write_tif(tmp_path / name, cube_of(1), band_tags=nm_tags([centre]))
    opened = Counter[str]()
    open_ = rasterio.open

    def counted(path: str) -> rasterio.DatasetReader:
        opened[Path(path).name] += 1
        return open_(path)

    monkeypatch.setattr("hsi_geo.io.readers.shown_files.rasterio.open", counted)
    scene = read_scene(stack(tmp_path / "s.vrt", names))
    assert scene.found is not None
    assert scene.found.centres.tolist() == list(CENTRES)
    assert opened == Counter(names)


@pytest.mark.parametrize(
    ("kind", "own", "expected"),
    [
        ("tags", (900.0, 700.0, 600.0, 500.0), (900.0, 700.0, 600.0, 500.0)),
        ("names", (550.0, 650.0, 750.0, 850.0), (550.0, 650.0, 750.0, 850.0)),
        ("imagery", (510.0, 610.0, 710.0, 910.0), (510.0, 610.0, 710.0, 910.0)),
        ("list", (510.0, 610.0, 710.0, 910.0), (510.0, 610.0, 710.0, 910.0)),
        ("tags", (500.4, 600.4, 700.4, 900.4), CENTRES),
        ("none", (), CENTRES),
    ],
    ids=["reversed", "names", "imagery", "list", "rounded", "none"],
)
def test_a_header_beside_a_raster_with_other_wavelengths_is_that_of_another_cube(
    tmp_path: Path, kind: str, own: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    write_envi(tmp_path / "a.bsq", cube_of(4), *LINES, FACTOR.format(10_000), "bbl = {1, 0, 1, 1}")
    path = write_tif(
        tmp_path / "a.tif",
        cube_of(4),
        tags={"wavelength": ",".join(map(str, own)), "wavelength_units": "nm"}
        if kind == "list"
        else {},
        band_tags=nm_tags(own) if kind == "tags" else (),
        names=[f"band {nm} nm" for nm in own] if kind == "names" else (),
        imagery=[{"CENTRAL_WAVELENGTH_UM": str(nm / 1000)} for nm in own]
        if kind == "imagery"
        else (),
    )
    file = read_scene(path)
    assert file.bands is not None
    assert file.bands.centres_nm.tolist() == pytest.approx(expected)
    is_of_it = expected == CENTRES
    assert file.bands.good.tolist() == ([True, False, True, True] if is_of_it else [True] * 4)
    assert file.scale.tolist() == [1e-4 if is_of_it else 1.0] * 4
    assert any("lists other wavelengths" in text for text in file.warnings) == (not is_of_it)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("wavelength = {500, 550, 600, 650, 700, 900}", "wavelength units = nm"), "wavelengths"),
        ((), "number of bands"),
    ],
    ids=["wavelengths", "none"],
)
def test_nothing_of_a_header_of_another_number_of_bands_is_used(
    tmp_path: Path, lines: tuple[str, ...], told: str
) -> None:
    rest = (FACTOR.format(10_000), "data ignore value = 5", "bbl = {1, 0, 1, 1}")
    write_envi(tmp_path / "a.bsq", cube_of(6), *lines, *rest)
    file = read_scene(write_tif(tmp_path / "a.tif", cube_of(4), band_tags=nm_tags(CENTRES)))
    assert file.bands is not None
    assert file.bands.centres_nm.tolist() == list(CENTRES)
    assert file.bands.good.all()
    assert file.scale.tolist() == [1.0] * 4
    assert np.isnan(file.nodata).all()
    assert [f"other {told}" in text or f"another {told}" in text for text in file.warnings] == [
        True
    ]


def test_a_header_of_another_number_of_bands_is_used_by_a_raster_without_wavelengths(
    tmp_path: Path,
) -> None:
    write_envi(tmp_path / "a.bsq", cube_of(6), FACTOR.format(10_000))
    file = read_scene(write_tif(tmp_path / "a.tif", cube_of(4)))
    assert file.scale.tolist() == [1e-4] * 4


ROUNDED = ["0.42", "0.43", "0.44", "0.45"]


@pytest.mark.parametrize("kind", ["names", "tags", "imagery", "list"])
@pytest.mark.parametrize(
    ("own", "is_of_it"),
    [
        (ROUNDED, True),
        (["0.42", "0.43", "0.44", "4.5E-1"], True),
        (["0.420", "0.430", "0.440", "0.450"], False),
        (ROUNDED[::-1], False),
        (["0.43", "0.44", "0.45", "0.46"], False),
    ],
    ids=["rounded", "exponent", "exact", "reversed", "other"],
)
def test_a_header_beside_a_raster_whose_wavelengths_are_rounded_is_its_own(
    tmp_path: Path, kind: str, own: list[str], is_of_it: bool
) -> None:
    exact = (424.1, 434.9, 435.0, 446.3)
    write_envi(
        tmp_path / "a.bsq",
        cube_of(4),
        f"wavelength = {{{', '.join(map(str, exact))}}}",
        "wavelength units = Nanometers",
        FACTOR.format(10_000),
    )
    unit = {"wavelength_units": "um"}
    path = write_tif(
        tmp_path / "a.tif",
        cube_of(4),
        tags={"wavelength": ",".join(own), **unit} if kind == "list" else {},
        band_tags=[{"wavelength": um, **unit} for um in own] if kind == "tags" else (),
        names=[f"band 7 ({um} um)" for um in own] if kind == "names" else (),
        imagery=[{"CENTRAL_WAVELENGTH_UM": um} for um in own] if kind == "imagery" else (),
    )
    file = read_scene(path)
    assert file.bands is not None
    expected = exact if is_of_it else [1000 * float(um) for um in own]
    assert file.bands.centres_nm.tolist() == pytest.approx(expected)
    assert file.scale.tolist() == [1e-4 if is_of_it else 1.0] * 4
    assert any("lists other wavelengths" in text for text in file.warnings) == (not is_of_it)


def test_a_vrt_of_another_order_has_the_bands_of_its_file_beside_the_header_of_that(
    tmp_path: Path,
) -> None:
    write_envi(tmp_path / "a.bsq", cube_of(4), *LINES, FACTOR.format(10_000), "bbl = {1, 0, 1, 1}")
    text = "".join(
        f'<VRTRasterBand dataType="Int16" band="{band}"><SimpleSource><SourceFilename relativeToVRT="1">a.bsq'
        f"</SourceFilename><SourceBand>{5 - band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3, 4)
    )
    path = tmp_path / "a.vrt"
    path.write_text(f'<VRTDataset rasterXSize="7" rasterYSize="5">{text}</VRTDataset>')
    file = read_scene(path)
    assert file.bands is not None
    assert file.bands.centres_nm.tolist() == [900.0, 700.0, 600.0, 500.0]
    assert file.bands.good.tolist() == [True, True, False, True]
    assert file.scale.tolist() == [1e-4] * 4


@pytest.mark.parametrize("is_warped", [False, True])
def test_an_alpha_band_that_gdal_made_is_no_band_of_the_files(
    tmp_path: Path, is_warped: bool
) -> None:
    write_envi(tmp_path / "a.bsq", cube_of(4), *LINES, FACTOR.format(10_000))
    path = tmp_path / "m.vrt"
    if is_warped:
        with (
            rasterio.open(tmp_path / "a.bsq") as file,
            WarpedVRT(file, crs="EPSG:32633", add_alpha=True) as warped,
        ):
            rasterio.shutil.copy(warped, path, driver="VRT")
    else:  # as gdalbuildvrt -addalpha writes it
        mosaic(path, ["a.bsq"])
        alpha = (
            '<VRTRasterBand dataType="Byte" band="5"><ColorInterp>Alpha</ColorInterp><ComplexSource>'
            '<SourceFilename relativeToVRT="1">a.bsq</SourceFilename><SourceBand>1</SourceBand>'
            '<SrcRect xOff="0" yOff="0" xSize="7" ySize="5"/><DstRect xOff="2" yOff="0" xSize="7" ySize="5"/>'
            "<ScaleOffset>255</ScaleOffset><ScaleRatio>0</ScaleRatio></ComplexSource></VRTRasterBand>"
        )
        text = path.read_text().replace("</VRTDataset>", f"{alpha}</VRTDataset>")
        path.write_text(text)
    file = read_scene(path)
    assert file.bands is not None
    assert file.bands.centres_nm.tolist() == list(CENTRES)
    assert file.scale.tolist() == [1e-4] * 4
    values = open_scene(path).hsi.physical().to_numpy()
    missing = 0 if is_warped else 2
    assert np.isnan(values).sum() == 4 * 5 * missing
    np.testing.assert_allclose(values[:, :, missing:], cube_of(4)[:, :, missing:] / 10_000)
