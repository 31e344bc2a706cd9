"""Fixtures: variables that GDAL reads, and a server that nothing may ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from reference_cases import Listener


@pytest.fixture
def set_variable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Set a variable of the environment that GDAL reads, for one test.

    When an Env of rasterio ends, it stores what the environment holds as an option of the process. That
    option would stay.
    """
    from rasterio._env import del_gdal_config

    names: list[str] = []

    def set_one(name: str, value: str) -> None:
        names.append(name)
        monkeypatch.setenv(name, value)

    yield set_one
    for name in names:
        del_gdal_config(name)


@pytest.fixture
def web(set_variable: Callable[[str, str], None]) -> Iterator[Listener]:
    set_variable("NO_PROXY", "127.0.0.1")
    set_variable("GDAL_VRT_ENABLE_PYTHON", "YES")
    listener = Listener()
    yield listener
    listener.socket.close()
