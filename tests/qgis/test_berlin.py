"""A person's way and a script's on the scene of Berlin, as users meet it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import rasterio

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def berlin_map(berlin: Path, call: Call) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Classify, as a script would call it."""
    out = berlin / "Karte ü.tif"
    shown = call(
        "hsi_geo:classify",
        INPUT=berlin / "EnMAP_BerlinUrbanGradient.bsq",
        LABELS=berlin / "LandCov_BerlinUrbanGradient.shp",
        CLASS_FIELD="Level_2",
        OUTPUT=out,
        CONFIDENCE=berlin / "sicher.tif",
        MODEL=berlin / "model.safetensors",
    )
    return out, shown


@pytest.mark.slow
def test_classify_berlin(
    berlin_map: tuple[Path, subprocess.CompletedProcess[str]], berlin: Path
) -> None:
    out, shown = berlin_map
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert f"OUTPUT:\t{out}" in shown.stdout
    assert "held-out pixels correct" in shown.stdout
    # Names and colours of the .qml beside the labels.
    style = out.with_suffix(".qml").read_text(encoding="utf-8")
    assert 'value="4" color="#e60000" label="Roof"' in style
    with rasterio.open(out) as file:
        assert file.shape == (80, 60)
        assert set(range(1, 7)) >= set(file.read(1).ravel().tolist()) - {0}
    assert (berlin / "sicher.tif").is_file()
    assert "singlebandpseudocolor" in (berlin / "sicher.qml").read_text(encoding="utf-8")
    assert not [*berlin.glob("*_confidence.tif"), *berlin.glob(".hsi-geo*"), *berlin.glob("*.part")]


@pytest.mark.slow
def test_apply_model_and_assess_berlin(
    berlin_map: tuple[Path, subprocess.CompletedProcess[str]], berlin: Path, call: Call
) -> None:
    again = berlin / "again.tif"
    shown = call(
        "hsi_geo:predict",
        INPUT=berlin / "EnMAP_BerlinUrbanGradient.bsq",
        MODEL=berlin / "model.safetensors",
        OUTPUT=again,
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert again.read_bytes() == berlin_map[0].read_bytes()
    shown = call(
        "hsi_geo:assess",
        INPUT=again,
        REFERENCE=berlin / "LandCov_BerlinUrbanGradient.shp",
        CLASS_FIELD="Level_2",
        OUTPUT=berlin / "numbers.json",
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    numbers = json.loads((berlin / "numbers.json").read_text(encoding="utf-8"))
    assert [score["name"] for score in numbers["scores"]][3] == "Roof"
    told = float(re.findall(r"OVERALL_ACCURACY:\t([\d.]+)", shown.stdout)[0])
    assert told == pytest.approx(100 * numbers["oa"]["value"])
    assert "was made from these labels" in shown.stdout + shown.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("program", "qgis_python")
@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs a virtual screen (xvfb)")
def test_pictures_of_the_desktop(data: Path, tmp_path: Path) -> None:
    """A person's way: toolbox, dialogs, Run, styled map with its legend."""
    berlin = data / "enmap_berlin"
    script = Path(__file__).parents[2] / "docs" / "measurements" / "qgis_screenshots.py"
    command = [
        sys.executable, script, berlin / "EnMAP_BerlinUrbanGradient.bsq",
        berlin / "LandCov_BerlinUrbanGradient.shp", "Level_2", tmp_path,
    ]  # fmt: skip
    subprocess.run([str(part) for part in command], check=True, timeout=280)
    for name in ("dialog", "open-scene", "result"):
        assert plt.imread(tmp_path / f"qgis-{name}.png").shape[:2] == (800, 1360)
    for name in ("toolbox", "environment"):
        assert plt.imread(tmp_path / f"qgis-{name}.png").std() > 0.05  # not one colour
    picture = plt.imread(tmp_path / "qgis-result.png")[..., :3]
    roofs = (np.abs(picture - np.array((230, 0, 0)) / 255) < 0.01).all(axis=-1)
    assert roofs[:, 500:].sum() > 1000  # roofs are red, in the label layer's own red
    assert roofs[:, :500].sum() > 50  # and the legend shows it
