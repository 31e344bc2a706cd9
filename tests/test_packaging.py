"""The wheel is complete and works on its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_package_list_is_complete() -> None:
    """A subpackage missing from the list would silently be left out of the wheel."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(settings["tool"]["setuptools"]["packages"])
    folders = {
        ".".join(init.parent.relative_to(ROOT).parts)
        for init in (ROOT / "hsi_geo").rglob("__init__.py")
    }
    assert listed == folders | {"hsi_geo.cli"}


def test_cli_is_the_top_level_folder_only() -> None:
    """hsi_geo/cli would shadow the folder that is installed as hsi_geo.cli."""
    assert (ROOT / "cli" / "__init__.py").exists()
    assert not (ROOT / "hsi_geo" / "cli").exists()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_wheel_contains_the_library_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"hsi_geo"}
    assert "hsi_geo/py.typed" in names
    assert "hsi_geo/__init__.pyi" in names
    assert "hsi_geo/cli/classify.py" in names
    assert "hsi_geo/data/indian_pines_wavelengths.csv" in names
    assert "hsi_geo/data/report.html" in names
    assert "hsi_geo/data/s2former.safetensors" in names
    assert zipfile.ZipFile(wheel).getinfo("hsi_geo/data/s2former.safetensors").file_size < 8e6


def accuracies(text: str) -> dict[str, float]:
    """Overall accuracy by method, of the table that the demo prints."""
    rows = re.findall(r"^(\S+(?: \S+)*) +(\d+\.\d) +\d+\.\d +\d+\.\d$", text, re.MULTILINE)
    return {method: float(oa) for method, oa in rows}


@pytest.mark.slow
def test_wheel_runs_the_demo_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """Dependencies come from the running environment, the package only from the wheel."""
    home = tmp_path / "env"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    site = next((home / "lib").glob("python*/site-packages"))
    site_packages = next(Path(entry) for entry in sys.path if entry.endswith("site-packages"))
    # Plain paths only: the .pth file of our editable install must not come along.
    (site / "dependencies.pth").write_text(f"{site_packages}\n", encoding="utf-8")
    install = [str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True)
    where = subprocess.run(
        [str(python), "-I", "-c", "import hsi_geo, hsi_geo.cli; print(hsi_geo.cli.__file__)"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert str(site) in where.stdout
    demo = [str(home / "bin" / "hsi-geo"), "demo", "out", "--progress", "jsonl"]
    run = subprocess.run(demo, check=True, capture_output=True, text=True, cwd=tmp_path)
    expected = accuracies((ROOT / "docs" / "results" / "demo.txt").read_text(encoding="utf-8"))
    found = accuracies(run.stdout)
    assert found.keys() == expected.keys() == {"hsi-geo", "SVM", "random forest"}
    for method, oa in found.items():  # the README's figures; processors round differently
        assert oa == pytest.approx(expected[method], abs=1.5)
    result = json.loads(run.stderr.strip().splitlines()[-1])
    assert result["type"] == "result"
    assert all((tmp_path / path).is_file() for path in result["outputs"].values())
