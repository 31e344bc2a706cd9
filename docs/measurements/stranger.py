"""The first hour of somebody who has never seen hsi-geo, from the clone to a map in QGIS.

    python docs/measurements/stranger.py DATA FOLDER [--only readme,qgis] [--leave-out 'make test']
        [--begin COMMAND] [--again] [--wheels FOLDER] [--torch cpu] [--make-torch cpu]

FOLDER gets a fresh clone with no environment. There, each command and each Python block of the README runs, from top to
bottom, with DATA's scenes where it says ``scene.tif`` and the like. Then QGIS starts with a fresh profile and
gets the ZIP of ``make plugin``. One click sets hsi-geo up. A product of EMIT and one of EnMAP are opened by *Open
scene*, points are drawn on them, and *Classify with few shots* maps them. A map must lie where its scene does, and show the
drawn classes and those of other pixels.

The script prints a table: each step, its seconds, and what it printed at last. Warnings are printed below. Logs and pictures stay in
FOLDER. The two products are made by `scene_products` from a real scene, since those of the missions may not
be passed on. ``--wheels``, ``--torch`` and ``--make-torch`` make the downloads smaller: without them hsi-geo is
installed as a user does it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import qgis_desktop
import rasterio
from rasterio.windows import Window
from scene_products import Source, read_source, write_emit, write_enmap

from hsi_geo import open_scene

ROOT = Path(__file__).resolve().parents[2]

#: Rows and columns of the two products.
EMIT_SWATH, ENMAP_SHAPE = (190, 170), (210, 190)

#: Shots of each class, and other pixels that the map is compared with.
SHOTS, OTHERS = 5, 400

#: Lines of output that a newcomer takes for a fault.
WARNING = re.compile(r"warning|deprecat|traceback|error", re.IGNORECASE)


@dataclass
class Diary:
    """What was done.

    Attributes:
        rows: Step, seconds, and what was found.
        warnings: Step and line.
        failures: What ended with an error.
    """

    rows: list[tuple[str, float, str]] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, step: str, seconds: float, found: str) -> None:
        """Add a row, and print it."""
        self.rows.append((step, seconds, found))
        print(f"{seconds:7.1f} s  {step}: {found}", flush=True)

    def listen(self, step: str, output: str) -> None:
        """Keep the lines that look like a warning."""
        self.warnings += [
            (step, line.strip()) for line in output.splitlines() if WARNING.search(line)
        ]

    def table(self) -> str:
        """All rows and warnings, in Markdown."""
        rows = [
            f"| `{step}` | {seconds:.0f} | {found.replace('|', '/')} |"
            for step, seconds, found in self.rows
        ]
        text = "\n".join(["| step | seconds | it said at last |", "|---|---|---|", *rows])
        warnings = [f"- `{step}`: {line}" for step, line in self.warnings] or ["- none"]
        load = f"{os.cpu_count()} cores; load average {os.getloadavg()[2]:.0f} at the end."
        return "\n".join([text, "", load, "", "Lines that look like a warning:", "", *warnings])


def main() -> None:
    """Do all of it, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="readme,qgis", help="parts, separated by commas")
    parser.add_argument("--begin", default="", help="the first command of the README that is run")
    parser.add_argument("--leave-out", action="append", default=[], help="a command of the README")
    parser.add_argument("--wheels", type=Path, help="folder of wheels for the set-up, not an index")
    parser.add_argument("--torch", default="", choices=("", "cpu", "default"))
    parser.add_argument(
        "--again", action="store_true", help="take the profile of the last run, set up as it is"
    )
    parser.add_argument("--make-torch", default="", help="TORCH of make")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    diary = Diary()
    person = newcomer(folder, options.make_torch)
    clone = folder / "hsi-geo"
    try:
        if not clone.exists():
            since = time.monotonic()
            subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
            diary.add("git clone", time.monotonic() - since, "")
        if "readme" in options.only:
            follow_readme(clone, options, person, diary)
        if "qgis" in options.only:
            in_qgis(clone, options, person, diary)
    finally:
        print(f"\n{diary.table()}")
        (folder / "diary.md").write_text(diary.table() + "\n", encoding="utf-8")
    if diary.failures:
        sys.exit("\n\n".join(diary.failures))


def newcomer(folder: Path, torch: str) -> dict[str, str]:
    """Environment variables of a person with an empty home and one new Python on the PATH."""
    home = folder / "home"
    (home / "bin").mkdir(parents=True, exist_ok=True)
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    link = home / "bin" / name
    if not link.exists():
        link.symlink_to(Path(sys.base_prefix) / "bin" / name)
    kept = {k: v for k, v in os.environ.items() if k.startswith("PIP_") or k.endswith("_proxy")}
    kept |= {"HOME": str(home), "PATH": f"{home}/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    return {**kept, **({"TORCH": torch} if torch else {})}


# The README ---------------------------------------------------------------------------------------


def commands_of(readme: str) -> Iterator[tuple[str, str]]:
    """("shell" or "python", text) of each command and block of a README, from top to bottom.

    Printed results are no commands. A row of the table of next steps gives its commands, or options to add to
    the first classify.

    Args:
        readme: Markdown.
    """
    text = re.sub(r"<!-- result.*?<!-- end -->", "", readme, flags=re.DOTALL)
    for part in re.split(r"(```python\n.*?```)", text.replace("\\\n", " "), flags=re.DOTALL):
        if part.startswith("```python"):
            yield "python", part.removeprefix("```python\n").removesuffix("```")
        else:
            yield from (("shell", command) for command in shell_commands(part))


def shell_commands(text: str) -> Iterator[str]:
    """Commands in indented lines and in the first table of next steps.

    Args:
        text: Markdown without results and Python blocks.
    """
    first = ""
    for line in text.splitlines():
        command = " ".join(line.split("#")[0].split())
        if line.startswith("    ") and command:
            first = first or (command if command.startswith("hsi-geo classify") else "")
            yield command
        elif line.startswith("|"):
            quoted = re.findall(r"`([^`]+)`", line)
            added = [part for part in quoted if part.startswith("--")]
            if added:
                yield f"{first} --overwrite {' '.join(added)}"
            yield from (part for part in quoted if part.startswith("hsi-geo "))


def follow_readme(clone: Path, options: Any, person: dict[str, str], diary: Diary) -> None:
    """Run the README's commands and blocks in the clone, with data under the names that it uses.

    Args:
        clone: The clone.
        options: Of the command line.
        person: Environment variables.
        diary: Gets a row a command.
    """
    put_data(clone, options.data)
    activated, begun = "", not options.begin
    for kind, text in commands_of((clone / "README.md").read_text(encoding="utf-8")):
        begun = begun or text.startswith(options.begin)
        if text in options.leave_out or not (begun or text.startswith("source ")):
            diary.add(text, 0.0, "left out")
            continue
        name = text
        if kind == "python":
            (clone / "block.py").write_text(text, encoding="utf-8")
            name, text = "python block", "python block.py"
        since = time.monotonic()
        done = subprocess.run(
            ["bash", "-e", "-c", f"{activated}{text}"], cwd=clone, env=person, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
        )  # fmt: skip
        with (clone.parent / "readme.log").open("a", encoding="utf-8") as log:
            log.write(f"\n$ {name}\n{done.stdout}")
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        diary.listen(name, done.stdout)
        diary.add(name, time.monotonic() - since, lines[-1] if lines else "")
        if done.returncode:
            diary.failures.append(f"{name} ended with {done.returncode}:\n{done.stdout[-3000:]}")
        if text.startswith("source "):
            activated += f"{text}\n"


def put_data(clone: Path, data: Path) -> None:
    """Put real data into the clone, under the names that the README uses.

    Args:
        clone: The clone.
        data: Folder of the scenes.
    """
    fields = data / "simulated_fields"
    for name in ("scene.tif", "other.tif"):
        shutil.copyfile(fields / "simulated_fields.tif", clone / name)
    shutil.copyfile(fields / "simulated_fields_shots.gpkg", clone / "labels.gpkg")
    shutil.copytree(data / "enmap_berlin", clone, dirs_exist_ok=True)
    visited = gpd.read_file(data / "enmap_berlin" / "LandCov_BerlinUrbanGradient.shp")
    visited[["Level_2", "geometry"]].to_file(clone / "visited.gpkg")
    (clone / "tiles").mkdir(exist_ok=True)
    with rasterio.open(fields / "simulated_fields.tif") as scene:
        for number, row in enumerate((0, 90)):
            window = Window(0, row, scene.width, 90)
            profile = scene.profile | {"height": 90, "transform": scene.window_transform(window)}
            with rasterio.open(clone / "tiles" / f"{number}.tif", "w", **profile) as tile:
                tile.write(scene.read(window=window))
                tile.scales, tile.offsets = scene.scales, scene.offsets
                tile.update_tags(**scene.tags())
                for band in scene.indexes:
                    tile.update_tags(band, **scene.tags(band))
    write_emit(read_source(data), clone, EMIT_SWATH)


# QGIS ---------------------------------------------------------------------------------------------


def in_qgis(clone: Path, options: Any, person: dict[str, str], diary: Diary) -> None:
    """Build the plugin, and go through QGIS with it.

    Args:
        clone: The clone.
        options: Of the command line.
        person: Environment variables.
        diary: Gets a row a step.
    """
    since = time.monotonic()
    done = subprocess.run(["make", "plugin"], cwd=clone, env=person, capture_output=True, text=True, check=False)  # fmt: skip
    diary.listen("make plugin", done.stdout + done.stderr)
    if done.returncode:
        raise SystemExit(f"make plugin ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    plugin = clone / "build" / "hsi_geo_qgis.zip"
    diary.add("make plugin", time.monotonic() - since, f"{plugin.stat().st_size / 1e6:.1f} MB")
    shown = clone.parent / "qgis"
    shutil.rmtree(shown, ignore_errors=True)
    (shown / "products").mkdir(parents=True)
    source = read_source(options.data)
    job = {
        "plugin": str(plugin),
        "folder": str(shown),
        "wheels": str(options.wheels.resolve()) if options.wheels else "",
        "torch": options.torch,
        "fresh": not options.again,
        "scenes": [
            scene_of("EMIT", write_emit(source, shown / "products", EMIT_SWATH), source),
            scene_of("EnMAP", write_enmap(source, shown / "products", ENMAP_SHAPE), source),
        ],
    }
    home = clone.parent / "qgis_home"
    if not options.again:
        shutil.rmtree(home, ignore_errors=True)
    home.mkdir(exist_ok=True)
    try:
        qgis_desktop.start(
            "stranger_in_qgis", job, home, variables={"PATH": person["PATH"]}, timeout_s=3600
        )
    finally:
        diary.listen("QGIS", (home / "qgis.log").read_text(encoding="utf-8", errors="replace"))
        steps = shown / "qgis.jsonl"
        for line in steps.read_text(encoding="utf-8").splitlines() if steps.exists() else []:
            diary.add(**json.loads(line))


def scene_of(
    name: str, product: tuple[Path, str, npt.NDArray[np.int64]], source: Source
) -> dict[str, Any]:
    """What the tour is told of a scene: where it lies, the shots to draw, and other pixels of known class.

    Args:
        name: Name of the sensor.
        product: Path, size and class ids of the product.
        source: The scene that it was made from.
    """
    path, _, truth = product
    grid = open_scene(path).hsi.grid
    rng = np.random.default_rng(27)
    points: dict[str, list[Any]] = {"shots": [], "others": []}
    for one in np.unique(truth[truth > 0]):
        pixels = rng.permutation(np.flatnonzero(truth.ravel() == one))
        known = {"shots": pixels[:SHOTS], "others": pixels[SHOTS : SHOTS + OTHERS // 12]}
        for key, picked in known.items():
            rows, cols = np.divmod(picked, truth.shape[1])
            x, y = grid.transform @ (cols + 0.5, rows + 0.5)
            points[key] += [
                [float(a), float(b), source.names[one - 1]] for a, b in zip(x, y, strict=True)
            ]
    return {
        "name": name,
        "product": str(path),
        "bounds": list(grid.bounds),
        "crs": f"EPSG:{grid.crs.to_epsg()}",
        **points,
    }


if __name__ == "__main__":
    main()
