"""Wavelengths, widths and bad bands in the tags of a raster, and in files beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hsi_geo.io.places import exists
from hsi_geo.io.readers.base import Found
from hsi_geo.wavelengths import BoolArray, FloatArray, from_band_name, to_nm

Tags = Mapping[str, str]

#: Keys of centres, best first, without underscores and blanks; a band's or a whole raster's.
CENTRE_KEYS = ("wavelength", "wavelengths", "centerwavelength", "centrewavelength")

#: What stands for the unit where a list counts bands instead of telling wavelengths.
NO_UNITS = ("index", "band", "bands", "bandnumber")

#: ENVI headers larger than this are something else that ends in .hdr.
MAX_HEADER_BYTES = 10_000_000


def find_bands(
    whole: Tags, by_band: Sequence[Tags], imagery: Sequence[Tags], names: Sequence[str]
) -> tuple[Found | None, BoolArray | None]:
    """The first complete list of centres, and the bad-band list.

    Args:
        whole: Tags of the raster.
        by_band: (C,) tags of each band.
        imagery: (C,) tags of each band in GDAL's IMAGERY domain.
        names: (C,) band names.
    """
    whole = _plain_keys(whole)
    by_band = [_plain_keys(tags) for tags in by_band]
    found = (
        _from_lists(whole, len(by_band))
        or _from_tags(by_band, whole)
        or _from_imagery(imagery)
        or _from_names(names)
    )
    return found, _good(whole, by_band)


def sidecar_tags(path: str) -> Tags:
    """Lists that stand in a file beside a raster: a STAC item (best), or an ENVI header."""
    for beside in (Path(f"{path}.stac.json"), Path(path).with_suffix(".stac.json")):
        if exists(beside) and (tags := _from_stac(beside)):
            return tags
    for beside in (Path(f"{path}.hdr"), Path(path).with_suffix(".hdr")):
        if exists(beside) and (tags := read_envi_header(beside)):
            return tags
    return {}


def read_envi_header(path: Path) -> Tags:
    """Keys and values of an ENVI header, braces included; empty if it is none."""
    try:
        if path.stat().st_size > MAX_HEADER_BYTES:
            return {}
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return {}
    if not text.lstrip().upper().startswith("ENVI"):
        return {}
    pairs = re.findall(r"^[ \t]*([^=\n;{}]+?)[ \t]*=[ \t]*(\{[^}]*\}|[^\n]*)", text, re.MULTILINE)
    return {key: value.strip() for key, value in pairs}


def numbers(text: str) -> FloatArray:
    """The numbers in ``{1.0, 2.0, ...}``; empty if one of them is none."""
    values = np.array(
        [_number(word) for word in re.split(r"[,\s]+", text.strip("{}[]() \n\r\t")) if word]
    )
    return values if np.isfinite(values).all() else np.empty(0)


def widths_nm(widths: FloatArray, centres: FloatArray, unit: str | None) -> FloatArray:
    """Widths in nm: they share the unit of the centres, also where that had to be guessed."""
    ratio = np.ones_like(centres)  # a centre of 0 is refused later, with its band
    np.divide(to_nm(centres, unit), centres, out=ratio, where=centres != 0)
    return np.asarray(widths * ratio)


def _from_stac(path: Path) -> Tags:
    """A STAC item's bands as if an ENVI header had them."""
    try:
        item = json.loads(path.read_text(encoding="utf-8-sig"))
        properties = item["properties"]
        envi = {str(k): _listed(v) for k, v in properties.get("envi:metadata", {}).items()}
        bands = properties.get("eo:bands") or properties.get("bands") or []
        columns = {
            "wavelength": _stac_column(bands, "center_wavelength"),
            "fwhm": _stac_column(bands, "full_width_half_max"),
            "bbl": _stac_column(bands, "enmapbox:bad_band_multiplier", missing=1),
        }
    except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return {}  # a sidecar of another kind
    if columns["wavelength"]:
        return {**{k: v for k, v in columns.items() if v}, "wavelength units": "Micrometers"}
    return envi


def _stac_column(bands: Sequence[Mapping[str, Any]], key: str, missing: Any = None) -> str:
    values = [band.get(key, band.get(f"eo:{key}", missing)) for band in bands]
    return "" if None in values else _listed(values)


def _listed(value: Any) -> str:
    return ", ".join(str(entry) for entry in value) if isinstance(value, list) else str(value)


def _from_lists(tags: Tags, count: int) -> Found | None:
    """Dataset-level lists such as ENVI's ``wavelength = {0.46, 0.465, ...}``."""
    for key in CENTRE_KEYS:
        centres = numbers(tags.get(key, ""))
        unit = _unit(tags)
        if len(centres) == count and (unit or "").strip().lower() not in NO_UNITS:
            widths = numbers(tags.get("fwhm", ""))
            fwhm = widths_nm(widths, centres, unit) if len(widths) == count else None
            return to_nm(centres, unit), fwhm, "the header's wavelength list"
    return None


def _from_tags(by_band: Sequence[Tags], whole: Tags) -> Found | None:
    """A ``wavelength`` tag on every band."""
    for key in (*CENTRE_KEYS, "netcdfdimwavelength"):
        centres = _column(by_band, key)
        unit = (_unit(by_band[0]) if by_band else None) or _unit(whole)
        if centres is not None and (unit or "").strip().lower() not in NO_UNITS:
            widths = _column(by_band, "fwhm")
            fwhm = None if widths is None else widths_nm(widths, centres, unit)
            return to_nm(centres, unit), fwhm, "the bands' wavelength tags"
    return None


def _from_imagery(by_band: Sequence[Tags]) -> Found | None:
    """GDAL's IMAGERY domain, always in micrometres and rounded to one nanometre."""
    centres = _column(by_band, "CENTRAL_WAVELENGTH_UM")
    if centres is None:
        return None
    widths = _column(by_band, "FWHM_UM")
    return centres * 1e3, None if widths is None else widths * 1e3, "GDAL's IMAGERY tags"


def _from_names(names: Sequence[str]) -> Found | None:
    centres = [from_band_name(name) for name in names]
    known = [centre for centre in centres if centre is not None]
    if len(known) < len(names):
        return None
    return np.array(known), None, "the band names"


def _unit(tags: Tags) -> str | None:
    return tags.get("wavelengthunits") or tags.get("wavelengthunit")


def _good(whole: Tags, by_band: Sequence[Tags]) -> BoolArray | None:
    """Bad-band lists: 1 is good, 0 is bad, missing is good."""
    listed = numbers(whole.get("bbl", ""))
    if len(listed) == len(by_band):
        return np.asarray(listed != 0)
    values = [tags.get("bbl", "1") for tags in by_band]
    if all(value == "1" for value in values):
        return None
    return np.array([_number(value) != 0 for value in values])


def _plain_keys(tags: Tags) -> Tags:
    """Keys in lower case, without the blanks and underscores that writers disagree about."""
    return {re.sub(r"[\s_]+", "", key).lower(): value for key, value in tags.items()}


def _column(by_band: Sequence[Tags], key: str) -> FloatArray | None:
    """One number a band, None unless every band has it."""
    values = [_number(tags.get(key, "")) for tags in by_band]
    return np.array(values) if values and all(np.isfinite(values)) else None


def _number(text: str) -> float:
    try:
        return float(text.strip())
    except ValueError:
        return float("nan")
