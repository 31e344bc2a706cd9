"""The product that a layer of *Open scene* shows, and the options that it was opened with."""

from __future__ import annotations

import json
import ntpath
import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qgis.core import QgsMapLayer, QgsObjectCustomProperties, QgsProviderRegistry
from qgis.PyQt.QtXml import QDomDocument

from .command import Value

#: Custom properties of a layer that *Open scene* made: path of the product that it shows, of the raster by which it
#: shows it, and the options as JSON. They are part of the style, which may come to other layers: see `product_of`.
PRODUCT_PROPERTY = "hsi_geo/product"
RASTER_PROPERTY = "hsi_geo/product_raster"
OPTIONS_PROPERTY = "hsi_geo/product_options"

#: Values of an option that a dialog has before its user chooses.
_NOT_CHOSEN: Mapping[str, tuple[Any, ...]] = {"mask": ("auto",)}

#: Values with which *Open scene* shows what the algorithms that map need not follow.
_NOT_KEPT: Mapping[str, tuple[Any, ...]] = {"mask": ("auto", "none")}

#: What QGIS appends to the source of a raster layer: options of its driver, and of its login.
_SOURCE_OPTIONS = re.compile(r"\|(?:option|credential):.*$|\s+authcfg='\w*'$")


@dataclass(frozen=True)
class ShownProduct:
    """A product that a layer shows.

    Attributes:
        path: Path or link of the product.
        options: Options of opening it that its user gave, by name.
    """

    path: str
    options: Mapping[str, Value] = field(default_factory=dict)


def remember_product(layer: QgsMapLayer, raster: str, product: ShownProduct) -> None:
    """Keep a product in the properties of a layer.

    Args:
        layer: The layer.
        raster: Path of the raster that it reads.
        product: The product.
    """
    kept = {
        name: _absolute(value)
        for name, value in product.options.items()
        if value and value not in _NOT_KEPT.get(name, ())
    }
    layer.setCustomProperty(PRODUCT_PROPERTY, product.path)
    layer.setCustomProperty(RASTER_PROPERTY, os.path.abspath(raster))
    layer.setCustomProperty(OPTIONS_PROPERTY, json.dumps(kept))


def product_of(layer: QgsMapLayer) -> ShownProduct | None:
    """The product that a layer shows; None for a layer of its own file.

    The properties come along where a style is copied to another layer, and stay where the source of a layer is
    changed. They hold only for the raster that they name, or for one of its name if that one was moved, or where
    the style (.qml) beside the raster names the same product. That style tells of copies of a folder, and of layers
    that versions before 0.2.0 made, which do not name their raster.

    Args:
        layer: The layer.
    """
    path = str(layer.customProperty(PRODUCT_PROPERTY) or "")
    raster = str(layer.customProperty(RASTER_PROPERTY) or "")
    source = without_options(str(layer.source()))
    if not path or not (_is_raster(source, raster) or _has_style_of(source, path)):
        return None
    try:
        options = json.loads(str(layer.customProperty(OPTIONS_PROPERTY) or "{}"))
    except ValueError:
        options = {}
    return ShownProduct(path, options if isinstance(options, dict) else {})


def foreign_product(layer: QgsMapLayer) -> str:
    """Path of the product that the style of a layer names, though the layer shows another file; empty if there is none.

    Args:
        layer: The layer.
    """
    return "" if product_of(layer) else str(layer.customProperty(PRODUCT_PROPERTY) or "")


def gone_options(options: Mapping[str, Value]) -> dict[str, Value]:
    """Options whose value is the path of a file that does not exist any more.

    Args:
        options: Options that a product was opened with, as a layer remembers them: paths have their folder.

    >>> gone_options({"mask": "/nowhere/mask.tif", "dem": "/vsizip/a.zip/b.tif", "grid": "UTM"})
    {'mask': '/nowhere/mask.tif'}
    """
    return {
        name: value
        for name, value in options.items()
        if isinstance(value, str)
        and (posixpath.isabs(value) or ntpath.isabs(value))
        and not value.startswith("/vsi")
        and not os.path.exists(value)
    }


def common_options(
    products: Sequence[ShownProduct | None],
) -> tuple[dict[str, Value], dict[str, Value]]:
    """The options that all scenes of a run were opened with.

    Args:
        products: The product of each scene; None for a scene that was not opened by *Open scene*.

    Returns:
        Value by option that all have; and a value of each other one, which some have.

    >>> common_options([ShownProduct("a", {"grid": "UTM", "asset": "x"}), ShownProduct("b", {"grid": "UTM"})])
    ({'grid': 'UTM'}, {'asset': 'x'})
    """
    held = [{} if one is None else one.options for one in products]
    common, others = dict[str, Value](), dict[str, Value]()
    for options in held:
        for name, value in options.items():
            is_common = all(other.get(name) == value for other in held)
            (common if is_common else others)[name] = value
    return common, others


def with_remembered(
    given: Mapping[str, Value], remembered: Mapping[str, Value]
) -> dict[str, Value]:
    """Options of a dialog, with those that its scene was opened with where the user has chosen none.

    Args:
        given: Value of each option in the dialog.
        remembered: Options that the scene was opened with.

    >>> with_remembered({"grid": "", "mask": "none"}, {"grid": "UTM", "mask": "clouds", "asset": "x"})
    {'grid': 'UTM', 'mask': 'none'}
    """
    return {
        name: value if is_chosen(name, value) else remembered.get(name, value)
        for name, value in given.items()
    }


def is_chosen(name: str, value: Value) -> bool:
    """Whether a dialog's value of an option is another one than at first.

    Args:
        name: Name of the option.
        value: The value.
    """
    return bool(value) and value not in _NOT_CHOSEN.get(name, ())


def without_options(source: str) -> str:
    """The name that GDAL opens, of a raster layer's source.

    Args:
        source: Source of the layer: a path, a file in an archive, a part of a file; maybe with the options
            that QGIS appends.

    >>> without_options("/vsizip/a.zip/b.tif|option:NUM_THREADS=2")
    '/vsizip/a.zip/b.tif'
    """
    return _SOURCE_OPTIONS.sub("", source)


def _is_raster(source: str, raster: str) -> bool:
    if not raster:
        return False
    if is_same_file(source, raster):
        return True
    is_moved = not os.path.exists(raster)
    return is_moved and os.path.basename(source) == os.path.basename(raster)


def _has_style_of(source: str, product: str) -> bool:
    """Whether the style beside a raster was made for it, and names a product."""
    style = os.path.splitext(source)[0] + ".qml"
    try:
        with open(style, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return False
    if PRODUCT_PROPERTY not in text:
        return False
    document, kept = QDomDocument(), QgsObjectCustomProperties()
    document.setContent(text)
    kept.readXml(document.documentElement())
    raster = str(kept.value(RASTER_PROPERTY) or "")
    # A style that was pasted, and saved beside another raster then, names a raster that is still there.
    is_own = (
        not os.path.exists(raster)
        or is_same_file(source, raster)
        or os.path.basename(source) == os.path.basename(raster)
    )
    return is_own and str(kept.value(PRODUCT_PROPERTY) or "") == product


def _absolute(value: Value) -> Value:
    """The value of an option; the path of a file without the folder that QGIS runs in."""
    is_file = isinstance(value, str) and os.path.exists(value)
    return os.path.abspath(str(value)) if is_file else value


def file_of(layer: QgsMapLayer) -> str:
    """Path of the file that a layer shows; empty if it shows none.

    Args:
        layer: The layer.
    """
    found = QgsProviderRegistry.instance().decodeUri(layer.providerType(), str(layer.source()))
    return str(found.get("path") or "").removeprefix("file://")


def is_same_file(one: str, other: str) -> bool:
    """Whether two paths are those of one file.

    Args:
        one: A path.
        other: A path.
    """
    return _key(one) == _key(other)


def _key(path: str) -> str:
    return os.path.normcase(os.path.realpath(path))
