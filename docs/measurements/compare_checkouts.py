"""Do two checkouts give the same maps, byte for byte?

    python docs/measurements/compare_checkouts.py OLD NEW DATA [--benchmark SEEDS]

OLD and NEW are checkouts with an environment in `.venv` (`make .venv/.installed-dev`). DATA is the folder of scenes.
Each checkout runs the demo, maps Berlin, adapts a model to the simulated fields and maps two halves of them in a batch. The
class maps, the demo's confidence and the batch's index must be equal bytes. Values of records that differ are printed, but for
versions and hashes that depend on them (`NOT_COMPARED`); they do not change the exit code. With `--benchmark`, the accuracies of the first SEEDS seeds of all scenes must
be equal numbers. Five minutes a checkout, the benchmark more.

Only the command line is used, so that Python names may differ between the checkouts.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import rasterio
from rasterio.windows import Window

SCENES = "indian_pines,simulated_fields,enmap_berlin,jasper_ridge,samson"

#: Keys of a record that name versions, or are hashes of content that names versions.
NOT_COMPARED = ("versions", "model", "job")


def main() -> None:
    """Print a line for each output, and exit with 1 if a map or a score differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--benchmark", type=int, default=0, metavar="SEEDS")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # One folder for both checkouts in turn: paths of inputs are part of what is hashed.
        found = [
            digests(
                checkout.resolve(), options.data.resolve(), Path(folder) / "work", options.benchmark
            )
            for checkout in (options.old, options.new)
        ]
    differ = 0
    for name, old in found[0].items():
        same = old == found[1].get(name)
        if name.endswith(".json"):
            print(f"{'same     ' if same else 'differs  '} {name}")
            for line in differences(json.loads(old), json.loads(found[1][name])):
                print(line)
            continue
        differ += not same
        print(f"{'same     ' if same else 'DIFFERENT'} {name}")
    sys.exit(differ > 0)


def digests(checkout: Path, data: Path, folder: Path, seeds: int) -> dict[str, str]:
    """SHA-256 of each output of a checkout, and the text of each record, by name."""
    if folder.exists():
        subprocess.run(["rm", "-r", str(folder)], check=True)
    folder.mkdir()

    def hsi_geo(*words: str) -> None:
        command = [str(checkout / ".venv" / "bin" / "hsi-geo"), *words]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)

    hsi_geo("demo", "demo")
    berlin = data / "enmap_berlin"
    scene, shots = "EnMAP_BerlinUrbanGradient.bsq", "LandCov_BerlinUrbanGradient.shp"
    labels = ["--shots", str(berlin / shots), "--class-field", "Level_2"]
    hsi_geo("classify", str(berlin / scene), *labels, "-o", "berlin.tif")
    fields = data / "simulated_fields"
    halves(fields / "simulated_fields.tif", folder)
    drawn = ["--shots", str(fields / "simulated_fields_shots.gpkg")]
    hsi_geo("adapt", str(fields / "simulated_fields.tif"), *drawn, "-o", "model.safetensors")
    hsi_geo("batch", "west.tif", "east.tif", "--model", "model.safetensors", "-o", "maps")
    names = [
        "demo/indian_pines_classes.tif",
        "demo/indian_pines_classes_confidence.tif",
        "berlin.tif",
        "maps/index.vrt",
        "maps/west.tif",
        "maps/east.tif",
    ]
    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    # The demo writes its scene anew: its modification time is in the hash of the scene.
    for name in ("berlin.json", "maps/west.json", "maps/east.json"):
        record = json.loads((folder / name).read_text(encoding="utf-8"))
        found[name] = json.dumps(without_versions(record), sort_keys=True)
    if seeds:
        words = ["--data", str(data), "--scenes", SCENES, "--seeds", str(seeds)]
        hsi_geo("benchmark", *words, "--methods", "hsi-geo", "-o", "benchmark")
        runs = json.loads((folder / "benchmark" / "results.json").read_text(encoding="utf-8"))
        for run in runs:
            scores = [run[key] for key in ("oa", "aa", "kappa", "ece")]
            found[f"benchmark {run['scene']} {run['seed']}"] = json.dumps(scores)
    return found


def without_versions(record: Any) -> Any:
    """A record without the keys in `NOT_COMPARED`, at any depth."""
    if isinstance(record, dict):
        return {k: without_versions(v) for k, v in record.items() if k not in NOT_COMPARED}
    return [without_versions(v) for v in record] if isinstance(record, list) else record


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """A line for each value of a record that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            line
            for key in sorted({*old, *new})
            for line in differences(old.get(key), new.get(key), f"{where}/{key}")
        ]
    return [] if old == new else [f"          {where}: {old} -> {new}"]


def halves(scene: Path, folder: Path) -> None:
    """Cut a scene into a western and an eastern tile."""
    with rasterio.open(scene) as source:
        middle = source.width // 2 + 7
        for name, first, width in (("west", 0, middle), ("east", middle, source.width - middle)):
            window = Window(first, 0, width, source.height)
            profile = {
                "driver": "GTiff",
                "width": width,
                "transform": source.window_transform(window),
            }
            with rasterio.open(
                folder / f"{name}.tif", "w", **{**source.profile, **profile}
            ) as tile:
                tile.write(source.read(window=window))
                tile.scales, tile.offsets = source.scales, source.offsets
                tile.update_tags(**source.tags())
                for band in source.indexes:
                    tile.update_tags(band, **source.tags(band))
            os.utime(folder / f"{name}.tif", (0, 0))  # part of the hash of a scene


if __name__ == "__main__":
    main()
