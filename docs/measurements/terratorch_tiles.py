"""TerraTorch's tiled inference with our network; started by performance.py in its own environment.

Like `predict` it reads a file and writes a map: windows of 16 pixels with the same step, blended where
they overlap. TerraTorch takes the whole scene as one tensor.
"""

import json
import sys
import time
from pathlib import Path

import rasterio
import torch
from terratorch.tasks.tiled_inference import tiled_inference

#: As in a model that `adapt` makes.
WINDOW_PX, STRIDE_PX, BATCH = 16, 12, 64

#: Pixels that TerraTorch drops at each edge of a window; with 0 it returns no pixels at all.
RIM_PX = 2


def main() -> None:
    """Map the scene of a folder, and print the rate."""
    folder = Path(sys.argv[3])
    network = torch.jit.load(str(folder / "network.pt"))  # type: ignore[no-untyped-call]
    started = time.perf_counter()
    with rasterio.open(folder / "scene.tif") as source:
        bands = json.loads((folder / "bands.json").read_text())
        image = torch.from_numpy(source.read(bands).astype("float32"))[None]
        profile = {"height": source.height, "width": source.width, "crs": source.crs}
        profile["transform"] = source.transform
    with torch.inference_mode():
        probabilities = tiled_inference(
            network,
            image,
            crop=WINDOW_PX,
            stride=STRIDE_PX,
            delta=RIM_PX,
            batch_size=BATCH,
        )
    classes = probabilities[0].argmax(dim=0).to(torch.uint8).numpy() + 1
    with rasterio.open(
        folder / "tiles.tif", "w", driver="GTiff", count=1, dtype="uint8", **profile
    ) as target:
        target.write(classes, 1)
    seconds = time.perf_counter() - started
    rss = peak_rss_mib()
    print(json.dumps({"rate": classes.size / seconds, "rss_mib": rss}))


def peak_rss_mib() -> float:
    """Peak resident memory of this process, from /proc."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
