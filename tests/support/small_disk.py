"""A disk of few blocks, and a limit of file sizes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: Bytes of a block.
BLOCK = 4096


@contextmanager
def small_disk(mount: Path) -> Iterator[Callable[[int], Path]]:
    """Mount a disk in memory; skip the test where that is not allowed.

    Args:
        mount: Folder of the disk; it is made.

    Yields:
        Function that resizes the disk to a number of blocks, and returns its folder.
    """
    mount.mkdir()
    if sys.platform != "linux" or os.geteuid():
        pytest.skip("only root may mount a small disk, on Linux")
    done = subprocess.run(["mount", "-t", "tmpfs", "none", mount], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr!r}")

    def resized(blocks: int) -> Path:
        size = f"remount,size={max(1, blocks) * BLOCK}"
        subprocess.run(["mount", "-o", size, mount], check=True)
        return mount

    try:
        yield resized
    finally:
        subprocess.run(["umount", mount], check=True)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process become larger than so many bytes; skips on Windows."""
    resource = pytest.importorskip("resource", reason="Windows has no limits of file sizes")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
