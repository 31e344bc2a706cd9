"""Pre-training: mixed scenes, interruption and resumption, several processes."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from builders import nm_tags, repeated, write_tif
from click.testing import CliRunner
from hsi_geo.cli.main import group

from hsi_geo.errors import HsiGeoError, ModelFileError, OptionError, SceneError
from hsi_geo.io.model_file import load
from hsi_geo.models.pretraining import MaskedReconstruction
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.tasks.artifacts.weights import load_weights

pytest.importorskip("lightning", reason="needs the extra pretrain")

from hsi_geo.tasks import pretrain as job
from hsi_geo.tasks.pretraining import batches as pretraining_batches
from hsi_geo.tasks.pretraining import lightning as pretraining_run
from hsi_geo.tasks.pretraining.recipe import PretrainRecipe
from hsi_geo.tasks.pretraining.run_folder import CHECKPOINT

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]

SMALL = S2FormerConfig(window_px=8, width=16, depth=1, heads=2)
RECIPE = PretrainRecipe(network=SMALL, steps=12, batch=4, checkpoint_every=4)


def weights_of(path: Path) -> dict[str, Any]:
    arrays, _ = load(path, "weights")
    return arrays


def same(one: Path, other: Path) -> bool:
    a, b = weights_of(one), weights_of(other)
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)


def test_pretrain_with_mixed_sensors_writes_weights_log_and_plot(
    make_scene: MakeScene, tmp_path: Path
) -> None:
    scenes = [make_scene("a.tif").path, make_scene("b.tif", bands=17, crs=None, seed=3).path]
    out = tmp_path / "w.safetensors"
    result = job.pretrain(scenes, out, recipe=RECIPE, accelerator="cpu")
    assert result.plot.read_bytes().startswith(b"\x89PNG")
    lines = result.log.read_text().splitlines()
    assert len(lines) == 13
    assert [line.split(",")[0] for line in lines[1:]] == [str(n) for n in range(1, 13)]
    weights = load_weights(out)
    assert weights.encoder.config == SMALL
    assert [entry["name"] for entry in weights.record["scenes"]] == ["a.tif", "b.tif"]
    assert not out.with_name("w.safetensors.run").exists()


@pytest.mark.slow
def test_scale_of_a_scene_is_logged_and_does_not_change_the_losses(
    make_scene: MakeScene, tmp_path: Path, recorder: Any
) -> None:
    """Reflectance from 0 to 1 beside reflectance x 10,000: each scene has its own statistics."""
    first, second = make_scene("a.tif"), make_scene("b.tif", seed=3)
    small = tmp_path / "small.tif"
    values = np.where(second.values == -999, -999, second.values * np.float32(1e-4))
    tags = nm_tags(list(second.centres_nm))
    write_tif(small, values.astype(np.float32), band_tags=tags, nodata=-999, crs=second.crs)
    losses = [
        job.pretrain(
            [first.path, other],
            tmp_path / name,
            recipe=RECIPE,
            accelerator="cpu",
            reporter=recorder,
        ).last_loss
        for name, other in (("same", second.path), ("mixed", small))
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    messages = [message for message in recorder.logs if "normalised by its own" in message]
    assert len(messages) == 1
    assert "small.tif' has values about 10,000 times smaller than scene" in messages[0]


@pytest.mark.slow
def test_pretrain_is_reproducible_by_its_seed(planted: Planted, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(seed + 40)
        before = torch.get_rng_state()
        job.pretrain(planted.path, tmp_path / name, recipe=RECIPE, accelerator="cpu", seed=seed)
        assert torch.equal(torch.get_rng_state(), before)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert not same(tmp_path / "a", tmp_path / "c")


@pytest.mark.slow
def test_bf16_gives_similar_losses(planted: Planted, tmp_path: Path) -> None:
    """bf16 if requested; it is the default on GPUs that support it."""
    losses = [
        job.pretrain(
            planted.path,
            tmp_path / precision,
            recipe=RECIPE,
            accelerator="cpu",
            precision=precision,
        ).last_loss
        for precision in ("32", "bf16")
    ]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


#: The program with the small network of this file.
PROGRAM = """
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.tasks.pretraining import batches as job
small = S2FormerConfig(window_px=8, width=16, depth=1, heads=2)
class Recipe(job.PretrainRecipe):
    def __init__(self, **given):
        super().__init__(**{"network": small, "batch": 4, **given})
job.PretrainRecipe = Recipe
import torch
torch.set_num_threads(1)
from hsi_geo.cli.main import main
if __name__ == "__main__":
    main()
"""


def start(tmp_path: Path, *args: object) -> subprocess.Popen[str]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, str(program), "pretrain", *map(str, args), "--progress", "jsonl"]
    return subprocess.Popen(
        [*command, "--accelerator", "cpu"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def finish(child: subprocess.Popen[str]) -> list[dict[str, Any]]:
    _, stderr = child.communicate(timeout=600)
    assert child.returncode == 0, stderr
    return [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_resumed_run_gives_the_weights_of_an_uninterrupted_one(
    make_scene: MakeScene, tmp_path: Path, how: signal.Signals
) -> None:
    scenes = [make_scene("a.tif").path, make_scene("b.tif", bands=17, seed=3).path]
    settings = ("--steps", 60, "--checkpoint-every", 10)
    finish(start(tmp_path, *scenes, "-o", tmp_path / "whole.safetensors", *settings))
    out = tmp_path / "broken.safetensors"
    with start(tmp_path, *scenes, "-o", out, *settings) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("{") and json.loads(line).get("done") == 34:
                break
        child.send_signal(how)
        child.stderr.read()
    assert child.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    assert not out.exists()
    events = finish(start(tmp_path, *scenes, "-o", out, *settings, "--resume"))
    steps = [event["done"] for event in events if event["type"] == "progress"]
    assert 30 < steps[0] <= 34
    assert same(tmp_path / "whole.safetensors", out)
    whole, broken = (tmp_path / f"{name}.csv" for name in ("whole", "broken"))
    assert whole.read_text() == broken.read_text()


def test_interrupted_run_is_not_overwritten_without_the_option(
    planted: Planted, tmp_path: Path
) -> None:
    run = tmp_path / "w.safetensors.run"
    run.mkdir()
    (run / CHECKPOINT).write_bytes(b"precious")
    with pytest.raises(OptionError, match="interrupted run"):
        job.pretrain(planted.path, tmp_path / "w.safetensors", recipe=RECIPE, accelerator="cpu")
    assert (run / CHECKPOINT).read_bytes() == b"precious"


def interrupted(planted: Planted, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that stops after its second checkpoint."""
    progress = pretraining_run.Progress.after_step

    def stop(self: Any, trainer: Any, *args: Any) -> None:
        if trainer.global_step == 10:
            raise HsiGeoError("stopped by the test")
        progress(self, trainer, *args)

    with monkeypatch.context() as patch:
        patch.setattr(pretraining_run.Progress, "after_step", stop)
        with pytest.raises(HsiGeoError, match="stopped by the test"):
            job.pretrain(planted.path, out, recipe=RECIPE, accelerator="cpu")


def test_checkpoint_of_another_run_raises(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "w.safetensors"
    interrupted(planted, out, monkeypatch)
    with pytest.raises(ModelFileError, match="another recipe"):
        job.pretrain(planted.path, out, recipe=RECIPE, accelerator="cpu", seed=9, resume=True)


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", pickle.dumps(print)])
def test_damaged_checkpoint_raises(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    out = tmp_path / "w.safetensors"
    interrupted(planted, out, monkeypatch)
    (tmp_path / "w.safetensors.run" / CHECKPOINT).write_bytes(damage)
    with pytest.raises(ModelFileError, match=r"damaged or no checkpoint.*overwrite=True"):
        job.pretrain(planted.path, out, recipe=RECIPE, accelerator="cpu", resume=True)


@pytest.mark.slow
def test_full_disk_keeps_the_previous_checkpoint(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lightning.pytorch as pl

    out = tmp_path / "w.safetensors"
    written: list[Path] = []
    save = pl.Trainer.save_checkpoint

    def full(self: pl.Trainer, path: Path, *args: Any) -> None:
        if written:
            Path(path).write_bytes(b"half")
            raise OSError(28, "No space left on device")
        save(self, path, *args)
        written.append(path)

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", full)
    with pytest.raises(HsiGeoError, match=r"step 8 cannot be written .*No space.*resume=True"):
        job.pretrain(planted.path, out, recipe=RECIPE, accelerator="cpu")
    monkeypatch.undo()
    job.pretrain(planted.path, out, recipe=RECIPE, accelerator="cpu", resume=True)
    job.pretrain(planted.path, tmp_path / "whole", recipe=RECIPE, accelerator="cpu")
    assert same(out, tmp_path / "whole")


def test_loss_that_is_nan_names_the_scene(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = MaskedReconstruction.compare

    def broken(self: MaskedReconstruction, *args: Any) -> Any:
        return compare(self, *args)._replace(reconstruction=torch.tensor(float("nan")))

    monkeypatch.setattr(MaskedReconstruction, "compare", broken)
    with pytest.raises(
        HsiGeoError, match=r"loss of step 1 is not a number, on scene '.*scene.tif'"
    ):
        job.pretrain(planted.path, tmp_path / "w", recipe=RECIPE, accelerator="cpu")
    assert not (tmp_path / "w").exists()


def test_scene_without_data_raises_with_its_name(planted: Planted, tmp_path: Path) -> None:
    with rasterio.open(planted.path, "r+") as file:
        file.write(np.full(planted.values.shape, -999, np.int16))
    with pytest.raises(SceneError, match=r"scene\.tif' has no data"):
        job.pretrain(planted.path, tmp_path / "w", recipe=RECIPE, accelerator="cpu")


def test_init_weights_are_used_and_checked(planted: Planted, tmp_path: Path) -> None:
    job.pretrain(planted.path, tmp_path / "a", recipe=RECIPE, accelerator="cpu")
    job.pretrain(
        planted.path, tmp_path / "b", recipe=RECIPE, accelerator="cpu", init=tmp_path / "a"
    )
    assert not same(tmp_path / "a", tmp_path / "b")
    other = PretrainRecipe(network=S2FormerConfig(window_px=8, width=32, heads=2), steps=2)
    with pytest.raises(ModelFileError, match="another shape"):
        job.pretrain(
            planted.path, tmp_path / "c", recipe=other, accelerator="cpu", init=tmp_path / "a"
        )
    (tmp_path / "pickle").write_bytes(pickle.dumps({"encoder": 1}))
    with pytest.raises(ModelFileError, match="no pickle is ever read"):
        job.pretrain(
            planted.path, tmp_path / "d", recipe=RECIPE, accelerator="cpu", init=tmp_path / "pickle"
        )


def test_missing_scene_is_one_sentence(tmp_path: Path) -> None:
    completed = CliRunner().invoke(
        group, ["pretrain", str(tmp_path / "none.tif"), "-o", str(tmp_path / "w.safetensors")]
    )
    assert completed.exit_code == 1
    assert completed.stderr.startswith("Error: scene '")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_two_processes_share_the_batches(make_scene: MakeScene, tmp_path: Path) -> None:
    """DDP over gloo: two processes of 4 windows a step."""
    scenes = [make_scene("a.tif").path, make_scene("b.tif", bands=17, seed=3).path]
    out = tmp_path / "two.safetensors"
    settings = ("--steps", 6, "--checkpoint-every", 3, "--devices", 2, "--strategy", "ddp")
    child = start(tmp_path, *scenes, "-o", out, *settings)
    events = finish(child)
    assert [e["done"] for e in events if e["type"] == "progress"] == list(range(1, 7))
    assert sum(e["type"] == "result" for e in events) == 1
    assert len(out.with_suffix(".csv").read_text().splitlines()) == 7
    finish(start(tmp_path, *scenes, "-o", tmp_path / "one.safetensors", *settings[:4]))
    assert not same(out, tmp_path / "one.safetensors")


@pytest.mark.parametrize("first", [0, 4])
def test_batch_numbers_are_distributed_once(first: int) -> None:
    """Two processes see different batches, and after a resumption those still to come."""
    recipe = PretrainRecipe(steps=10)
    seen: list[int] = []
    for rank in range(2):
        batches = pretraining_batches.Batches([_Stub()], recipe, 0, 0, first)  # type: ignore[list-item]
        batches.trainer = _Trainer(rank)  # type: ignore[assignment]
        seen += list(batches.train_dataloader().sampler)
    assert sorted(seen) == list(range(2 * first, 20))


class _Stub:
    pixels = 1


class _Trainer:
    world_size = 2

    def __init__(self, rank: int) -> None:
        self.global_rank = rank


@pytest.mark.slow
def test_scene_of_20_gb_is_not_loaded_into_memory(make_scene: MakeScene, tmp_path: Path) -> None:
    """A file repeated 256 x 256 times: 9,472 x 13,568 pixels of 90 bands."""
    scene = make_scene("block.tif", bands=90, tiled=True, blockxsize=16, blockysize=16)
    big = scene.path
    for level in range(4):
        big = repeated(big, tmp_path / f"level{level}.vrt", scene, (4, 4))
    with rasterio.open(big) as file:
        assert file.width * file.height * file.count * 2 > 20e9
    code = (
        "import resource\n"
        "from hsi_geo.models.s2former_config import S2FormerConfig\n"
        "from hsi_geo.tasks import pretrain as job\n"
        "from hsi_geo.tasks.pretraining.recipe import PretrainRecipe\n"
        "small = S2FormerConfig(window_px=8, width=16, depth=1, heads=2)\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6\n"
        "recipe = PretrainRecipe(network=small, steps=20, batch=16, checkpoint_every=10)\n"
        "before = peak()\n"
        f"job.pretrain({str(big)!r}, {str(tmp_path / 'w')!r}, recipe=recipe,\n"
        "    accelerator='cpu')\n"
        "print(before, peak())\n"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    before, after = (float(number) for number in run.stdout.split())
    assert after - before < 1.0, f"{before:.2f} GB before, {after:.2f} GB at most"
