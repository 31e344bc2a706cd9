"""Times of a job's stages."""

from __future__ import annotations

import threading
import time

import pytest

from hsi_geo import timings


def spend(seconds: float) -> None:
    """Use the CPU for about so long."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_a_stage_does_not_count_the_stages_inside_it() -> None:
    with timings.recording() as times, timings.stage("outer"):
        spend(0.02)
        with timings.stage("inner"):
            spend(0.2)
    assert list(times.stages) == ["inner", "outer"]
    inner, outer = times.stages.values()
    assert inner.wall_s >= 0.2
    assert 0.02 <= outer.wall_s < inner.wall_s
    assert outer.cpu_s < inner.cpu_s


def test_calls_of_a_function_add_up_and_times_add_up_to_the_total() -> None:
    @timings.stage("graphs")
    def graph(seconds: float) -> float:
        spend(seconds)
        return seconds

    assert graph(0.0) == 0.0  # outside a recording nothing is measured
    with timings.recording() as times:
        for _ in range(3):
            graph(0.03)
        spend(0.05)
        found = times.as_dict()
    assert found["graphs"]["wall_s"] >= 0.09
    assert found["other"]["wall_s"] >= 0.05
    total = found["graphs"]["wall_s"] + found["other"]["wall_s"]
    assert found["total"]["wall_s"] == pytest.approx(total, abs=0.01)


def test_a_stage_in_another_thread_is_beside_the_others() -> None:
    @timings.stage("writing")
    def write() -> None:
        spend(0.05)

    with timings.recording() as times, timings.stage("mapping"):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert times.stages["writing"].beside and not times.stages["mapping"].beside
    assert times.stages["mapping"].wall_s >= 0.05
    found = times.as_dict()
    assert found["total"]["wall_s"] == pytest.approx(found["mapping"]["wall_s"], abs=0.02)


def test_a_stage_that_has_not_ended_counts_until_now() -> None:
    """As in the record of a map, which is written while the map is made."""
    with timings.recording() as times:
        with timings.stage("mapping"):
            spend(0.05)
        with timings.stage("mapping"):
            spend(0.05)
            with timings.stage("writing"):
                spend(0.03)
            with timings.stage("writing"):
                spend(0.03)
                found = times.as_dict()
    assert found["mapping"]["wall_s"] == pytest.approx(0.1, abs=0.03)
    assert found["writing"]["wall_s"] == pytest.approx(0.06, abs=0.02)
    assert found["other"]["wall_s"] < 0.02
    assert times.stages["mapping"].wall_s == pytest.approx(0.1, abs=0.03)  # counted once


def test_an_error_ends_its_stage() -> None:
    with timings.recording() as times:
        with pytest.raises(ValueError, match="no"), timings.stage("graphs"):
            raise ValueError("no")
        with timings.stage("student"):
            pass
    assert list(times.stages) == ["graphs", "student"]
    assert timings.active() is None
