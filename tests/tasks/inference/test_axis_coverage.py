"""Bands outside the wavelength axis of a network: refused if all are, else reported once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from builders import model_for, run
from hypothesis import example, given
from hypothesis import strategies as st
from installed_extras import needs

from hsi_geo import adapt, classify, predict
from hsi_geo.errors import WavelengthError
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import resample_to_axis
from hsi_geo.tasks.inference.axis_coverage import ignored_bands
from hsi_geo.wavelengths import make_bands

if TYPE_CHECKING:
    from planted import MakeScene, Planted, Recorder


# All bands outside ----------------------------------------------------------------------------


@pytest.mark.parametrize("centres", [[8000.0, 9000.0, 12000.0], [250.0], [2600.0, 4000.0]])
def test_resample_to_axis_refuses_bands_outside_the_axis(centres: list[float]) -> None:
    with pytest.raises(WavelengthError, match="350 to 2550 nm"):
        resample_to_axis(S2FormerConfig(), np.array(centres), np.full(len(centres), 900.0))


@example(near=349.0)
@given(near=st.floats(351.0, 2549.0))
def test_resample_to_axis_accepts_one_band_on_the_axis(near: float) -> None:
    given_nm = np.array([max(near, 351.0), 9000.0])
    found = resample_to_axis(S2FormerConfig(), given_nm, np.array([10.0, 300.0]))
    assert found.present.any()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "job", ["adapt", "predict", pytest.param("pretrain", marks=needs("pretrain"))]
)
def test_jobs_refuse_a_scene_outside_the_axis(
    make_scene: MakeScene, tmp_path: Path, job: str
) -> None:
    planted = make_scene(bands=9)
    shots = planted.shots(tmp_path / "shots.gpkg")
    model = model_for(planted.path)
    thermal = open_scene(planted.path, wavelengths="8000:12000")
    with pytest.raises(WavelengthError, match=r"cannot be used|covers 8000"):
        if job == "adapt":
            adapt(thermal, shots)
        elif job == "predict":
            predict(thermal, model, out=tmp_path / "map.tif")
        else:
            from hsi_geo import pretrain

            pretrain(thermal, tmp_path / "weights.safetensors", steps=2)
    assert not list(tmp_path.glob("*.safetensors*"))


# Some bands outside ---------------------------------------------------------------------------


@given(
    centres=st.lists(st.floats(250.0, 14_000.0), min_size=1, max_size=15, unique=True).map(
        np.array
    ),
    width=st.floats(1.0, 600.0),
)
def test_ignored_bands_have_no_weight_on_the_axis(centres: np.ndarray, width: float) -> None:
    centres[0] = 700.0
    bands = make_bands(centres, fwhm_nm=np.full(len(centres), width), source="a test")
    good = bands.good
    axis = resample_to_axis(S2FormerConfig(), centres[good], bands.fwhm_nm[good])
    unused = ~(axis.matrix.numpy() > 0).any(axis=0)
    np.testing.assert_array_equal(ignored_bands(S2FormerConfig(), bands)[good], unused)
    assert not ignored_bands(S2FormerConfig(), bands)[~good].any()


def with_thermal_bands(planted: Planted, folder: Path) -> str:
    """A file of wavelengths with the last three bands in the thermal infrared."""
    centres = [*planted.centres_nm[:-3], 8500.0, 9500.0, 11_000.0]
    path = folder / "centres.csv"
    path.write_text("wavelength_nm\n" + "\n".join(f"{centre:.3f}" for centre in centres))
    return str(path)


NOTE = (
    "3 of 12 good bands (8500 to 11000 nm) lie outside the wavelength axis of the network, 350 to "
    "2550 nm, and are ignored by it"
)


def test_info_notes_ignored_bands(make_scene: MakeScene, tmp_path: Path) -> None:
    planted = make_scene(bands=12)
    option = with_thermal_bands(planted, tmp_path)
    done = run("info", planted.path, "--wavelengths", option, "--json")
    assert json.loads(done.stdout)["scene"]["notes"] == [NOTE]
    assert json.loads(run("info", planted.path, "--json").stdout)["scene"]["notes"] == []


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("job", ["adapt", "classify", "predict"])
@pytest.mark.slow
def test_jobs_report_ignored_bands_once(
    make_scene: MakeScene, tmp_path: Path, recorder: Recorder, job: str
) -> None:
    planted = make_scene(bands=12)
    scene = open_scene(planted.path, wavelengths=with_thermal_bands(planted, tmp_path))
    shots = planted.shots(tmp_path / "shots.gpkg")
    if job == "adapt":
        adapt(scene, shots, reporter=recorder)
    elif job == "classify":
        classify(scene, shots, out=tmp_path / "map.tif", reporter=recorder)
    else:
        model = adapt(scene, shots)
        predict(scene, model, out=tmp_path / "map.tif", reporter=recorder)
    assert [log for log in recorder.logs if "wavelength axis" in log] == [
        f"scene '{planted.path}': {NOTE}"
    ]


def test_info_needs_no_torch() -> None:
    code = "import sys, hsi_geo.tasks.info; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
