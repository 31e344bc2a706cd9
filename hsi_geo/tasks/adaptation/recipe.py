"""Hyperparameters of an adaptation, as plain values: importing them imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from hsi_geo.arguments import require_word
from hsi_geo.models.s2former_config import S2FormerConfig

#: What the student is compared with, see `FineTuneConfig`.
Target = Literal["teacher", "shots", "ema"]

#: What is learnt from the shots, see `Recipe`.
Method = Literal["daft", "linear"]

#: Epochs of the default number of steps: how often each pixel is used on average.
EPOCHS = 8

#: Bounds of the default number of steps. A small scene is soon overfitted, including the teacher's errors; in a
#: large one more steps gain little.
MIN_STEPS, MAX_STEPS = 75, 300


@dataclass(frozen=True, slots=True)
class FineTuneConfig:
    """How the network is fine-tuned.

    Attributes:
        target: What the student is compared with: "teacher" for the teacher's posteriors, "shots" for the
            labels of the shots only, "ema" for these labels and the predictions of the student's own moving
            average (mean teacher).
        steps: Number of updates; None for a number that depends on the number of pixels.
        batch: Number of windows in an update.
        pixel_fraction: Share of a window's pixels that an update uses if the target is the teacher, 0 to 1;
            the pixels are drawn anew each time. Neighbours are similar, so that few pixels of many windows
            teach more than many pixels of few windows, in the same time. For other targets all pixels are used, because shots are few.
        muon_lr: Learning rate of Muon, for the backbone's matrices. This and the other rates are maxima; all
            rates rise during the first steps, then fall.
        adamw_lr: Learning rate of AdamW for the other parameters of the backbone.
        head_lr: Learning rate of AdamW for the head.
        weight_decay: Weight decay of the backbone's matrices and of the head.
        noise: Noise levels: standard deviations of the noise on pixel tokens, in units of the tokens' own
            standard deviation. The first level belongs to the teacher's last posterior, the last level to its
            first.
        brightness_jitter: Standard deviation of the random factor on a window's values at noise level 1, since
            illumination differs between tiles.
        clean_fraction: Share of windows without noise, 0 to 1.
        ema_decay: Decay of the moving average of the weights, 0 to 1.
    """

    target: Target = "teacher"
    steps: int | None = None
    batch: int = 32
    pixel_fraction: float = 0.125
    muon_lr: float = 2e-2
    adamw_lr: float = 4e-3
    head_lr: float = 1.2e-2
    weight_decay: float = 0.01
    noise: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0)
    brightness_jitter: float = 0.1
    clean_fraction: float = 0.5
    ema_decay: float = 0.99

    def __post_init__(self) -> None:
        """Refuse a target that would be taken for another.

        Raises:
            OptionError: If ``target`` is another word.
        """
        require_word("target", self.target, get_args(Target))

    def steps_for(self, pixels: int, window_px: int) -> int:
        """Choose the number of updates.

        Args:
            pixels: Number of pixels with data in all regions.
            window_px: Side of a window in pixels.

        Returns:
            ``steps`` if it is set; otherwise the number with which each pixel is used `EPOCHS` times, within
            `MIN_STEPS` and `MAX_STEPS`.

        Examples:
            >>> FineTuneConfig().steps_for(24_000, 16)
            188
            >>> FineTuneConfig().steps_for(1_000, 16)
            75
        """
        if self.steps is not None:
            return self.steps
        pixels_per_step = self.batch * self.pixel_fraction * window_px**2
        return min(MAX_STEPS, max(MIN_STEPS, round(EPOCHS * pixels / pixels_per_step)))


@dataclass(frozen=True, slots=True)
class Recipe:
    """Hyperparameters of the adaptation; the default is the same for all scenes.

    Attributes:
        network: Hyperparameters of the S2Former, for an adaptation without pre-trained weights.
        stride_px: Step between windows when mapping, in pixels.
        method: "daft" fine-tunes the whole network, "linear" fits a linear head on the frozen encoder.
        fine_tuning: Hyperparameters of the fine-tuning.
        budget_px: Approximate number of pixels in the training regions.
        use_encoder_features: Whether the teacher's classifiers get the encoder's features as well;
            False is an ablation.
        trust_shots: Whether all shots weigh the same. Otherwise shots whose label looks wrong weigh less.
    """

    network: S2FormerConfig = field(default_factory=S2FormerConfig)
    stride_px: int = 14
    method: Method = "daft"
    fine_tuning: FineTuneConfig = field(default_factory=FineTuneConfig)
    budget_px: int = 40_000
    use_encoder_features: bool = True
    trust_shots: bool = False

    def __post_init__(self) -> None:
        """Refuse a method that would be taken for another.

        Raises:
            OptionError: If ``method`` is another word.
        """
        require_word("method", self.method, get_args(Method))
