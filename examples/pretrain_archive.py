"""Pre-train on your own scenes, then map with the weights.

Run it with `python examples/pretrain_archive.py [FOLDER] [STEPS]`. The archive here is one scene,
Indian Pines. Give `pretrain` as many scenes as you have, of any sensors. 200 steps take a minute or
two; the weights of the package were trained for 400 steps on many scenes. Losses are drawn into
FOLDER/archive.png, the map into FOLDER/pretrain_archive.png.
"""

import sys
from pathlib import Path

from hsi_geo import classify, pretrain
from hsi_geo.tasks.demo import write_inputs
from hsi_geo.tasks.reporting.preview import draw_scene_and_map


def main(folder: Path, steps: int = 200) -> None:
    """Pre-train without labels, then classify."""
    scene_path, shots_path, _ = write_inputs(folder)
    archive = [scene_path]

    pretrained = pretrain(archive, folder / "archive.safetensors", steps=steps, overwrite=True)
    print(
        f"weights: {pretrained.weights}, last loss {pretrained.last_loss:.3f}, see {pretrained.plot}"
    )

    out = folder / "pretrain_archive.tif"
    result = classify(scene_path, shots_path, out=out, weights=pretrained.weights, overwrite=True)
    print(f"accuracy: {result.accuracy}")
    picture = folder / "pretrain_archive.png"
    draw_scene_and_map(
        scene_path, out, result.classes, picture, title=f"Own weights, {steps} steps"
    )
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(
        Path(sys.argv[1] if len(sys.argv) > 1 else "demo"),
        int(sys.argv[2]) if len(sys.argv) > 2 else 200,
    )
