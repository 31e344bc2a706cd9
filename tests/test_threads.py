"""The number of threads of linear algebra (BLAS)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import scipy.linalg
from threadpoolctl import threadpool_info, threadpool_limits

from hsi_geo import threads
from hsi_geo.threads import one_blas_thread


def blas_threads() -> list[int]:
    """Number of threads of each library that is loaded."""
    assert scipy.linalg.__name__  # loads another library than NumPy's
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    with threadpool_limits(2, user_api="blas"):
        yield


def test_blas_has_one_thread_inside_the_block_only() -> None:
    with one_blas_thread():
        assert set(blas_threads()) == {1}
        with one_blas_thread():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {2}


def test_the_limit_ends_after_an_error() -> None:
    with pytest.raises(ValueError, match="inside"), one_blas_thread():
        raise ValueError("inside")
    assert set(blas_threads()) == {2}


def test_libraries_are_looked_for_once() -> None:
    with one_blas_thread():
        before = threads._controller.cache_info().misses
        with one_blas_thread():
            pass
    for _ in range(3):
        with one_blas_thread():
            pass
    assert threads._controller.cache_info().misses == before


def test_a_library_that_is_loaded_inside_a_block_is_limited_by_the_next_one() -> None:
    code = (
        "import numpy\n"
        "from hsi_geo.threads import one_blas_thread\n"
        "from threadpoolctl import threadpool_info\n"
        "def count(): return {i['num_threads'] for i in threadpool_info() if i['user_api'] == 'blas'}\n"
        "with one_blas_thread():\n"
        "    import scipy.linalg\n"
        "    with one_blas_thread():\n"
        "        print(count())\n"
        "print(count())\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"OPENBLAS_NUM_THREADS": "2", "PATH": ""},
    )
    assert found.stdout.split() == ["{1}", "{2}"]
