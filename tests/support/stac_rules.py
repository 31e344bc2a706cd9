"""Rules of STAC extensions, field by field, for tests without a network: the schemas lie on the web.

They are written after the tables of fields of classification 2.0, projection 2.0, raster 1.1, processing 1.1, eo 1.1 and MLM 1.4.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Rule = Callable[[Any], bool]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(pattern: str = ".*") -> Rule:
    return lambda value: (
        isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL) is not None
    )


def _list(rule: Rule, *lengths: int) -> Rule:
    return lambda value: (
        isinstance(value, list)
        and (len(value) in lengths if lengths else len(value) > 0)
        and all(map(rule, value))
    )


def _object(fields: Mapping[str, Rule], required: tuple[str, ...] = ()) -> Rule:
    return lambda value: (
        isinstance(value, dict)
        and set(required) <= set(value)
        and all(key in fields and fields[key](one) for key, one in value.items())
    )


def _one_of(*values: Any) -> Rule:
    return lambda value: value in values


def _or_none(rule: Rule) -> Rule:
    return lambda value: value is None or rule(value)


def _map_of(rule: Rule, key: str = ".+") -> Rule:
    return lambda value: (
        isinstance(value, dict)
        and bool(value)
        and all(re.fullmatch(key, one) and rule(value[one]) for one in value)
    )


_TYPES = _one_of(
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "cint16", "cint32", "cfloat32", "cfloat64", "other"),
)

_CLASS = _object(
    {
        "value": _whole, "name": _text("[0-9A-Za-z_-]+"), "title": _text(), "description": _text(),
        "color_hint": _text("[0-9A-Fa-f]{6}"), "nodata": lambda v: isinstance(v, bool),
        "percentage": _number, "count": _whole,
    },
    ("value", "name"),
)  # fmt: skip

_RASTER_BAND = _object(
    {
        "nodata": lambda v: _number(v) or v in ("nan", "inf", "-inf"), "data_type": _TYPES,
        "unit": _text(), "scale": _number, "offset": _number, "spatial_resolution": _number,
        "bits_per_sample": _whole, "sampling": _one_of("area", "point"),
    }
)  # fmt: skip

_TASKS = _list(
    _one_of(
        *("regression", "classification", "scene-classification", "detection", "object-detection"),
        *(
            "segmentation",
            "semantic-segmentation",
            "instance-segmentation",
            "panoptic-segmentation",
        ),
    )
)

_WINDOWS = _object(
    {"shape": _list(_whole), "dim_order": _list(_text("[a-z_-]+")), "data_type": _TYPES},
    ("shape", "dim_order", "data_type"),
)

_MLM_INPUT = _object(
    {
        "name": _text(".+"), "bands": _list(lambda v: _text(".+")(v) or _object({"name": _text(".+")})(v)),
        "input": _WINDOWS, "description": _text(), "value_scaling": _or_none(_list(lambda v: True)),
        "resize_type": _or_none(_text()), "pre_processing_function": lambda v: v is None,
    },
    ("name", "bands", "input"),
)  # fmt: skip

_MLM_OUTPUT = _object(
    {
        "name": _text(".+"), "tasks": _TASKS, "result": _WINDOWS, "description": _text(),
        "classification:classes": _list(_CLASS), "post_processing_function": lambda v: v is None,
    },
    ("name", "tasks", "result"),
)  # fmt: skip

#: Version of each extension that these rules are of.
VERSIONS = {
    "classification": "2.0.0", "proj": "2.0.0", "raster": "1.1.0", "processing": "1.1.0", "eo": "1.1.0",
    "mlm": "1.4.0",
}  # fmt: skip

#: Names of extensions in the addresses of their schemas.
_ADDRESSES = {"proj": "projection"}

#: Rule of each field, by its name with the prefix of the extension.
FIELDS: Mapping[str, Rule] = {
    "classification:classes": lambda v: (
        _list(_CLASS)(v) and len({one["value"] for one in v}) == len(v)
    ),
    "proj:code": _or_none(_text("[A-Z]+[A-Z_0-9]*:[0-9A-Za-z.]+")),
    "proj:wkt2": _or_none(_text(".+")),
    "proj:projjson": _or_none(lambda v: isinstance(v, dict)),
    "proj:bbox": _list(_number, 4, 6),
    "proj:shape": _list(_whole, 2),
    "proj:transform": _list(_number, 6, 9),
    "raster:bands": _list(lambda v: bool(v) and _RASTER_BAND(v)),
    "processing:software": _map_of(_text(".+")),
    "processing:lineage": _text(".+"),
    "eo:bands": _list(
        _object({"name": _text(".+"), "center_wavelength": _number, "full_width_half_max": _number})
    ),
    "mlm:name": _text(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]"),
    "mlm:architecture": _text(".+"),
    "mlm:tasks": _TASKS,
    "mlm:framework": _text(".+"),
    "mlm:framework_version": _text(r"\d+\.\d+\.\d+([-+].*)?"),
    "mlm:total_parameters": _whole,
    "mlm:pretrained": lambda v: isinstance(v, bool),
    "mlm:pretrained_source": _or_none(_text(".+")),
    "mlm:accelerator": _or_none(_one_of("amd64", "cuda", "xla", "amd-rocm", "macos-arm")),
    "mlm:accelerator_constrained": lambda v: isinstance(v, bool),
    "mlm:input": _list(_MLM_INPUT),
    "mlm:output": _list(_MLM_OUTPUT),
    "mlm:hyperparameters": _map_of(lambda v: True, "[0-9a-zA-Z_.-]+"),
    "mlm:artifact_type": _text(".+"),
}

_MLM_REQUIRED = ("name", "architecture", "tasks", "input", "output")


def problems(item: Mapping[str, Any]) -> list[str]:
    """What an item has against the rules of its extensions.

    Args:
        item: A STAC item, as JSON gives it.

    Returns:
        A sentence for each problem.
    """
    return list(_problems(item))


def _problems(item: Mapping[str, Any]) -> Iterator[str]:
    places = {"properties": item["properties"], **item["assets"]}
    found = {
        (place, key): value
        for place, fields in places.items()
        for key, value in fields.items()
        if ":" in key
    }
    for (place, key), value in found.items():
        if key not in FIELDS:
            yield f"{place}: no rule for {key}"
        elif not FIELDS[key](value):
            yield f"{place}: {key} is {str(value)[:200]}"
    declared = item["stac_extensions"]
    prefixes = {key.split(":")[0] for _, key in found}
    for prefix in prefixes & set(VERSIONS):
        name = _ADDRESSES.get(prefix, prefix)
        address = f"https://stac-extensions.github.io/{name}/v{VERSIONS[prefix]}/schema.json"
        if address not in declared:
            yield f"{address} is not declared, only {declared}"
    properties = item["properties"]
    definitions = [properties.get(f"proj:{one}") for one in ("code", "wkt2", "projjson")]
    if "proj" in prefixes and not any(definitions):
        yield "no CRS: neither a code nor its definition"
    if any("/mlm/" in one for one in declared):
        yield from (
            f"mlm:{one} is missing" for one in _MLM_REQUIRED if f"mlm:{one}" not in properties
        )
        if properties.get("mlm:pretrained") is False and properties.get("mlm:pretrained_source", 0):
            yield "a model that is not pre-trained has a source"
        models = [one for one in item["assets"].values() if "mlm:model" in one.get("roles", ())]
        if len(models) != 1 or "mlm:artifact_type" not in models[0]:
            yield "not one asset is the model, with its type of artifact"
