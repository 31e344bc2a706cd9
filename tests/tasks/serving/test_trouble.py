"""Trouble around real sessions: files that go away, full disks, scenes that cannot be used, cancelling in between."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from planted import Planted
from serving_cases import Client
from small_disk import small_disk

from hsi_geo.io.files import scratch
from hsi_geo.tasks.serve import _open_session
from hsi_geo.tasks.serving import engine
from hsi_geo.tasks.serving.engine import Engine

pytestmark = pytest.mark.usefixtures("quick")


class Real(Client):
    """An engine in this process, with real sessions."""

    def __init__(self, folder: Path) -> None:
        self.engine = Engine(_open_session, self.take, folder)
        super().__init__(self.engine.receive)


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def client(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Real]:
    # The first job of a process may import PyTorch meanwhile.
    monkeypatch.setattr(engine, "END_S", 60.0)
    found = Real(temporary)
    yield found
    assert found.engine.end()
    assert not list(temporary.iterdir())


@pytest.fixture
def shots(planted: Planted, tmp_path: Path) -> Path:
    return planted.shots(tmp_path / "shots.gpkg")


def sentence(error: dict[str, Any]) -> str:
    """The message of an error, which is one sentence and no defect."""
    message = str(error["message"])
    assert error["code"] == -32000, error
    assert "\n" not in message
    assert "Traceback" not in message
    assert error["data"]["hint"]
    return message


@pytest.mark.parametrize(
    ("params", "part"),
    [
        ({"scene": "nope.tif"}, "'nope.tif' does not exist"),
        ({"scene": "{scene}", "weights": "nope.safetensors"}, "nope.safetensors"),
        ({"scene": "{scene}", "weights": "{scene}"}, "not a safetensors file"),
        ({"scene": "{scene}", "device": "tpu"}, "no device 'tpu'"),
        ({"scene": "{scene}", "wavelengths": "900:400"}, "900:400"),
        ({"scene": "{scene}", "mask": "nope"}, "nope"),
        ({"scene": "{scene}", "grid": "nope"}, "nope"),
        ({"scene": "{scene}", "grid": "UTM", "swath": True}, "both given"),
        ({"scene": "{shots}"}, "shots.gpkg"),
        ({"scene": "a\udcffb.tif"}, "does not exist"),
        ({"scene": "a\ud800b.tif"}, "b.tif"),
        ({"scene": "x" * 5000}, "does not exist"),
        ({"scene": "/proc/self/mem"}, "/proc/self/mem"),
        ({"scene": "{folder}"}, "{folder}"),
    ],
)
def test_scenes_that_cannot_be_opened(
    client: Real, planted: Planted, shots: Path, tmp_path: Path, params: dict[str, Any], part: str
) -> None:
    names = {"scene": str(planted.path), "shots": str(shots), "folder": str(tmp_path)}
    filled = {k: v.format(**names) if isinstance(v, str) else v for k, v in params.items()}
    assert part.format(**names) in sentence(client.error("open", **filled))
    assert client.call("open", scene=str(planted.path))["session"]


def feature(x: Any, y: Any, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "Point", "coordinates": [x, y]},
    }


def collection(*features: Any, **more: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features), **more}


DEEP: Any = []
for _ in range(400):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ("nope.gpkg", "'nope.gpkg' does not exist"),
        (collection(), "'shots of the request' is empty"),
        (collection(feature(1, 2, **{"class": "a"})), "only one class"),
        (collection(feature(1, 2), feature(3, 4)), "shots of the request"),
        (
            collection(feature(500, 80, **{"class": "a"}), feature(3, 4, **{"class": "b"})),
            "shots",
        ),
        (collection(feature(1, 2, **{"class": "a"}), crs="EPSG:99999"), "'EPSG:99999'"),
        (collection(feature(1, 2, **{"class": "a"}), crs={"type": "name"}), "'None'"),
        (collection(feature(1, 2, **{"class": "a"}), crs=[1]), "'[1]'"),
        (collection({}, {}), "shots of the request"),
        (collection(feature("x", None, **{"class": "a"})), "shots of the request"),
        (collection({"type": "Feature", "geometry": DEEP, "properties": {}}), "shots"),
        (
            collection(
                feature(1, 2, **{"class": "a\ud800"}), feature(1, 3, **{"class": "b"}),
                crs="EPSG:32633",
            ),
            "shots",
        ),
    ],
)  # fmt: skip
def test_shots_that_cannot_be_used(client: Real, planted: Planted, given: Any, part: str) -> None:
    client.call("open", scene=str(planted.path))
    message = sentence(client.error("update", session=1, shots=given))
    assert part in message
    assert scratch.PREFIX not in message  # no path of the engine's own


@pytest.mark.slow
def test_a_scene_that_is_removed_and_comes_back(
    client: Real, planted: Planted, shots: Path, tmp_path: Path
) -> None:
    away = tmp_path / "away.tif"
    client.call("open", scene=str(planted.path))
    client.wait_until_idle(client.engine)
    planted.path.rename(away)
    answer = client.wait(client.start("update", session=1, shots=str(shots)))
    if "error" in answer:
        assert planted.path.name in sentence(answer["error"])
    answer = client.wait(client.start("finish", session=1, out=str(tmp_path / "m.tif")))
    if "error" in answer:
        sentence(answer["error"])
    away.rename(planted.path)
    client.call("update", session=1, shots=str(shots))
    client.call("finish", session=1, out=str(tmp_path / "m2.tif"))


@pytest.mark.slow
def test_shots_that_are_deleted_between(
    client: Real, planted: Planted, shots: Path, tmp_path: Path
) -> None:
    client.call("open", scene=str(planted.path))
    client.call("update", session=1, shots=str(shots))
    shots.unlink()
    error = client.error("update", session=1, shots=str(shots))
    assert "does not exist" in sentence(error)
    client.call("finish", session=1, out=str(tmp_path / "m.tif"), report=True)
    assert (tmp_path / "m_report.html").exists()


@pytest.mark.slow
def test_an_update_while_finish_runs_comes_after_it(
    client: Real, planted: Planted, shots: Path, tmp_path: Path
) -> None:
    client.call("open", scene=str(planted.path))
    client.call("update", session=1, shots=str(shots))
    finish = client.start("finish", session=1, out=str(tmp_path / "m.tif"))
    update = client.start("update", session=1, shots=str(shots))
    client.wait(update)
    assert "result" in client.answers(finish)[0]
    assert client.messages.index(client.answers(finish)[0]) < client.messages.index(
        client.answers(update)[0]
    )


@pytest.mark.slow
def test_geojson_gives_the_map_of_the_same_file(
    client: Real, planted: Planted, shots: Path, tmp_path: Path
) -> None:
    import geopandas as gpd

    frame = gpd.read_file(shots)
    for crs in ("EPSG:32633", "OGC:CRS84"):
        own = frame.to_crs(crs)
        content = collection(
            *(
                {**feature(p.x, p.y, **{"class": c}), "id": f"shot {i}"}
                for i, (p, c) in enumerate(zip(own.geometry, own["class"], strict=True))
            ),
            **({} if crs == "OGC:CRS84" else {"crs": crs}),
        )
        number = client.call("open", scene=str(planted.path))["session"]
        found = client.call("update", session=number, shots=content)
        client.call("finish", session=number, out=str(tmp_path / f"{number}.tif"))
        client.call("update", session=number, shots=str(shots))
        client.call("finish", session=number, out=str(tmp_path / f"{number}_file.tif"))
        assert [c["shots"] for c in found["classes"]] == [4, 4, 4]
        names = (tmp_path / f"{number}.tif", tmp_path / f"{number}_file.tif")
        with rasterio.open(names[0]) as one, rasterio.open(names[1]) as other:
            assert np.array_equal(one.read(), other.read())


@pytest.mark.parametrize(
    ("params", "part"),
    [
        ({"out": "{folder}/nowhere/m.tif"}, "does not exist"),
        ({"out": "{folder}/m.png"}, "does not end in .tif"),
        ({"out": "{scene}", "overwrite": True}, "would replace"),
        ({"out": "{folder}/m.tif", "reject": "much"}, '"reject": "much"'),
        ({"out": "{folder}/m.tif", "min_area": "-3"}, '"min_area": "-3"'),
        ({"out": "{folder}/m.tif", "aoi": "nope.gpkg"}, "nope.gpkg"),
        ({"out": "{folder}/m.tif", "parents": True}, '"parents": true'),
        (
            {"out": "{folder}/m.tif", "save_model": "{folder}/other/m.safetensors"},
            "other' does not",
        ),
        ({"out": "{folder}/a\ud800.tif"}, "UTF-8"),
    ],
)
def test_maps_that_cannot_be_written(
    client: Real, planted: Planted, shots: Path, tmp_path: Path, params: dict[str, Any], part: str
) -> None:
    names = {"scene": str(planted.path), "folder": str(tmp_path / "maps")}
    (tmp_path / "maps").mkdir()
    client.call("open", scene=str(planted.path))
    client.call("update", session=1, shots=str(shots))
    filled = {k: v.format(**names) if isinstance(v, str) else v for k, v in params.items()}
    before = planted.path.read_bytes()
    assert part in sentence(client.error("finish", session=1, **filled))
    assert planted.path.read_bytes() == before
    assert not list((tmp_path / "maps").iterdir())


@pytest.mark.slow
def test_a_full_disk_of_temporary_files(planted: Planted, shots: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as resized:
        client = Real(resized(200))
        client.call("open", scene=str(planted.path))
        client.wait_until_idle(client.engine)
        failed = 0
        for blocks in (3, 4, 5, 6, 7, 8):  # folders and files take some each
            resized(blocks)
            answer = client.wait(client.start("update", session=1, shots=str(shots)))
            if "error" in answer:
                failed += 1
                message = sentence(answer["error"])
                assert "writ" in message or "hold" in message, message
            else:
                with rasterio.open(answer["result"]["preview"]) as file:
                    assert file.read().shape[0] == 4
        assert failed
        resized(200)
        last = client.call("update", session=1, shots=str(shots))
        assert len(list(Path(last["preview"]).parent.glob("*.tif"))) <= 2
        assert client.engine.end()
        assert not list((tmp_path / "disk").iterdir())


@pytest.mark.slow
def test_a_folder_of_temporary_files_that_is_gone(
    planted: Planted, shots: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    client = Real(folder)
    client.call("open", scene=str(planted.path))
    client.call("update", session=1, shots=str(shots))
    shutil.rmtree(folder)
    error = client.error("update", session=1, shots=str(shots))
    sentence(error)
    error = client.error("open", scene=str(planted.path))
    sentence(error)
    folder.mkdir()
    client.call("open", scene=str(planted.path))
    assert client.call("update", session=2, shots=str(shots))
    assert client.engine.end()
    assert not list(folder.iterdir())


@pytest.mark.slow
def test_places_outside_the_scene(client: Real, planted: Planted, shots: Path) -> None:
    client.call("open", scene=str(planted.path))
    client.call("update", session=1, shots=str(shots))
    for x, y in ((0, 0), (1e300, -1e300)):
        assert "outside" in sentence(client.error("spectrum", session=1, x=x, y=y))
    answer = client.wait(client.start("update", session=1, shots=str(shots), bounds=[0, 0, 1, 1]))
    assert "result" in answer or sentence(answer["error"])


def test_nodata_is_null(client: Real, planted: Planted) -> None:
    opened = client.call("open", scene=str(planted.path))
    left, _, _, top = opened["bounds"]
    across, down = opened["pixel_size"]
    found = client.call("spectrum", session=1, x=left + 7.5 * across, y=top - 4.5 * down)
    assert (found["row"], found["col"]) == (4, 7)
    assert set(found["values"]) == {None}
    assert found["means"] == []
