"""The cache of a session: later runs use it, and not that of another scene, a damaged one or one without room."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
from builders import run

from hsi_geo import Session, classify
from hsi_geo.errors import HsiGeoError

if TYPE_CHECKING:
    from planted import Planted

pytestmark = pytest.mark.usefixtures("quick")


@pytest.mark.slow
def test_cache_is_used_by_later_runs(
    planted: Planted, shots: Path, tmp_path: Path, computed: list[int]
) -> None:
    folder = tmp_path / "cache"
    classify(planted.path, shots, out=tmp_path / "plain.tif")
    with Session(planted.path, cache=folder) as session:
        one = session.update(shots)
    assert len(computed) == 2
    with Session(planted.path, cache=folder) as session:
        two = session.update(shots)
    result = run(
        *("classify", planted.path, "--shots", shots, "-o", tmp_path / "map.tif"),
        *("--cache", folder),
    )
    assert result.exit_code == 0, result.output
    assert len(computed) == 2
    np.testing.assert_array_equal(one.probabilities, two.probabilities)
    assert (tmp_path / "map.tif").read_bytes() == (tmp_path / "plain.tif").read_bytes()
    assert len(list(folder.iterdir())) == 1


@pytest.mark.slow
def test_cache_of_another_scene_or_a_damaged_one_is_not_used(
    planted: Planted, shots: Path, tmp_path: Path, computed: list[int]
) -> None:
    folder = tmp_path / "cache"
    with Session(planted.path, cache=folder) as session:
        session.update(shots)
    (file,) = folder.iterdir()
    for damaged in (b"", b"PK\x03\x04 no archive", file.read_bytes()[:-200]):
        before = len(computed)
        file.write_bytes(damaged)
        with Session(planted.path, cache=folder) as session:
            session.update(shots)
        assert len(computed) == before + 1
    copy = tmp_path / "other.tif"
    shutil.copy(planted.path, copy)
    with rasterio.open(copy, "r+") as changed:
        values = changed.read()
        changed.write(values[:, ::-1])
    before = len(computed)
    with Session(copy, cache=folder) as session:
        session.update(shots)
    assert len(computed) == before + 1
    assert len(list(folder.iterdir())) == 2


def test_cache_that_cannot_be_used_is_refused_at_once(
    planted: Planted, shots: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(HsiGeoError, match="cannot be made"):
        Session(planted.path, cache=file)
    result = run(
        *("classify", planted.path, "--shots", shots, "-o", tmp_path / "map.tif", "--cache", file)
    )
    assert result.exit_code != 0
    assert not list(tmp_path.glob("map.*"))


def test_cache_on_a_full_disk_is_a_warning(
    planted: Planted, shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorder: Any
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with Session(planted.path, cache=tmp_path / "cache", reporter=recorder) as session:
        session.update(shots)
    assert any("features are not kept" in message for message in recorder.warnings)
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.usefixtures("large")
def test_views_of_a_large_scene_are_not_cached(
    planted: Planted, shots: Path, tmp_path: Path
) -> None:
    with Session(planted.path, cache=tmp_path / "cache") as session:
        session.update(shots)
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.slow
def test_previews_of_other_pixels_forget_the_walks(
    planted: Planted, shots: Path, tmp_path: Path
) -> None:
    """Graphs and their walks take memory; those of features that were read from a file are new, too."""
    with Session(planted.path, cache=tmp_path / "cache") as session:
        one = session.update(shots)
    with Session(planted.path, cache=tmp_path / "cache") as session:
        two = session.update(shots)
        assert session._prepared is not None
        assert session._prepared._last is not None
        graphs = session._prepared._last[1].graphs
        assert set(session._prepared.walks._graphs) == {id(graph) for graph in graphs}
    np.testing.assert_array_equal(one.probabilities, two.probabilities)
