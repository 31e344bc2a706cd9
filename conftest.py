"""Modules that need an extra which is not installed are skipped; any other failed import is an error."""

from __future__ import annotations

import re
from collections.abc import Generator

import pytest

#: Packages that only extras install.
PACKAGES_OF_EXTRAS = frozenset(
    {
        *("bokeh", "cryptography", "dask", "distributed", "lightning", "pystac"),
        *("torchgeo", "torchvision", "zarr"),
    }
)

MISSING = re.compile(r"ModuleNotFoundError: No module named '(\w+)[\w.]*'")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the error of a missing extra into a skip with its reason."""
    report = yield
    missing = MISSING.search(str(report.longrepr)) if report.failed else None
    if missing and missing[1] in PACKAGES_OF_EXTRAS:
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, f"Skipped: {missing[1]} is not installed")
    return report
