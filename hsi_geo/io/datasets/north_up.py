"""Samples of datasets with north up and west left, as TorchGeo's own rasters give them."""

from __future__ import annotations

from typing import Any

import torch


def north_up(sample: dict[str, Any]) -> dict[str, Any]:
    """Turn the rasters of a sample, and its transform, where rows run to the north or columns to the west.

    Pixels keep their place: combined datasets stack rasters of the same place, whatever the order of rows in their files.

    Args:
        sample: Rasters (..., H, W), and ``transform`` (6,), the affine of an upright grid.

    Returns:
        The sample; the same one if north is up.

    Examples:
        >>> south_up = torch.tensor([30.0, 0.0, 500.0, 0.0, 20.0, 900.0])
        >>> found = north_up({"mask": torch.tensor([[1, 2], [3, 4]]), "transform": south_up})
        >>> found["mask"].tolist(), found["transform"].tolist()
        ([[3, 4], [1, 2]], [30.0, 0.0, 500.0, 0.0, -20.0, 940.0])
    """
    a, b, c, d, e, f = sample["transform"].tolist()
    axes = [axis for axis, is_turned in ((-2, e > 0), (-1, a < 0)) if is_turned]
    if not axes:
        return sample
    rasters = {key: value for key, value in sample.items() if value.ndim >= 2}
    height, width = next(iter(rasters.values())).shape[-2:]
    if e > 0:
        e, f = -e, f + e * height
    if a < 0:
        a, c = -a, c + a * width
    turned = {key: value.flip(axes) for key, value in rasters.items()}
    transform = torch.tensor([a, b, c, d, e, f], dtype=sample["transform"].dtype)
    return {**sample, **turned, "transform": transform}
