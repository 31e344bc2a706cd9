"""Open scene."""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any, ClassVar

from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterRasterDestination,
    QgsProcessingUtils,
)

from .about import VERSION
from .base import HsiGeoAlgorithm, Results
from .command import Value, arguments
from .layers import Parameters, file_stem, is_link, is_output_wanted, scene_title
from .parameter_basics import one_of
from .products import ShownProduct
from .protocol import COPYING
from .styling import load_styled, write_composite_style

#: Choices of the composite, and those of the command line.
COMPOSITES = {
    "automatic": None,
    "true colour": "true-colour",
    "colour infrared": "colour-infrared",
    "short-wave infrared": "short-wave-infrared",
}

#: Choice of a small copy. Enumerations of texts ignore numbers.
SHOWN_BANDS = "only the shown bands (a small copy)"

#: Choices of the bands, and those of the command line.
BANDS = {"all bands": "all", SHOWN_BANDS: "shown"}

#: Endings of files that QGIS and GDAL write beside a raster that they show.
_WRITTEN_BESIDE = (".aux.xml", ".qml", ".qmd")

#: Names of files that no product has: projects, layers of labels, pages, models, and maps as hsi-geo names them. EnMAP has
#: ``_CLASSES``.
_NO_PRODUCT = re.compile(
    r"\.(?:gpkg|qgz|qgs|fgb|shp|shx|dbf|cpg|sbn|sbx|qix|html|safetensors)(?:-wal|-shm|-journal|~)?$"
    r"|_(?:classes|confidence|probabilities|parents)\.[a-z.]+$"
)

#: Names of masks, and of the gains of AVIRIS, which lie beside a product.
_BESIDE = re.compile(r"mask|\.gain$", re.IGNORECASE)

#: Begin of the names of all files of a product whose metadata are one of them.
_PACKAGE = re.compile(r"(.+)METADATA\.xml$", re.IGNORECASE)

#: A file that a mosaic (.vrt) or a STAC item names.
_NAMED = re.compile(r"""<SourceFilename[^>]*>([^<]+)<|"href"\s*:\s*"([^"]+)""")

#: Longer mosaics are not searched to their end.
_MOST_CHARACTERS = 1_000_000


class OpenScene(HsiGeoAlgorithm):
    """``hsi-geo convert``, and a layer in the project."""

    NAME = "open"
    TITLE = "Open scene"
    SHORT = "Add a hyperspectral product to the project in true colour or colour infrared."
    TAGS = (
        "hyperspectral",
        "PRISMA",
        "Tanager",
        "PACE",
        "EMIT",
        "EnMAP",
        "DESIS",
        "AVIRIS",
        "NEON",
        "Zarr",
        "ENVI",
    )
    HELP = """<p>Adds a hyperspectral product to the project as a raster layer at its place on the map, in true
colour or colour infrared. Bands are named by their wavelengths.</p>
<h3>Example</h3>
<p>Choose the .nc file of an EMIT scene and run. Draw points or polygons on the layer that appears. Choose
that layer as the scene in <i>Classify with few shots</i>: it takes the product itself.</p>"""
    HELPS: ClassVar = {
        "MASK": "Pixels that the layer shows as missing, in a copy: 'none' shows all pixels; 'auto', flags with commas between them "
        "(clouds, shadows, ...), or the path of a mask. The algorithms that map have a mask of their own.",
        "COMPOSITE": "Bands that are drawn as red, green and blue. 'automatic' is true colour where the product has these bands, else "
        "colour infrared.",
        "BANDS": "With all bands you can identify spectra. The shown bands only are a much smaller copy.",
        "OUTPUT": "Leave it empty: the layer then reads the product's own file where QGIS can. Else a copy is kept in the folder of "
        "your QGIS profile. The log shows its path and size, and the next opening takes it again.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters."""
        self.add_product("Product (file, folder or link)", optional=False)
        self.addParameter(one_of("COMPOSITE", "Colours", list(COMPOSITES)))
        self.addParameter(one_of("BANDS", "Bands", list(BANDS)))
        self.add_wavelengths()
        self.add_mask("none")
        self.add_grid()
        self.add_links()
        self.addParameter(
            QgsProcessingParameterRasterDestination(
                "OUTPUT", "Copy", optional=True, createByDefault=False
            )
        )

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo, or take the copy of an earlier run."""
        product = str(self.parameterAsFile(parameters, "PRODUCT", context))
        if os.path.exists(product):
            product = os.path.abspath(product)  # the layer remembers it
        opening = self.opening_options(parameters, context)
        options: dict[str, Any] = {
            "bands": BANDS[self.parameterAsEnumString(parameters, "BANDS", context)],
            "composite": COMPOSITES[self.parameterAsEnumString(parameters, "COMPOSITE", context)],
            **opening,
        }
        chosen = is_output_wanted(parameters, "OUTPUT")
        if chosen:
            out = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
            known = None
        else:
            out = cached_name(product, **options)
            # The file behind a link may have changed, and its server need not tell.
            known = None if is_link(product) else _earlier(out)
        if known is None:
            command = arguments("convert", product, out=out, overwrite=True, **options)
            run = self.run_command(command, feedback, {COPYING: 1.0})
            found = {"raster": run.result["outputs"]["raster"], **run.result}
            if not chosen:
                _remember(out, found)
        else:
            found = known
            feedback.pushInfo("The raster of an earlier run is taken.")
        raster = found["raster"]
        composite = _wanted(found["composites"], options["composite"])
        write_composite_style(raster, composite, ShownProduct(product, opening))
        _describe(found, composite, feedback)
        if not chosen and context.project() is not None:
            name = f"{scene_title(product)} ({composite['name']})"
            details = QgsProcessingContext.LayerDetails(name, context.project(), "OUTPUT")
            context.addLayerToLoadOnCompletion(raster, details)
        load_styled(raster, context)
        return {"OUTPUT": raster}


def cache_folder() -> str:
    """The folder of this profile for rasters that show products; it is made if it does not exist.

    Raises:
        QgsProcessingException: If it cannot be made.
    """
    folder = os.path.join(QgsApplication.qgisSettingsDirPath(), "hsi_geo", "scenes")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise QgsProcessingException(
            f"folder '{folder}' of the QGIS profile cannot be made ({error.strerror}); choose a file for the copy"
        ) from error
    return folder


def cached_name(
    product: str,
    bands: str,
    composite: str | None,
    wavelengths: str,
    **opening: Value,
) -> str:
    """Path, without its ending, of the raster that shows a product: another one if a file that is read has changed.

    Args:
        product: Path of the product.
        bands: "all" or "shown".
        composite: Name of the composite; it matters where only its bands are copied.
        wavelengths: The option for scenes without them.
        opening: Other options of opening the product.
    """
    state = [
        VERSION,
        os.path.normcase(product),
        bands,
        composite if bands == "shown" else "",
        wavelengths,
    ]
    state += [f"{name}={value}" for name, value in sorted(opening.items()) if value]
    given = [value for value in (wavelengths, *opening.values()) if isinstance(value, str)]
    for path in (*_files_of_product(product), *(value for value in given if value)):
        if os.path.exists(path):
            found = os.stat(path)
            state += [path, str(found.st_mtime_ns), str(found.st_size)]
    # A name for the content of the cache, not a secret.
    key = hashlib.sha256("\n".join(map(str, state)).encode("utf-8", "replace")).hexdigest()[:12]
    stem = file_stem(re.sub(r"[^\w-]", "_", scene_title(product)), 80)
    return os.path.join(cache_folder(), f"{stem}_{key}")


def _files_of_product(product: str) -> list[str]:
    """The files that a product may be read from: those in its folder, or of its name, masks, and those that it names."""
    if os.path.isdir(product):
        return [os.path.join(product, name) for name in _names_in(product)]
    folder, name = os.path.split(product)
    stem = os.path.splitext(name)[0]
    package = _PACKAGE.match(name)
    beside = [
        one
        for one in ([] if is_link(product) else _names_in(folder or "."))
        if one == stem
        or one.startswith(f"{stem}.")
        or (package and one.startswith(package[1]))
        or _BESIDE.search(one)
    ]
    return [product, *(os.path.join(folder, one) for one in (*beside, *_named_in(product)))]


def _names_in(folder: str) -> list[str]:
    """Names of the files in a folder, without what users, QGIS and GDAL write beside what they show."""
    try:
        return sorted(
            name
            for name in os.listdir(folder)
            if not name.endswith(_WRITTEN_BESIDE) and not _NO_PRODUCT.search(name)
        )
    except OSError:
        return []


def _named_in(product: str) -> list[str]:
    """Files that a mosaic or a STAC item names."""
    if not product.lower().endswith((".vrt", ".json")) or not os.path.isfile(product):
        return []
    with open(product, encoding="utf-8", errors="replace") as file:
        found = _NAMED.findall(file.read(_MOST_CHARACTERS))
    return [source or href for source, href in found]


def _remember(out: str, found: dict[str, Any]) -> None:
    kept = {key: found[key] for key in ("raster", "is_copy", "bytes", "composites")}
    with open(f"{out}.json", "w", encoding="utf-8") as file:
        json.dump(kept, file)


def _earlier(out: str) -> dict[str, Any] | None:
    """What an earlier run made; None if it is not whole any more."""
    try:
        with open(f"{out}.json", encoding="utf-8") as file:
            found = json.load(file)
        size = os.path.getsize(found["raster"])
        # GDAL keeps statistics in a virtual raster itself.
        whole = size == found["bytes"] or not found["is_copy"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if whole else None


def _wanted(composites: list[dict[str, Any]], wanted: str | None) -> dict[str, Any]:
    """The composite that was asked for; else the first of the list."""
    for name, option in COMPOSITES.items():
        for one in composites:
            if wanted is not None and option == wanted and one["name"] == name:
                return one
    names = {one["name"]: one for one in composites}
    order = [name for name in COMPOSITES if name in names]
    return names[order[0]] if order else composites[0]


def _describe(
    found: dict[str, Any], composite: dict[str, Any], feedback: QgsProcessingFeedback
) -> None:
    """Tell what is shown, and where the raster lies."""
    bands = ", ".join(
        f"{number} ({centre:.0f} nm)"
        for number, centre in zip(composite["bands"], composite["centres_nm"])
    )
    feedback.pushInfo(f"Shown: {composite['name']}, bands {bands}.")
    is_temporary = found["raster"].startswith(QgsProcessingUtils.tempFolder())
    place = "a temporary file, which QGIS removes when it ends" if is_temporary else found["raster"]
    if found["is_copy"]:
        size = found["bytes"] / 1e6
        feedback.pushInfo(f"The copy takes {size:,.1f} MB: {place}")
    else:
        feedback.pushInfo(f"The layer reads the product's own file, through {place}")
