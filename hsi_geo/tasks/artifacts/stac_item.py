"""A STAC item of a model, by which catalogues find it: the extension Machine Learning Model (MLM)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely

from hsi_geo.tasks.artifacts.model import AdaptedModel
from hsi_geo.tiling import Grid

if TYPE_CHECKING:
    from pystac import Item
    from pystac.extensions.eo import Band

#: Time of items of scenes without one: STAC wants an interval then.
_ALWAYS = ("1900-01-01T00:00:00Z", "9999-12-31T23:59:59Z")


def write_model_item(
    model: AdaptedModel, grids: Sequence[Grid], model_path: Path, path: Path
) -> None:
    """Write the STAC item of a model.

    Args:
        model: The model.
        grids: Grids of the scenes that it was adapted to; the item has their footprint.
        model_path: File of the model, in the folder of the item.
        path: JSON file to write.
    """
    item = model_item(model, grids, model_path.name)
    text = json.dumps(
        item.to_dict(include_self_link=False, transform_hrefs=False), indent=1, ensure_ascii=False
    )
    path.write_text(text + "\n", encoding="utf-8")


def model_item(model: AdaptedModel, grids: Sequence[Grid], file_name: str) -> Item:
    """Describe a model as a STAC item: its bands, classes, windows and training.

    Args:
        model: The model.
        grids: Grids of the scenes that it was adapted to.
        file_name: Name of the model's file, beside the item.
    """
    import pystac
    from pystac.extensions.eo import EOExtension
    from pystac.extensions.mlm import (
        AssetGeneralMLMExtension,
        Hyperparameters,
        InputStructure,
        MLMExtension,
        ModelBand,
        ModelInput,
        ModelOutput,
        ResultStructure,
        TaskType,
    )
    from pystac.extensions.raster import DataType

    from hsi_geo.io.maps.outlines import bbox_of, footprint_of
    from hsi_geo.io.maps.stac_items import classification_of

    shapes = [shape for shape in map(footprint_of, grids) if shape is not None]
    footprint = shapely.union_all(shapes) if shapes else None
    stem = Path(file_name).stem
    item = pystac.Item(
        id=stem,
        geometry=None if footprint is None else shapely.geometry.mapping(footprint),
        bbox=None if footprint is None else list(bbox_of(footprint)),
        datetime=None,
        start_datetime=datetime.fromisoformat(_ALWAYS[0]).astimezone(UTC),
        end_datetime=datetime.fromisoformat(_ALWAYS[1]).astimezone(UTC),
        properties={"description": _description(model)},
    )
    count, size = len(model.spectral.centres_nm), model.tiling.size_px
    windows = ["batch", "channel", "height", "width"]
    tasks = [TaskType.SEMANTIC_SEGMENTATION, TaskType.CLASSIFICATION]
    parameters = sum(p.numel() for p in model.classifier.parameters())
    options = model.record.get("parameters", {})
    weights = options.get("weights")
    is_pretrained = weights not in (None, "none")
    MLMExtension.ext(item, add_if_missing=True).apply(
        name=f"hsi-geo {re.sub(r'[^0-9A-Za-z_.-]+', '-', stem).strip('-_.') or 'model'}",
        architecture="S2Former",
        tasks=tasks,
        input=[
            ModelInput.create(
                name="windows of the scene",
                bands=[ModelBand.create(band.name) for band in _bands(model)],
                input=InputStructure.create([-1, count, size, size], windows, DataType.FLOAT32),
                description="Values as the scene has them. The statistics in the model whiten them.",
            )
        ],
        output=[
            ModelOutput.create(
                name="probabilities of the classes",
                tasks=tasks,
                result=ResultStructure.create(
                    [-1, len(model.classes), size, size],
                    ["batch", "class", "height", "width"],
                    DataType.FLOAT32,
                ),
                classes=classification_of(model.classes),
            )
        ],
        framework="PyTorch",
        framework_version=model.record.get("versions", {}).get("torch"),
        total_parameters=parameters,
        pretrained=is_pretrained,
        pretrained_source=f"sha256:{weights}" if is_pretrained else None,
        accelerator_constrained=False,
        hyperparameters=Hyperparameters.create(
            **{
                **_plain(options.get("recipe", {})),
                "seed": model.record.get("seed"),
                "window_px": size,
                "stride_px": model.tiling.stride_px,
            }
        ),
    )
    asset = pystac.Asset(
        href=f"./{file_name}",
        title="Model of hsi-geo",
        media_type="application/octet-stream; framework=pytorch; format=safetensors",
        roles=["mlm:model", "mlm:weights"],
    )
    item.add_asset("model", asset)
    # MLM wants the bands of its input described at the asset of the model.
    EOExtension.ext(asset, add_if_missing=True).apply(bands=_bands(model))
    AssetGeneralMLMExtension.ext(asset).apply(artifact_type="safetensors")
    return item


def _bands(model: AdaptedModel) -> list[Band]:
    """Bands as the extension EO describes them: wavelengths in micrometres."""
    from pystac.extensions.eo import Band

    return [
        Band.create(f"{number} ({centre:.2f} nm)", center_wavelength=round(float(centre) / 1000, 6))
        for number, centre in enumerate(model.spectral.centres_nm, start=1)
    ]


def _description(model: AdaptedModel) -> str:
    shots = sum(model.record["shots"].values())
    made_by = model.record.get("versions", {}).get("hsi-geo", "")
    return (
        f"Land cover of {len(model.classes)} classes, learnt from {shots} labelled pixels. Made by hsi-geo"
        f"{' ' + made_by if made_by else ''}; the command hsi-geo predict maps a scene with it"
    )


def _plain(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters with names of one level, as the extension wants them."""
    found: dict[str, Any] = {}
    for name, value in recipe.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": one for inner, one in _plain(value).items()}
        else:
            found[name] = value
    return found
