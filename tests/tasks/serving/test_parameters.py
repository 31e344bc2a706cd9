"""Parameters of requests."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from hsi_geo.errors import OutputExistsError
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks import serve
from hsi_geo.tasks.serving.failures import rpc_error
from hsi_geo.tasks.serving.live_session import MAPPING
from hsi_geo.tasks.serving.messages import WRONG_PARAMETERS, RpcError
from hsi_geo.tasks.serving.parameters import METHODS, read_parameters

HUGE = 10**400
SAMPLES: dict[str, Any] = {
    "scene": "a.tif",
    "shots": "b.gpkg",
    "session": 1,
    "id": 1,
    "x": 1,
    "y": 1,
}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("method", "name"), [(method, one.name) for method, all_ in METHODS.items() for one in all_]
)
def test_a_number_beyond_any_range_is_a_wrong_parameter(method: str, name: str, sign: int) -> None:
    given = {p.name: SAMPLES[p.name] for p in METHODS[method] if p.required}
    for value in (sign * HUGE, [0, 0, sign * HUGE, 1]):
        with pytest.raises(RpcError) as caught:
            read_parameters(method, {**given, name: value})
        assert caught.value.code == WRONG_PARAMETERS


def test_open_takes_every_option_of_reading_a_scene() -> None:
    """A program that shows a scene would else map it on another grid, or at another place."""
    options = set(inspect.signature(open_scene).parameters) - {"path"}
    assert options == set(serve._READING)
    assert options <= {one.name for one in METHODS["open"]}
    given = {"scene": "a.tif", "pixel_size": 2.5, "dem": "heights.tif"}
    assert read_parameters("open", given) == given
    with pytest.raises(RpcError, match=r"'pixel_size' is 0, and a number above 0 is wanted"):
        read_parameters("open", {**given, "pixel_size": 0})


def test_finish_takes_items_and_zones() -> None:
    given = {"session": 1, "stac": True, "zones": "z.gpkg", "zone_field": "name"}
    assert read_parameters("finish", given) == given
    assert {"stac", "zones", "zone_field"} <= set(MAPPING)


def test_a_file_that_is_there_names_the_parameter() -> None:
    found = rpc_error(OutputExistsError("output 'a' is already there", hint="give --overwrite"))
    assert found.data["hint"] == 'give "overwrite": true'
