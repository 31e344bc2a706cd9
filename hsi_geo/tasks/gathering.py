"""From scenes and shots to what a network is adapted with: windows and labels, in memory."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from torch import Tensor
from torch.utils.data import DataLoader

from hsi_geo.errors import ShotsError
from hsi_geo.io.datasets import HyperspectralScene, ShotLabels
from hsi_geo.io.samplers import ShotSampler
from hsi_geo.io.scene import read_window
from hsi_geo.io.shots import ClassTable, ShotPixels, Shots, thin
from hsi_geo.models.classifier import Spectral
from hsi_geo.progress import Reporter
from hsi_geo.tasks.statistics import learn_spectral
from hsi_geo.tiling import Window


@dataclass(frozen=True, eq=False)
class Training:
    """Everything that is learnt from, in memory.

    Windows are nearly twice as wide as the network's, with a shot in the middle, so that any crop
    of the network's size around the shot lies inside.

    Attributes:
        images: (N, C, E, E) physical values, E = 2 * window_px - 1.
        valid: (N, E, E) bool.
        masks: (N, E, E) class index of every shot in the window, -1 elsewhere.
        features: (N, E, E) feature of every shot in the window, -1 elsewhere.
        spectral: Bands and statistics.
        classes: Class table.
        counts: Usable shot pixels by class name.
    """

    images: Tensor
    valid: Tensor
    masks: Tensor
    features: Tensor
    spectral: Spectral
    classes: ClassTable
    counts: dict[str, int]

    @property
    def centre(self) -> int:
        """Row and column of the middle."""
        return self.images.shape[-1] // 2

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(N,) class index of the middle shots."""
        return self.masks[:, self.centre, self.centre].numpy()

    @property
    def groups(self) -> npt.NDArray[np.int64]:
        """(N,) drawn feature that each middle shot belongs to."""
        return self.features[:, self.centre, self.centre].numpy()

    def without(self, features: npt.NDArray[np.int64]) -> Training:
        """All that does not come from some features; no window keeps a label of theirs."""
        held = torch.isin(self.features, torch.from_numpy(features))
        keep = ~held[:, self.centre, self.centre]
        return dataclasses.replace(
            self,
            images=self.images[keep],
            valid=self.valid[keep],
            masks=self.masks.masked_fill(held, -1)[keep],
            features=self.features.masked_fill(held, -1)[keep],
        )


def gather(
    scenes: list[xr.DataArray],
    shots: Shots,
    *,
    window_px: int,
    most: int,
    all_touched: bool,
    seed: int,
    reporter: Reporter,
) -> Training:
    """Read what there is to learn from: statistics of the scenes, windows around the shots.

    Args:
        scenes: Of one sensor, CRS and pixel size.
        shots: In any CRS.
        window_px: Side of the network's windows.
        most: Most windows to keep in memory.
        all_touched: Take every pixel a polygon touches.
        seed: Draws pixels and windows where there are too many.
        reporter: Is told what was dropped.

    Raises:
        SceneError: If scenes differ in bands, or hold no data.
        ShotsError: If fewer than two classes have a usable pixel.
    """
    scene = HyperspectralScene(scenes)
    labels = ShotLabels(shots, scene, all_touched=all_touched)
    counts = _keep_usable(labels, scene, shots, np.random.default_rng(seed), reporter)
    spectral = learn_spectral(scene.views)
    size = 2 * window_px - 1
    places = ShotSampler(
        labels,
        size_px=size,
        length=min(sum(counts.values()), most),
        generator=np.random.default_rng(seed),
    )
    both = scene & labels
    samples = [
        {key: sample[key] for key in ("image", "valid", "mask", "feature")}
        for sample in DataLoader(both, sampler=places, batch_size=None)
    ]
    return Training(
        images=torch.stack([sample["image"] for sample in samples]),
        valid=torch.stack([sample["valid"] for sample in samples]),
        masks=torch.stack([sample["mask"] for sample in samples]),
        features=torch.stack([sample["feature"] for sample in samples]),
        spectral=spectral,
        classes=shots.classes,
        counts=counts,
    )


def _keep_usable(
    labels: ShotLabels,
    scene: HyperspectralScene,
    shots: Shots,
    generator: np.random.Generator,
    reporter: Reporter,
) -> dict[str, int]:
    """Drop shots on nodata, thin large classes, tell what was dropped; pixels by class name."""
    before = sum(len(pixels) for pixels in labels.pixels)
    dry = 0
    for index, pixels in enumerate(labels.pixels):
        valid = _valid_at(scene.views[index], pixels)
        dry += int((~valid).sum())
        labels.pixels[index] = thin(pixels.pick(valid), generator)
    counts = {c.name: 0 for c in shots.classes}
    for pixels in labels.pixels:
        for name, count in pixels.counts(shots.classes).items():
            counts[name] += count
    _tell_dropped(labels, shots, dry, reporter)
    if before and dry == before:
        raise ShotsError(
            f"all {before} pixels under the shots in '{shots.source}' are nodata in the scene",
            hint="draw shots where the scene has data",
        )
    present = [name for name, count in counts.items() if count]
    if len(present) < 2:
        raise ShotsError(
            f"only one class, '{present[0]}', has usable pixels under its shots in the scene",
            hint="draw shots of at least two classes inside the scene",
        )
    absent = [name for name, count in counts.items() if not count]
    if absent:
        reporter.warning(
            "no usable pixel in the scene for "
            + ", ".join(f"'{name}'" for name in absent)
            + ": never mapped"
        )
    return counts


def _tell_dropped(labels: ShotLabels, shots: Shots, dry: int, reporter: Reporter) -> None:
    outside = min(pixels.outside for pixels in labels.pixels)
    conflicts = sum(pixels.conflicts for pixels in labels.pixels)
    if shots.skipped:
        reporter.warning(f"shots left out: {', '.join(shots.skipped)}")
    if outside:
        reporter.warning(f"{outside} of {len(shots.frame)} shots lie outside the scene")
    if conflicts:
        reporter.warning(f"{conflicts} pixels dropped because two classes claim them")
    if dry:
        reporter.warning(f"{dry} pixels under shots are nodata and were dropped")


def _valid_at(view: xr.DataArray, pixels: ShotPixels) -> npt.NDArray[np.bool_]:
    """(N,) whether the scene has data under each pixel, read by rows of blocks."""
    valid = np.zeros(len(pixels), bool)
    step = 64
    for band_row in np.unique(pixels.rows // step):
        rows = pixels.rows // step == band_row
        for band_col in np.unique(pixels.cols[rows] // step):
            here = np.flatnonzero(rows & (pixels.cols // step == band_col))
            window = Window(int(band_row) * step, int(band_col) * step, step, step)
            _, has_data = read_window(view, window)
            valid[here] = has_data[pixels.rows[here] - window.row, pixels.cols[here] - window.col]
    return valid
