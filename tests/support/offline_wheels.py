"""Wheels for tests of the set-up: of every package that hsi-geo needs, empty but for a way to the real ones."""

from __future__ import annotations

import base64
import hashlib
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

from hsi_geo_qgis.set_up_plan import EXTRAS
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def write_wheel(folder: Path, name: str, release: str, files: dict[str, str]) -> Path:
    """Write a wheel that pip installs, with its metadata and record."""
    stem = f"{name.replace('-', '_')}-{release}"
    info = f"{stem}.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for inside, text in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        rows.append(f"{inside},sha256={digest.decode()},{len(text.encode())}")
    content[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, text in content.items():
            wheel.writestr(inside, text)
    return path


def write_requirements(folder: Path) -> None:
    """Write a wheel for each requirement of hsi-geo in QGIS. One of them has a .pth file to this environment's packages."""
    folder.mkdir(parents=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    folders = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    way = {"installed_packages.pth": "".join(f"{path}\n" for path in folders)}
    extras = [text for name in EXTRAS for text in project["optional-dependencies"][name]]
    for text in [*project["dependencies"], *extras]:
        name = Requirement(text).name
        write_wheel(folder, name, version(name).split("+")[0], way)
        way = {}


def other_version(wheel: Path, folder: Path, release: str) -> Path:
    """The same wheel as another version."""
    old = wheel.name.split("-")[1]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / wheel.name.replace(old, release)
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("METADATA"):
                data = data.replace(f"\nVersion: {old}".encode(), f"\nVersion: {release}".encode())
            if name.endswith("RECORD"):  # pip does not compare the hashes of a local wheel's files
                data = data.replace(f"hsi_geo-{old}".encode(), f"hsi_geo-{release}".encode())
            target.writestr(name.replace(f"hsi_geo-{old}", f"hsi_geo-{release}"), data)
    return path
