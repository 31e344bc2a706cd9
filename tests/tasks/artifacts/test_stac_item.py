"""STAC items of models: valid, with the bands, classes and windows that the model has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from builders import model_for, run
from stac_rules import problems

from hsi_geo import adapt, open_scene
from hsi_geo.errors import OptionError
from hsi_geo.tasks.artifacts.stac_item import model_item

pystac = pytest.importorskip("pystac", reason="needs the extra batch")

from pystac.extensions.eo import EOExtension
from pystac.extensions.mlm import MLMExtension
from pystac.validation import validate_dict
from pystac.validation.stac_validator import GetSchemaError

Planted = Any  # defined in conftest, which tests cannot import


def test_item_describes_the_model(planted: Planted) -> None:
    model = model_for(planted.path)
    item = model_item(model, [open_scene(planted.path).hsi.grid], "Modell ä.safetensors")
    plain = item.to_dict(include_self_link=False, transform_hrefs=False)
    validate_dict({**json.loads(json.dumps(plain)), "stac_extensions": []})
    assert problems(json.loads(json.dumps(plain))) == []
    about = MLMExtension.ext(item)
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", about.name)
    centres = model.spectral.centres_nm
    (given,), (made,) = about.input, about.output
    assert given.input.shape == [-1, len(centres), model.tiling.size_px, model.tiling.size_px]
    bands = EOExtension.ext(item.assets["model"]).bands or []
    named = [band.name for band in bands]
    assert [band["name"] for band in given.to_dict()["bands"]] == named
    assert [band.center_wavelength for band in bands] == pytest.approx(centres / 1000, abs=1e-6)
    assert made.result.shape[1] == len(model.classes)
    assert [(c.value, c.title, f"#{str(c.color_hint).lower()}") for c in made.classes or ()] == [
        (c.id, c.name, c.color) for c in model.classes
    ]
    assert about.total_parameters == sum(p.numel() for p in model.classifier.parameters())
    assert item.assets["model"].href == "./Modell ä.safetensors"
    assert "mlm:model" in (item.assets["model"].roles or ())
    assert item.bbox is not None
    assert 13 < item.bbox[0] < item.bbox[2] < 14
    try:
        assert len(item.validate()) == 3
    except GetSchemaError:
        pytest.skip("needs the web, where the schemas of STAC extensions lie")


@pytest.mark.slow
def test_adapt_writes_the_item(quick: None, planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    out = tmp_path / "m.safetensors"
    shown = run("adapt", planted.path, "--shots", shots, "-o", out, "--stac")
    assert shown.exit_code == 0, shown.stderr
    item = pystac.Item.from_file(str(tmp_path / "m.json"))
    assert (tmp_path / item.assets["model"].href).exists()
    assert str(tmp_path / "m.json") in shown.stdout
    with pytest.raises(OptionError, match="describes a file"):
        adapt(planted.path, shots, stac=True)
