"""Marks of tests that need an extra: they skip, with the reason, where it is not installed."""

from __future__ import annotations

import importlib.util

import pytest

from hsi_geo.extras import EXTRAS


def installed(extra: str) -> bool:
    """Whether all packages of an extra are installed."""
    return all(importlib.util.find_spec(name) is not None for name in EXTRAS[extra])


def needs(extra: str) -> pytest.MarkDecorator:
    """Skip a test where a package of an extra is missing."""
    return pytest.mark.skipif(not installed(extra), reason=f"needs the extra {extra}")
