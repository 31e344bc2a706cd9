"""Random training windows of the regions, with their targets and noise levels.

Letters for shapes: B windows of P * P pixels, n pixels drawn from a window, C bands, K classes, N pixels of all
regions, M pixels of all regions with their margins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hsi_geo.arrays import AnyArray, Float32Array, IntArray
from hsi_geo.models.augmentation import Dihedral
from hsi_geo.models.wavelength_axis import ReducedBands
from hsi_geo.tasks.adaptation.recipe import Target
from hsi_geo.tasks.adaptation.teacher import Teacher
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions

#: Least share of all pixels that a class counts for. A class of few pixels must be learnt, since it may cover
#: large areas of other tiles.
MIN_CLASS_SHARE = 0.01


@dataclass(frozen=True, eq=False)
class Batch:
    """Windows, or some pixels of windows, with their targets.

    Attributes:
        image: (B, C, P, P) values of bands or of combinations of them; (B, C, n, 1) for some pixels of each window.
        valid: (B, P, P) or (B, n, 1) whether a pixel has data.
        target: (B, K + 1, P, P) or (B, K + 1, n, 1) weighted probabilities, 0 at pixels without a target.
        noise: (B,) noise level of each window.
        positions: (B, n) flat index of each pixel in its window, see `S2Former.encode`; None for whole windows.
    """

    image: Tensor
    valid: Tensor
    target: Tensor
    noise: Tensor
    positions: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Return the same batch on another device.

        Args:
            device: Device of the returned tensors.
        """
        return Batch(
            self.image.to(device),
            self.valid.to(device),
            self.target.to(device),
            self.noise.to(device),
            None if self.positions is None else self.positions.to(device),
        )

    def split(self, parts: int) -> list[Batch]:
        """Split into batches of about as many windows each.

        Args:
            parts: Number of batches; fewer are returned if there are fewer windows.
        """
        size = -(-len(self.noise) // parts)
        fields = [self.image, self.valid, self.target, self.noise]
        columns = [torch.split(field, size) for field in fields]
        positions: Sequence[Tensor | None] = [None] * len(columns[0])
        if self.positions is not None:
            positions = torch.split(self.positions, size)
        return [Batch(*one) for one in zip(*columns, positions, strict=True)]


class WindowSampler:
    """Draws random windows of the regions with their targets.

    Args:
        regions: Pixels and shots.
        teacher: Teacher that was fitted to the same regions.
        size_px: P, side of a window in pixels.
        target: What the student is compared with: "teacher", "shots" or "ema".
        noise: Noise levels; the first level has the teacher's last posterior as its target.
        batch: B, number of windows that are drawn together.
        clean_fraction: Share of windows with the first noise level, 0 to 1.
        pixel_fraction: Share of each window's pixels that are drawn, without replacement; at least one pixel is.
        generator: Source of the random numbers.
        reduced: Combinations of bands that windows consist of; None for the bands themselves.
    """

    def __init__(
        self,
        regions: TrainingRegions,
        teacher: Teacher,
        size_px: int,
        *,
        target: Target,
        noise: Sequence[float],
        batch: int,
        clean_fraction: float,
        pixel_fraction: float = 1.0,
        generator: np.random.Generator,
        reduced: ReducedBands | None = None,
    ) -> None:
        self.size = size_px
        self.target = target
        self.noise = noise
        self.batch = batch
        self.clean_fraction = clean_fraction
        self.pixels = max(1, round(pixel_fraction * size_px**2))
        self.generator = generator
        # Pixels lie side by side in memory, so that some of them are copied fast.
        padded = [_pad(r.image, size_px, 0.0) for r in regions.regions]
        pixels = _pixels_first(padded)
        self.image = pixels if reduced is None else reduced.combine(pixels)
        self.valid = _pixels_first([_pad(r.valid[None], size_px, False) for r in regions.regions])
        self.shapes = np.array([image.shape[1:] for image in padded])
        self.starts = np.cumsum([0, *self.shapes.prod(axis=1)[:-1]])
        posteriors = self._posteriors_by_level(teacher, regions)
        weights = class_weights(posteriors[0])
        # A class of one pixel must be seen often: its pixel is drawn more often, as far as that can be.
        drawn = (posteriors[0] * weights).sum(axis=1, keepdims=True)
        drawn = drawn.clip(1.0, 1.0 / pixel_fraction)
        self.draw_weights = self._to_pixels(drawn, regions).numpy()[:, 0]
        self.targets = torch.stack(
            [self._to_pixels(one * weights / drawn, regions) for one in posteriors]
        )  # (levels, M, K + 1)
        self.sources = _source_pixels(size_px)
        areas = np.array([region.inside.sum() for region in regions.regions], np.float64)
        self.region_probabilities = areas / areas.sum()
        self.shots = np.array(
            [
                (number, row, col)
                for number, region in enumerate(regions.regions)
                for row, col in np.argwhere(region.labels >= 0)
            ]
        )

    def _to_pixels(self, values: Float32Array, regions: TrainingRegions) -> Tensor:
        """(M, X) of (N, X) values; 0 outside the regions."""
        images = _to_images(values, regions)
        return _pixels_first([_pad(image, self.size, 0.0) for image in images])

    def _posteriors_by_level(
        self, teacher: Teacher, regions: TrainingRegions
    ) -> list[Float32Array]:
        """(N, K + 1) target of each noise level: the last posterior for the first level."""
        if self.target == "teacher":
            reverse = teacher.steps[::-1]
            chosen = np.linspace(0, len(reverse) - 1, len(self.noise)).round().astype(int)
            return [reverse[i] for i in chosen]
        labels = regions.labels
        one_hot = np.zeros((len(labels), len(regions.classes) + 1), np.float32)
        one_hot[labels >= 0, labels[labels >= 0]] = 1.0
        return [one_hot] * len(self.noise)

    def sample(self) -> Batch:
        """Draw a batch."""
        side, whole = self.size, self.pixels == self.size**2
        levels = self._draw_levels()
        orientations = self.generator.integers(len(self.sources), size=self.batch)
        rows, cols = np.divmod(self.sources[orientations], side)  # (B, P * P)
        region, top, left = (values[:, None] for values in self._draw_corners())
        chosen = self.starts[region] + (top + rows) * self.shapes[region, 1] + left + cols
        if not whole:
            positions = self._draw_pixels(chosen)
            chosen = np.take_along_axis(chosen, positions, axis=1)
        chosen = torch.from_numpy(chosen)
        shape = (side, side) if whole else (self.pixels, 1)

        def to_windows(values: Tensor) -> Tensor:
            """(B, n, X) to (B, X, P, P) or (B, X, n, 1)."""
            return values.transpose(1, 2).reshape(len(values), -1, *shape)

        level = torch.from_numpy(levels)
        return Batch(
            to_windows(self.image[chosen]),
            to_windows(self.valid[chosen])[:, 0],
            to_windows(self.targets[level[:, None], chosen]),
            torch.tensor(self.noise)[level],
            None if whole else torch.from_numpy(positions),
        )

    def _draw_pixels(self, chosen: IntArray) -> IntArray:
        """(B, n) positions of random pixels among (B, P * P) pixels, in random order and without replacement.

        The chance of a pixel is proportional to its weight (Efraimidis and Spirakis 2006, doi
        10.1016/j.ipl.2005.11.003).
        """
        weights = np.maximum(self.draw_weights[chosen], 1.0)
        return np.argsort(self.generator.exponential(size=chosen.shape) / weights)[:, : self.pixels]

    def _draw_levels(self) -> IntArray:
        """(B,) index of the noise level of each window."""
        noisy = self.generator.random(self.batch) >= self.clean_fraction
        if len(self.noise) == 1:
            return np.zeros(self.batch, np.int64)
        return noisy * self.generator.integers(1, len(self.noise), size=self.batch)

    def _draw_corners(self) -> tuple[IntArray, IntArray, IntArray]:
        """(B,) region, first row and first column: anywhere, or around a shot where only shots are targets."""
        draw, count = self.generator, self.batch
        region = draw.choice(len(self.shapes), size=count, p=self.region_probabilities)
        last = self.shapes[region] - self.size
        top, left = draw.integers(last + 1).T
        if self.target == "teacher":
            return region, top, left
        shots = self.shots[draw.integers(len(self.shots), size=count)]
        offset = draw.integers(self.size, size=(count, 2))
        around = np.clip(shots[:, 1:] - offset, 0, self.shapes[shots[:, 0]] - self.size)
        chosen = draw.random(count) < (1.0 if self.target == "shots" else 0.5)
        corner = np.where(chosen[:, None], around, np.stack([top, left], axis=1))
        return np.where(chosen, shots[:, 0], region), corner[:, 0], corner[:, 1]


def class_weights(posterior: Float32Array) -> Float32Array:
    """Compute loss weights with which each rare class counts as `MIN_CLASS_SHARE` of all pixels.

    Args:
        posterior: (N, K + 1) target probabilities of all pixels, zeros at pixels without a target; the last
            column is "unlike any shot".

    Returns:
        (K + 1,) weights of at least 1; 1 for "unlike any shot" and for classes without pixels.

    Examples:
        >>> import numpy as np
        >>> posterior = np.zeros((1000, 3), np.float32)
        >>> posterior[:998, 0], posterior[998:, 1] = 1.0, 1.0
        >>> class_weights(posterior).tolist()
        [1.0, 5.0, 1.0]
    """
    mass = posterior.sum(axis=0, dtype=np.float64)
    shares = mass / max(mass.sum(), 1e-30)
    rare = (shares > 0) & (shares < MIN_CLASS_SHARE)
    rare[-1] = False
    weights = np.divide(MIN_CLASS_SHARE, shares, out=np.ones_like(shares), where=rare)
    return weights.astype(np.float32)


def _pad(array: AnyArray, size_px: int, value: float) -> AnyArray:
    """(..., h, w) padded at the end to at least the size of a window."""
    height, width = array.shape[-2:]
    widths = [(0, 0)] * (array.ndim - 2)
    widths += [(0, max(0, size_px - height)), (0, max(0, size_px - width))]
    return np.pad(array, widths, constant_values=value)


def _pixels_first(images: list[AnyArray]) -> Tensor:
    """(M, X) values of all pixels of (X, h, w) images."""
    return torch.from_numpy(np.concatenate([image.reshape(len(image), -1).T for image in images]))


def _source_pixels(size_px: int) -> IntArray:
    """(8, P * P) flat index in the window of each pixel after each element of the dihedral group."""
    window = torch.arange(size_px**2).view(size_px, size_px)
    elements = [Dihedral(turns, flipped) for turns in range(4) for flipped in (False, True)]
    return np.stack([element.apply(window).flatten().numpy() for element in elements])


def _to_images(posterior: Float32Array, regions: TrainingRegions) -> Iterator[Float32Array]:
    """(K + 1, h, w) image of each region from (N, K + 1) values of all pixels; 0 outside the region."""
    start = 0
    for region in regions.regions:
        count = int(region.inside.sum())
        image = np.zeros((posterior.shape[1], *region.inside.shape), np.float32)
        image[:, region.inside] = posterior[start : start + count].T
        start += count
        yield image
