"""Map Indian Pines from five shots a class, in Python.

Run it with `python examples/quickstart.py [FOLDER]`. It writes a scene and shots as files, classifies
the scene, prints the path of the map and the share of each class, and draws scene and map into
FOLDER/quickstart.png. It takes about a minute.
"""

import sys
from pathlib import Path

from hsi_geo import classify, open_scene, read_shots
from hsi_geo.tasks.demo import write_inputs
from hsi_geo.tasks.reporting.preview import draw_scene_and_map


def main(folder: Path) -> None:
    """Write the inputs, open them, classify."""
    scene_path, shots_path, _ = write_inputs(folder)

    scene = open_scene(scene_path)  # lazy: only the header is read
    print(f"{scene.sizes['band']} bands, {float(scene.wavelength.min()):.0f} nm and up")
    shots = read_shots(shots_path)
    print(f"{len(shots.frame)} shots of {len(shots.classes)} classes")

    result = classify(scene, shots, out=folder / "map.tif", overwrite=True)
    print(f"map: {result.paths.classes}")
    print(f"accuracy: {result.accuracy}")
    for entry in result.record["classes"]:
        print(f"  {entry['name']}: {100 * entry['share']:.1f} %")

    picture = folder / "quickstart.png"
    draw_scene_and_map(scene, result.paths.classes, result.classes, picture, title="Indian Pines")
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
