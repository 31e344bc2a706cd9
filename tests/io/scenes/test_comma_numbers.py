"""Files of the option --wavelengths with a centre a line and commas in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import cube_of, write_tif

from hsi_geo.errors import OptionError
from hsi_geo.io.scenes.scene import open_scene


def centres(folder: Path, lines: list[str]) -> list[float]:
    (folder / "centres.txt").write_text("\n".join(lines))
    bands = sum(line[0].isdigit() or line[0] == "," for line in lines)
    scene = write_tif(folder / "a.tif", cube_of(bands))
    found = open_scene(scene, wavelengths=str(folder / "centres.txt"))["wavelength"]
    return [round(float(nm), 6) for nm in found]


@pytest.mark.parametrize("header", [[], ["wavelength"], ["# wavelength"]])
@pytest.mark.parametrize(
    ("lines", "nm"),
    [
        (["1,000", "1,048", "1,483"], [1000.0, 1048.0, 1483.0]),  # micrometres, or thousands
        (["0,950", "1,048", "2,4"], [950.0, 1048.0, 2400.0]),
        (["0,4505", "0,5515", "0,6405"], [450.5, 551.5, 640.5]),
        ([",45", ",55", ",64"], [450.0, 550.0, 640.0]),
        (["950", "980.5", "1,010", "1,040.5"], [950.0, 980.5, 1010.0, 1040.5]),
        (["450,5", "450,9", "451,3"], [450.5, 450.9, 451.3]),
        (["450.5,violet", "551.5,green"], [450.5, 551.5]),
    ],
)
def test_commas_are_read_as_what_gives_increasing_wavelengths(
    tmp_path: Path, header: list[str], lines: list[str], nm: list[float]
) -> None:
    assert centres(tmp_path, [*header, *lines]) == nm


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["462,6", "551,7", "640,8"], "'462,6', may be decimal signs or between two columns"),
        (
            ["1,462", "2,551.5", "3,640"],
            "'1,462', may be separators of thousands or after the number",
        ),
        (["2,4", "0,9", "1,2"], "may be decimal signs or separators of thousands or between two"),
    ],
)
def test_commas_that_may_mean_several_things_are_refused(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        centres(tmp_path, lines)


def test_a_stated_unit_chooses_the_reading(tmp_path: Path) -> None:
    (tmp_path / "centres.txt").write_text("wavelength_nm\n1,000\n1,048\n1,483\n")
    scene = open_scene(write_tif(tmp_path / "a.tif", cube_of(3)), wavelengths=str(tmp_path / "centres.txt"))  # fmt: skip
    np.testing.assert_allclose(scene["wavelength"], [1000.0, 1048.0, 1483.0])
    assert "warnings" not in scene.attrs
