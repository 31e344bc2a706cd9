"""S2Former: a dual-branch spatial-spectral transformer with bidirectional cross-attention.

The input is a window of a scene, the output a feature vector for each of its pixels. The spatial
branch has a token for each pixel, the spectral branch a token for each group of bands. In every block
each branch applies self-attention, then each attends to the other (`Block`). Two branches and cross-attention
in both directions follow the abstract of arXiv 2601.18088, which gives no more detail; the sizes and
the embedding by wavelength are our choice.

Bands are embedded by wavelength: each is resampled to a common axis by its centre and width
(`wavelength_axis`), so that one set of weights serves any sensor, and the order of bands does not
matter.

Letters for shapes: B windows, C bands, K slots of the axis, G groups of S slots (K = G * S), N = H * W
pixels of a window, D width of a token, d width of a group's vector.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hsi_geo.arrays import Float64Array
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import BandMap

#: Scale of the position encoding. It is small beside a pixel's spectrum, since the position in a window
#: is arbitrary.
POSITION_ENCODING_SCALE = 0.1

#: Added to the attention logits of masked tokens. It is finite, so that a window in which all tokens are
#: masked gives numbers and not NaN.
MASKED_LOGIT = -1e4


class Tokens(NamedTuple):
    """The tokens of some windows before the first attention.

    Attributes:
        pixels: (B, N, D) tokens of the spatial branch.
        spectrum: (B, G, D) tokens of the spectral branch.
        covered: (G,) whether a group has any bands.
    """

    pixels: Tensor
    spectrum: Tensor
    covered: Tensor


class WindowGridTokens(NamedTuple):
    """The tokens of a region's overlapping windows; pixel tokens are stored once for all windows.

    Attributes:
        pixels: (H, W, D) tokens of the spatial branch.
        spectrum: (R, Q, G, D) tokens of the spectral branch, for R rows of Q windows.
        covered: (G,) whether a group has any bands.
    """

    pixels: Tensor
    spectrum: Tensor
    covered: Tensor


class S2Former(nn.Module):
    """The dual-branch transformer; the module's docstring explains the idea and the letters of shapes.

    Args:
        config: Shape of the network.

    Attributes:
        config: Shape of the network.

    Examples:
        >>> import numpy as np
        >>> from hsi_geo.models.wavelength_axis import resample_to_axis
        >>> encoder = S2Former(S2FormerConfig(window_px=8, width=16, depth=1, heads=2)).eval()
        >>> centres = np.linspace(450.0, 900.0, 30)
        >>> bands = resample_to_axis(encoder.config, centres, np.full(30, 15.0))
        >>> image, valid = torch.zeros(2, 30, 8, 8), torch.ones(2, 8, 8, dtype=torch.bool)
        >>> encoder(image, valid, bands).shape
        torch.Size([2, 16, 8, 8])
    """

    def __init__(self, config: S2FormerConfig) -> None:
        super().__init__()
        self.config = config
        G, S, d, D = config.groups, config.slots_per_group, config.group_width, config.width
        self.group_weight = nn.Parameter(torch.randn(G, S, d) / math.sqrt(S))
        self.group_bias = nn.Parameter(torch.zeros(G, d))  # times the share of slots present
        self.pixel_token = nn.Linear(G * d, D)
        self.group_token = nn.Linear(2 * d, D)
        centres = config.slots_nm.reshape(G, S).mean(axis=1)
        self.wavelength_encoding: Tensor
        self.position_encoding: Tensor
        wavelengths, positions = _sinusoids(centres / 100.0, D), _positions_2d(config.window_px, D)
        self.register_buffer("wavelength_encoding", wavelengths, persistent=False)
        self.register_buffer("position_encoding", positions, persistent=False)
        last = config.depth - 1
        self.blocks = nn.ModuleList(Block(config, last=i == last) for i in range(config.depth))
        self.norm = nn.LayerNorm(D)

    def forward(self, image: Tensor, valid: Tensor, bands: BandMap) -> Tensor:
        """Compute a feature vector for every pixel.

        Args:
            image: (B, C, H, W) float32 physical values, with H and W at most ``window_px``; values where
                ``valid`` is False have no effect.
            valid: (B, H, W) bool, whether a pixel has data.
            bands: Map from the C bands to the wavelength axis.

        Returns:
            (B, D, H, W) features; those of pixels without data are undefined.
        """
        return self.encode(self.embed(image, valid, bands), valid)

    def embed(self, image: Tensor, valid: Tensor, bands: BandMap) -> Tokens:
        """Compute the tokens of both branches before the first attention.

        Args:
            image: (B, C, H, W) values as for `forward`.
            valid: (B, H, W) bool, whether a pixel has data.
            bands: Map from the C bands to the wavelength axis.
        """
        groups, cover = self.project_to_groups(image, valid, bands)  # (B, N, G, d), (G,)
        pixels = self.pixel_token(groups.flatten(2))  # (B, N, D)
        spectrum = self.group_token(_mean_and_std(groups, valid.flatten(1)))  # (B, G, D)
        return Tokens(pixels, spectrum, cover > 0)

    def embed_grid(
        self, image: Tensor, valid: Tensor, bands: BandMap, stride_px: int
    ) -> WindowGridTokens:
        """Compute the tokens of all windows of a region, equal to those of `embed` for each window.

        Args:
            image: (C, H, W) float32 values of a region of at least one window; values where ``valid`` is
                False have no effect.
            valid: (H, W) bool, whether a pixel has data.
            bands: Map from the C bands to the wavelength axis.
            stride_px: Step from one window to the next in pixels; the first window begins at the first
                pixel.
        """
        G, d, size = self.config.groups, self.config.group_width, self.config.window_px
        groups, cover = self.project_to_groups(
            image[None], valid[None], bands
        )  # (1, N, G, d), (G,)
        flat = groups.view(*valid.shape, G * d)

        def window_sums(values: Tensor) -> Tensor:
            """(H, W, ...) values to (R, Q, ...) sums over windows; rows are summed first."""
            rows = values.unfold(0, size, stride_px).sum(dim=-1)
            return rows.unfold(1, size, stride_px).sum(dim=-1)

        count = window_sums(valid.float()).clamp(min=1)[..., None]
        mean = window_sums(flat) / count
        variance = (window_sums(flat.square()) / count - mean.square()).clamp(min=0)
        shape = (*mean.shape[:2], G, d)
        both = torch.cat([mean.view(shape), (variance + 1e-6).sqrt().view(shape)], dim=-1)
        return WindowGridTokens(self.pixel_token(flat), self.group_token(both), cover > 0)

    def encode(self, tokens: Tokens, valid: Tensor, positions: Tensor | None = None) -> Tensor:
        """Apply the transformer blocks to tokens, some of which may have been replaced.

        Args:
            tokens: Tokens as `embed` returns them.
            valid: (B, H, W) bool, whether a pixel has data.
            positions: (B, H * W) flat index of each pixel in its window, row by row, for pixels that are
                a subset of the window's pixels in any order. None if they are the whole window, or its
                upper left part.

        Returns:
            (B, D, H, W) features.
        """
        B, H, W = valid.shape
        encoding = self.position_encoding
        if positions is None:
            added = encoding[:H, :W].reshape(H * W, -1)
        else:
            added = encoding.flatten(0, 1)[positions]
        pixels = tokens.pixels + added
        spectrum = tokens.spectrum + self.wavelength_encoding
        pixel_mask = _attention_mask(valid.flatten(1))
        group_mask = _attention_mask(tokens.covered[None])
        for block in self.blocks:
            pixels, spectrum = block(pixels, spectrum, pixel_mask, group_mask)
        features: Tensor = self.norm(pixels)  # (B, N, D)
        return features.transpose(1, 2).reshape(B, -1, H, W)

    def project_to_groups(
        self, image: Tensor, valid: Tensor, bands: BandMap
    ) -> tuple[Tensor, Tensor]:
        """Project each pixel's bands to a short vector for each group of slots.

        Args:
            image: (B, C, H, W) values as for `forward`.
            valid: (B, H, W) bool, whether a pixel has data.
            bands: Map from the C bands to the wavelength axis.

        Returns:
            (B, N, G, d) vectors, 0 where a pixel has no data or a group has no bands, and (G,) the share
            of each group's slots that have bands.
        """
        B, C, H, W = image.shape
        G, S, d = self.group_weight.shape
        # One product goes from bands to groups: the K slots of the axis are never computed.
        weight = torch.einsum("gsd,gsc->gdc", self.group_weight, bands.matrix.view(G, S, C))
        cover = bands.present.view(G, S).mean(dim=1)
        shift = torch.einsum("gsd,gs->gd", self.group_weight, bands.shift.view(G, S))
        # A product with a bias, since each further pass over the pixels takes as long as the product. Rows of missing slots
        # are 0, so that a group without bands is 0.
        offset = (shift + self.group_bias * cover[:, None]) * (cover > 0)[:, None]
        x = image.flatten(2).transpose(1, 2) - bands.centre  # (B, N, C)
        groups = torch.addmm(offset.flatten(), x.flatten(0, 1), weight.reshape(G * d, C).T)
        return groups.view(B, H * W, G, d) * valid.flatten(1)[:, :, None, None], cover


class Block(nn.Module):
    """A transformer block: self-attention in each branch, cross-attention, and an MLP in each branch.

    Of several blocks, both directions of the cross-attention use the other branch as it was before either, and the last
    one leaves out what only changes the spectral tokens, which nothing uses after it. A single block has both directions
    in turn: the spectral tokens read the pixels, and then the pixels read the spectral tokens.

    Args:
        config: Shape of the network.
        last: Whether this is the last block.
    """

    def __init__(self, config: S2FormerConfig, *, last: bool) -> None:
        super().__init__()
        self.to_pixels = config.cross_attention in ("both", "to_pixels")
        self.in_turn = config.depth == 1
        self.to_spectrum = config.cross_attention in ("both", "to_spectrum") and (
            not last or (self.in_turn and self.to_pixels)
        )
        self.spectrum_is_used = self.to_pixels or not last
        self.pixels_self = Attention(config)
        self.pixels_mlp = _mlp(config)
        if self.spectrum_is_used:
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
        pixel_mask: Tensor | None,
        group_mask: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Apply the block.

        Args:
            pixels: (B, N, D) tokens of the spatial branch.
            spectrum: (B, G, D) tokens of the spectral branch.
            pixel_mask: (B, 1, 1, N) additive attention mask of pixels, None if all have data.
            group_mask: (1, 1, 1, G) additive attention mask of groups, None if all have bands.

        Returns:
            Tokens of both branches, of the same shapes.
        """
        pixels = pixels + self.pixels_self(pixels, pixels, pixel_mask)
        if self.spectrum_is_used:
            spectrum = spectrum + self.spectrum_self(spectrum, spectrum, group_mask)
        before = spectrum
        if self.to_spectrum:
            spectrum = spectrum + self.spectrum_from_pixels(spectrum, pixels, pixel_mask)
        if self.to_pixels:
            read = spectrum if self.in_turn else before
            pixels = pixels + self.pixels_from_spectrum(pixels, read, group_mask)
        if not self.last:
            spectrum = spectrum + self.spectrum_mlp(spectrum)
        return pixels + self.pixels_mlp(pixels), spectrum


class Attention(nn.Module):
    """Pre-norm multi-head attention from one set of tokens to another set or to itself.

    Args:
        config: Shape of the network.
    """

    def __init__(self, config: S2FormerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.norm = nn.LayerNorm(config.width)
        self.context_norm = nn.LayerNorm(config.width)
        self.query = nn.Linear(config.width, config.width)
        self.key_value = nn.Linear(config.width, 2 * config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, tokens: Tensor, context: Tensor, attn_mask: Tensor | None) -> Tensor:
        """Attend from tokens to a context.

        Args:
            tokens: (B, T, D) tokens that the queries are computed from.
            context: (B, M, D) tokens that the keys and values are computed from.
            attn_mask: (B or 1, 1, 1, M) additive attention mask of the context, None for no mask.

        Returns:
            (B, T, D) update of the tokens.
        """
        B, T, D = tokens.shape
        split = (B, -1, self.heads, D // self.heads)
        q = self.query(self.norm(tokens)).view(split).transpose(1, 2)  # (B, heads, T, D / heads)
        k, v = self.key_value(self.context_norm(context)).chunk(2, dim=-1)
        k, v = k.view(split).transpose(1, 2), v.view(split).transpose(1, 2)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask)
        update: Tensor = self.out(attended.transpose(1, 2).reshape(B, T, D))
        return update


def _mlp(config: S2FormerConfig) -> nn.Module:
    hidden = config.mlp_ratio * config.width
    return nn.Sequential(
        nn.LayerNorm(config.width),
        nn.Linear(config.width, hidden),
        nn.GELU(),
        nn.Linear(hidden, config.width),
    )


def _mean_and_std(groups: Tensor, valid: Tensor) -> Tensor:
    """(B, N, G, d) and (B, N) to (B, G, 2 d): mean and standard deviation over valid pixels."""
    count = valid.sum(dim=1).clamp(min=1)[:, None, None]
    mean = groups.sum(dim=1) / count  # pixels that are not valid are 0 already
    variance = (groups.square().sum(dim=1) / count - mean.square()).clamp(min=0)
    return torch.cat([mean, (variance + 1e-6).sqrt()], dim=-1)


def _attention_mask(visible: Tensor) -> Tensor | None:
    """(B, M) bool to a (B, 1, 1, M) additive attention mask; None if all tokens are visible."""
    if bool(visible.all()):
        return None
    mask = torch.zeros(visible.shape, device=visible.device)
    return mask.masked_fill(~visible, MASKED_LOGIT)[:, None, None, :]


def _sinusoids(positions: Float64Array, width: int) -> Tensor:
    """(M,) positions to (M, width) sines and cosines of falling frequency (arXiv 1706.03762)."""
    rates = 10000.0 ** (-np.arange(width // 2) / (width // 2))
    angles = positions[:, None] * rates[None, :]
    return torch.tensor(np.concatenate([np.sin(angles), np.cos(angles)], 1), dtype=torch.float32)


def _positions_2d(size_px: int, width: int) -> Tensor:
    """(size_px, size_px, width): one half encodes the row, the other half the column."""
    along = _sinusoids(np.arange(size_px, dtype=np.float64), width // 2)
    rows = along[:, None, :].expand(size_px, size_px, -1)
    cols = along[None, :, :].expand(size_px, size_px, -1)
    return POSITION_ENCODING_SCALE * torch.cat([rows, cols], dim=-1)
