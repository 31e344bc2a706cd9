"""S2Former: a dual-branch spatial-spectral transformer with bidirectional cross-attention.

One window of a scene goes in, a feature vector for each of its pixels comes out. The spatial
branch holds a token for each pixel, the spectral branch one for each group of bands; in every
block each branch attends to itself and then both attend to each other. Two branches and
cross-attention both ways are after the abstract of arXiv 2601.18088, which tells no more; sizes
and the entry by wavelength are ours.

Bands enter by wavelength: each is spread onto a common axis by its centre and width, so one set
of weights serves any sensor, and the order of bands does not matter.

Letters for shapes: B windows, C bands, K slots of the axis, G groups of S slots (K = G * S),
N = H * W pixels of a window, D width of a token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hsi_geo.errors import WavelengthError
from hsi_geo.wavelengths import spacing

Crossing = Literal["both", "to_pixels", "to_spectrum", "none"]

#: The place in a window is a weak hint beside a pixel's spectrum: windows lie anywhere.
PLACE_CODE_SIZE = 0.1


#: Least and most of each number of a network's shape: far beyond what is useful, and short of what occupies a
#: machine. Files are not believed (`tasks.model_checks`).
BOUNDS: dict[str, tuple[float, float]] = {
    "window_px": (1, 256),
    "width": (4, 2048),
    "depth": (1, 64),
    "heads": (1, 256),
    "mlp_ratio": (1, 16),
    "first_nm": (0.0, 1e5),
    "slot_nm": (0.1, 1e4),
    "groups": (1, 1024),
    "slots_per_group": (1, 1024),
    "group_width": (1, 1024),
}

#: Where an axis of wavelengths ends at the latest, and how many slots it has at most.
LAST_NM, MOST_SLOTS = 1e5, 20_000


@dataclass(frozen=True, slots=True)
class S2FormerConfig:
    """Everything that fixes the network's shape; saved with its weights.

    Attributes:
        window_px: Side of a window.
        width: D, length of a token and of a pixel's feature vector.
        depth: Blocks.
        heads: Attention heads; must divide ``width``.
        mlp_ratio: Hidden units of a block's MLP, in units of ``width``.
        first_nm: Where the wavelength axis begins.
        slot_nm: Width of a slot of the axis.
        groups: G, spectral tokens.
        slots_per_group: S.
        group_width: Numbers that a pixel's group of slots is condensed to.
        cross_attention: Which branch hears the other; "both" unless for an ablation.
    """

    window_px: int = 16
    width: int = 64
    depth: int = 2
    heads: int = 4
    mlp_ratio: int = 2
    first_nm: float = 350.0
    slot_nm: float = 10.0
    groups: int = 22
    slots_per_group: int = 10
    group_width: int = 8
    cross_attention: Crossing = "both"

    def __post_init__(self) -> None:
        """Check the numbers, alone and against each other.

        Raises:
            ValueError: If one is of another type or out of its bounds, or heads do not divide the width.
        """
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            whole = isinstance(least, int)
            kind = int if whole else int | float
            if not isinstance(value, kind) or isinstance(value, bool) or not least <= value <= most:
                raise ValueError(f"{name} {value!r} is not in {least:g}..{most:g}")
        if self.cross_attention not in get_args(Crossing):
            raise ValueError(f"cross_attention {self.cross_attention!r} is none of the ways")
        if self.width % self.heads or self.width % 4:
            raise ValueError(f"width {self.width} is not a multiple of {self.heads} heads and of 4")
        slots = self.groups * self.slots_per_group
        if slots > MOST_SLOTS or self.first_nm + self.slot_nm * slots > LAST_NM:
            raise ValueError(
                f"{slots} slots of {self.slot_nm:g} nm from {self.first_nm:g} nm on are no axis of "
                "wavelengths"
            )

    @property
    def last_nm(self) -> float:
        """Where the wavelength axis ends."""
        return self.first_nm + self.slot_nm * self.groups * self.slots_per_group

    @property
    def slots_nm(self) -> npt.NDArray[np.float64]:
        """(K,) centres of the axis's slots."""
        return np.asarray(
            self.first_nm + self.slot_nm * (0.5 + np.arange(self.groups * self.slots_per_group))
        )


class BandMap(NamedTuple):
    """An affine map from a scene's bands x to the wavelength axis: matrix @ (x - centre) + shift.

    Attributes:
        matrix: (K, C); rows of slots without a band are 0.
        centre: (C,) subtracted first, while values still have all their digits.
        shift: (K,) added last.
        present: (K,) 1.0 where a slot has bands, else 0.0: a missing range is masked, which is
            not the same as a value of 0.
    """

    matrix: Tensor
    centre: Tensor
    shift: Tensor
    present: Tensor

    def to(self, device: torch.device) -> BandMap:
        """The same map on another device."""
        return BandMap(*(part.to(device) for part in self))

    def compose(self, matrix: Tensor, centre: Tensor) -> BandMap:
        """This map of ``matrix @ (x - centre)``, as one map.

        Args:
            matrix: (C, C') from other bands x to the ones this map takes.
            centre: (C',) subtracted before.
        """
        shift = self.shift - self.matrix @ self.centre
        return BandMap(self.matrix @ matrix, centre, shift, self.present)


class WindowGridTokens(NamedTuple):
    """A stretch of a scene as tokens, for windows that overlap: what is a pixel's own is held once.

    Attributes:
        pixels: (H, W, D) of the spatial branch.
        spectrum: (R, Q, G, D) of the spectral branch, for R rows of Q windows.
        covered: (G,) whether a group has any bands.
    """

    pixels: Tensor
    spectrum: Tensor
    covered: Tensor


class Tokens(NamedTuple):
    """A window as tokens, before attention.

    Attributes:
        pixels: (B, N, D) spatial branch.
        spectrum: (B, G, D) spectral branch.
        covered: (G,) whether a group has any bands.
    """

    pixels: Tensor
    spectrum: Tensor
    covered: Tensor


def resample_to_axis(
    config: S2FormerConfig, centres_nm: npt.NDArray[np.float64], fwhm_nm: npt.NDArray[np.float64]
) -> BandMap:
    """Spread bands over the wavelength axis.

    Each band is a triangle around its centre, as wide as a slot, as the distance to the next
    band or as twice its FWHM, so that bands coarser than the axis are interpolated linearly and
    finer ones are averaged. Slots that no triangle reaches are missing.

    Args:
        config: Of the network.
        centres_nm: (C,) band centres in any order.
        fwhm_nm: (C,) widths.

    Returns:
        The map, with centre and shift 0.

    Raises:
        WavelengthError: If no band lies on the axis: the network would see nothing but what is
            missing.
    """
    if not ((config.first_nm <= centres_nm) & (centres_nm <= config.last_nm)).any():
        raise WavelengthError(
            f"no band of {centres_nm.min():.6g} to {centres_nm.max():.6g} nm lies on the network's "
            f"wavelength axis, which goes from {config.first_nm:g} to {config.last_nm:g} nm",
            hint="if the scene's wavelengths are wrong, give its own with --wavelengths",
        )
    reach = np.maximum(config.slot_nm, np.minimum(spacing(centres_nm), 2.0 * fwhm_nm))
    distance = np.abs(config.slots_nm[:, None] - centres_nm[None, :])
    matrix = np.maximum(0.0, 1.0 - distance / reach)
    total = matrix.sum(axis=1, keepdims=True)
    present = total[:, 0] > 1e-6
    matrix = np.divide(matrix, total, out=np.zeros_like(matrix), where=present[:, None])
    return BandMap(
        torch.tensor(matrix, dtype=torch.float32),
        torch.zeros(len(centres_nm)),
        torch.zeros(len(matrix)),
        torch.tensor(present, dtype=torch.float32),
    )


class S2Former(nn.Module):
    """The network; see the module for its idea and the letters used in shapes."""

    def __init__(self, config: S2FormerConfig) -> None:
        super().__init__()
        self.config = config
        G, S, d, D = config.groups, config.slots_per_group, config.group_width, config.width
        self.group_weight = nn.Parameter(torch.randn(G, S, d) / math.sqrt(S))
        self.group_bias = nn.Parameter(torch.zeros(G, d))  # times the share of slots present
        self.pixel_token = nn.Linear(G * d, D)
        self.group_token = nn.Linear(2 * d, D)
        centres = config.slots_nm.reshape(G, S).mean(axis=1)
        self.wavelength_code: Tensor
        self.place_code: Tensor
        self.register_buffer("wavelength_code", _sinusoids(centres / 100.0, D), persistent=False)
        self.register_buffer("place_code", _place_code(config.window_px, D), persistent=False)
        last = config.depth - 1
        self.blocks = nn.ModuleList(Block(config, last=i == last) for i in range(config.depth))
        self.norm = nn.LayerNorm(D)

    def forward(self, image: Tensor, valid: Tensor, bands: BandMap) -> Tensor:
        """Features of every pixel.

        Args:
            image: (B, C, H, W) float32 with H, W at most ``window_px``; any value where not
                ``valid``.
            valid: (B, H, W) bool.
            bands: From the C bands to the axis.

        Returns:
            (B, D, H, W) features; those of pixels that are not valid mean nothing.
        """
        return self.encode(self.embed(image, valid, bands), valid)

    def embed(self, image: Tensor, valid: Tensor, bands: BandMap) -> Tokens:
        """Tokens of both branches, before they attend to anything; see `forward`."""
        groups, cover = self.condense(image, valid, bands)  # (B, N, G, d), (G,)
        pixels = self.pixel_token(groups.flatten(2))  # (B, N, D)
        spectrum = self.group_token(_mean_and_spread(groups, valid.flatten(1)))  # (B, G, D)
        return Tokens(pixels, spectrum, cover > 0)

    def embed_grid(
        self, image: Tensor, valid: Tensor, bands: BandMap, stride_px: int
    ) -> WindowGridTokens:
        """Tokens of all windows of a stretch, as `embed` gives them window by window.

        Args:
            image: (C, H, W) float32 of any size from a window's on; any value where not ``valid``.
            valid: (H, W) bool.
            bands: From the C bands to the axis.
            stride_px: Step from one window to the next, from the first pixel on.
        """
        G, d, size = self.config.groups, self.config.group_width, self.config.window_px
        groups, cover = self.condense(image[None], valid[None], bands)  # (1, N, G, d), (G,)
        flat = groups.view(*valid.shape, G * d)

        def summed(values: Tensor) -> Tensor:
            """(H, W, ...) to (R, Q, ...): over windows, rows first."""
            rows = values.unfold(0, size, stride_px).sum(dim=-1)
            return rows.unfold(1, size, stride_px).sum(dim=-1)

        count = summed(valid.float()).clamp(min=1)[..., None]
        mean = summed(flat) / count
        variance = (summed(flat.square()) / count - mean.square()).clamp(min=0)
        shape = (*mean.shape[:2], G, d)
        both = torch.cat([mean.view(shape), (variance + 1e-6).sqrt().view(shape)], dim=-1)
        return WindowGridTokens(self.pixel_token(flat), self.group_token(both), cover > 0)

    def encode(self, tokens: Tokens, valid: Tensor, places: Tensor | None = None) -> Tensor:
        """(B, D, H, W) features from tokens whose (B, H, W) pixels may have been replaced.

        Args:
            tokens: As `embed` gives them.
            valid: (B, H, W) bool.
            places: (B, H * W) where in a window each of the pixels lies, counted row by row: pixels
                may be some of a window's in any order. None: they are a window.
        """
        B, H, W = valid.shape
        code = self.place_code
        where = code[:H, :W].reshape(H * W, -1) if places is None else code.flatten(0, 1)[places]
        pixels = tokens.pixels + where
        spectrum = tokens.spectrum + self.wavelength_code
        hide_pixels = _attention_bias(valid.flatten(1))
        hide_groups = _attention_bias(tokens.covered[None])
        for block in self.blocks:
            pixels, spectrum = block(pixels, spectrum, hide_pixels, hide_groups)
        features: Tensor = self.norm(pixels)  # (B, N, D)
        return features.transpose(1, 2).reshape(B, -1, H, W)

    def condense(self, image: Tensor, valid: Tensor, bands: BandMap) -> tuple[Tensor, Tensor]:
        """Condense each pixel's bands to a few numbers for each group of slots.

        Returns:
            (B, N, G, d) numbers, 0 where a pixel is not valid or a group has no bands, and
            (G,) the share of each group's slots that have bands.
        """
        B, C, H, W = image.shape
        G, S, d = self.group_weight.shape
        # From bands to groups in one product: the axis itself is never filled.
        weight = torch.einsum("gsd,gsc->gdc", self.group_weight, bands.matrix.view(G, S, C))
        cover = bands.present.view(G, S).mean(dim=1)
        x = image.flatten(2).transpose(1, 2) - bands.centre  # (B, N, C)
        shift = torch.einsum("gsd,gs->gd", self.group_weight, bands.shift.view(G, S))
        groups = F.linear(x, weight.reshape(G * d, C)).view(B, H * W, G, d)
        groups = groups + shift + self.group_bias * cover[:, None]
        groups = groups * (cover > 0)[:, None]
        return groups * valid.flatten(1)[:, :, None, None], cover


class Block(nn.Module):
    """Self-attention in each branch, attention from each to the other, an MLP in each.

    Args:
        config: Of the network.
        last: Whether nothing follows that would read what the spectral branch still hears.
    """

    def __init__(self, config: S2FormerConfig, *, last: bool) -> None:
        super().__init__()
        self.to_pixels = config.cross_attention in ("both", "to_pixels")
        self.to_spectrum = config.cross_attention in ("both", "to_spectrum") and not last
        self.spectrum_is_read = self.to_pixels or not last
        self.pixels_self = Attention(config)
        self.pixels_mlp = _mlp(config)
        if self.spectrum_is_read:
            self.spectrum_self = Attention(config)
        if self.to_pixels:
            self.pixels_from_spectrum = Attention(config)
        if self.to_spectrum:
            self.spectrum_from_pixels = Attention(config)
        if not last:
            self.spectrum_mlp = _mlp(config)
        self.last = last

    def forward(
        self,
        pixels: Tensor,
        spectrum: Tensor,
        hide_pixels: Tensor | None,
        hide_groups: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """(B, N, D) pixels and (B, G, D) spectrum to the same shapes."""
        pixels = pixels + self.pixels_self(pixels, pixels, hide_pixels)
        if self.spectrum_is_read:
            spectrum = spectrum + self.spectrum_self(spectrum, spectrum, hide_groups)
        # Both directions read the other branch as it was: neither goes first.
        before = pixels, spectrum
        if self.to_pixels:
            pixels = pixels + self.pixels_from_spectrum(*before, hide_groups)
        if self.to_spectrum:
            spectrum = spectrum + self.spectrum_from_pixels(*before[::-1], hide_pixels)
        if not self.last:
            spectrum = spectrum + self.spectrum_mlp(spectrum)
        return pixels + self.pixels_mlp(pixels), spectrum


class Attention(nn.Module):
    """Pre-norm multi-head attention of one set of tokens to another (or to itself)."""

    def __init__(self, config: S2FormerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = nn.LayerNorm(config.width)
        self.context_norm = nn.LayerNorm(config.width)
        self.query = nn.Linear(config.width, config.width)
        self.key_value = nn.Linear(config.width, 2 * config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, tokens: Tensor, context: Tensor, hide: Tensor | None) -> Tensor:
        """(B, T, D) tokens, (B, M, D) context and its (B or 1, 1, 1, M) bias to (B, T, D)."""
        B, T, D = tokens.shape
        split = (B, -1, self.heads, D // self.heads)
        q = self.query(self.norm(tokens)).view(split).transpose(1, 2)  # (B, heads, T, D / heads)
        k, v = self.key_value(self.context_norm(context)).chunk(2, dim=-1)
        k, v = k.view(split).transpose(1, 2), v.view(split).transpose(1, 2)
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=hide)
        mixed: Tensor = self.out(seen.transpose(1, 2).reshape(B, T, D))
        return mixed


def _mlp(config: S2FormerConfig) -> nn.Module:
    hidden = config.mlp_ratio * config.width
    return nn.Sequential(
        nn.LayerNorm(config.width),
        nn.Linear(config.width, hidden),
        nn.GELU(),
        nn.Linear(hidden, config.width),
    )


def _mean_and_spread(groups: Tensor, valid: Tensor) -> Tensor:
    """(B, N, G, d) and (B, N) to (B, G, 2 d): mean and standard deviation over valid pixels."""
    count = valid.sum(dim=1).clamp(min=1)[:, None, None]
    mean = groups.sum(dim=1) / count  # pixels that are not valid are 0 already
    off = (groups - mean[:, None]) * valid[:, :, None, None]
    spread = (off.square().sum(dim=1) / count + 1e-6).sqrt()
    return torch.cat([mean, spread], dim=-1)


def _attention_bias(visible: Tensor) -> Tensor | None:
    """(B, M) bool to a (B, 1, 1, M) bias that hides tokens; None if all are visible.

    A finite bias, so that a window without a single visible token gives numbers, not NaN.
    """
    if bool(visible.all()):
        return None
    bias = torch.zeros(visible.shape, device=visible.device)
    return bias.masked_fill(~visible, -1e4)[:, None, None, :]


def _sinusoids(positions: npt.NDArray[np.float64], width: int) -> Tensor:
    """(M,) positions to (M, width) sines and cosines of falling frequency (arXiv 1706.03762)."""
    rates = 10000.0 ** (-np.arange(width // 2) / (width // 2))
    angles = positions[:, None] * rates[None, :]
    return torch.tensor(np.concatenate([np.sin(angles), np.cos(angles)], 1), dtype=torch.float32)


def _place_code(size_px: int, width: int) -> Tensor:
    """(size_px, size_px, width): half the code tells the row, half the column."""
    along = _sinusoids(np.arange(size_px, dtype=np.float64), width // 2)
    rows = along[:, None, :].expand(size_px, size_px, -1)
    cols = along[None, :, :].expand(size_px, size_px, -1)
    return PLACE_CODE_SIZE * torch.cat([rows, cols], dim=-1)
