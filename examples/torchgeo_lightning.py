"""Use the pre-trained network inside your own TorchGeo and Lightning code.

Run it with `python examples/torchgeo_lightning.py [FOLDER] [STEPS]`. Scene and shots are TorchGeo
datasets, sampled around the shots. A short LightningModule trains S2Former with a linear head on
them. The map is drawn into FOLDER/torchgeo_lightning.png. This is plain fine-tuning, which is less
accurate than the method of `hsi-geo classify`; change it to try your own method.
"""

import sys
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchgeo.datasets import stack_samples

from hsi_geo import HyperspectralScene, ShotLabels, ShotSampler, open_scene, read_shots
from hsi_geo.io.reports.figures import draw_map
from hsi_geo.io.scenes.previews import preview
from hsi_geo.io.scenes.properties import bands_of, select_good_bands
from hsi_geo.models.classifier import band_map
from hsi_geo.models.wavelength_axis import BandMap
from hsi_geo.models.whitening import SpectralStats
from hsi_geo.tasks.artifacts.shipped import SHIPPED
from hsi_geo.tasks.artifacts.weights import load_weights
from hsi_geo.tasks.demo import write_inputs
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats
from hsi_geo.tasks.inference.sliding_window import SlidingWindow, each_window
from hsi_geo.tiling import Tiling


class Segmenter(pl.LightningModule):
    """S2Former with a linear head, trained on the pixels that have a label."""

    def __init__(self, classes: int, spectral: SpectralStats) -> None:
        super().__init__()
        self.encoder = load_weights(SHIPPED).encoder.train()
        self.head = nn.Conv2d(self.encoder.config.width, classes, 1)
        # Projects the scene's bands, by wavelength, to the network's input.
        self.bands: BandMap = band_map(self.encoder.config, spectral, spectral.centres_nm)

    def forward(self, image: Tensor, valid: Tensor) -> Tensor:
        """(B, C, H, W) values and (B, H, W) validity to (B, K, H, W) logits."""
        logits: Tensor = self.head(self.encoder(image, valid, self.bands.to(self.device)))
        return logits

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """Cross-entropy of the labelled pixels; the mask is -1 elsewhere."""
        logits = self(batch["image"], batch["valid"])
        loss = nn.functional.cross_entropy(logits, batch["mask"], ignore_index=-1)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """A higher learning rate for the head than for the pre-trained encoder."""
        return torch.optim.AdamW(
            [
                {"params": self.encoder.parameters(), "lr": 1e-4},
                {"params": self.head.parameters(), "lr": 1e-2},
            ]
        )


def main(folder: Path, steps: int = 150) -> None:
    """Train, predict the scene in sliding windows, draw the map."""
    scene_path, shots_path, _ = write_inputs(folder)
    shots = read_shots(shots_path)
    images = HyperspectralScene(scene_path)
    labels = ShotLabels(shots, like=images)

    pl.seed_everything(0, verbose=False)
    spectral = learn_spectral_stats(images.views)
    model = Segmenter(len(shots.classes), spectral)
    size = model.encoder.config.window_px
    sampler = ShotSampler(labels, size_px=size, length=16 * steps, generator=0)
    loader: DataLoader[Any] = DataLoader(
        images & labels, batch_size=16, sampler=sampler, collate_fn=stack_samples
    )
    trainer = pl.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, loader)
    print(f"last loss {float(trainer.callback_metrics['loss']):.3f}")

    # Windows that overlap by half, blended; `hsi-geo predict` does the same strip by strip.
    view = select_good_bands(open_scene(scene_path))
    assert np.array_equal(bands_of(view).centres_nm, spectral.centres_nm)
    tiling = Tiling(size, size // 2)
    sliding = SlidingWindow(view, tiling, each_window(model.eval(), tiling), len(shots.classes))
    logits, valid = sliding.block(images.grids[0].window)
    ids = np.where(valid, logits.argmax(axis=0) + 1, 0)
    picture = folder / "torchgeo_lightning.png"
    draw_map(picture, scene=preview(view), predicted=ids, classes=shots.classes, title="Lightning")
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(
        Path(sys.argv[1] if len(sys.argv) > 1 else "demo"),
        int(sys.argv[2]) if len(sys.argv) > 2 else 150,
    )
