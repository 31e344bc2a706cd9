"""Options of the GDAL of pyogrio, which is another one than that of rasterio."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyogrio


@contextmanager
def pyogrio_options(options: Mapping[str, Any]) -> Iterator[None]:
    """Set options of GDAL for all threads inside a ``with`` block.

    Args:
        options: Value of each option.
    """
    before = {option: pyogrio.get_gdal_config_option(option) for option in options}
    pyogrio.set_gdal_config_options(dict(options))
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)
