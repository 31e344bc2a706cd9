"""Trying files: each gives a result or an `HsiGeoError`; and values that parsers may fail on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.scenes.properties import bands_of, require_upright
from hsi_geo.io.scenes.quality import assess_quality, bad_bands
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Window

#: Each example overwrites the files of the one before.
fuzz = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def result_or_error(attempt: Callable[[], object]) -> None:
    """Run a function that may raise an `HsiGeoError` with a one-line message and a hint."""
    try:
        attempt()
    except HsiGeoError as error:
        assert str(error).strip()
        assert "\n" not in error.message
        assert error.hint


def open_and_check(path: Path, wavelengths: str | None = None, grid: str | None = None) -> None:
    """Open a scene and do with it what the info command does."""
    scene = open_scene(path, wavelengths=wavelengths, grid=grid)
    bands_of(scene)
    seen = assess_quality(scene)
    assert 0.0 <= seen.nodata_share <= 1.0
    bad_bands(scene, seen)
    image, valid = read_window(scene, Window(-1, -1, 9, 9))
    assert np.isfinite(image).all()
    assert image.shape[1:] == valid.shape
    require_upright(scene)


#: Words that parsers may fail on.
ODD = st.sampled_from(
    [
        "", " ", "{}", "{", "}", "{{}}", "nan", "inf", "-inf", "-1", "0", "1e400", "0x10", "1,2",
        "{1, 2", "{,}", "{1;2;3}", "= =", "\x00", "\udcff", "é", "Ω", "None", "true", "1_000",
        "99999999999999999999", "9" * 400, "{" + "1, " * 50 + "}",
    ]
)  # fmt: skip
NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=64).map(repr)
LISTS = st.lists(st.one_of(NUMBERS, st.sampled_from(["462", "0.55", "x"])), max_size=5).map(
    lambda words: "{" + ", ".join(words) + "}"
)
VALUES = st.one_of(ODD, NUMBERS, LISTS, st.text(max_size=12))
