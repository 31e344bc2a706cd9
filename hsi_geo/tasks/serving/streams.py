"""stdin and stdout as channels of the protocol: nothing else can read from them or write to them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from hsi_geo.errors import OptionError

#: Longest line of a request, in bytes.
MOST_BYTES = 64 << 20


def take_streams() -> tuple[BinaryIO, BinaryIO]:
    """Take stdin and stdout for the protocol.

    What libraries print goes to stderr from now on, also what C libraries print. Child processes get no input.

    Returns:
        The input of the protocol, and its output.

    Raises:
        OptionError: If one of them is closed.
    """
    if sys.stdin is None or sys.stdout is None:
        raise OptionError(
            "stdin or stdout is closed, and both are needed",
            hint="start hsi-geo serve from a program that writes requests and reads answers",
        )
    sys.stdout.flush()
    while (nothing := os.open(os.devnull, os.O_RDWR)) < 3:
        pass  # a closed stderr: no other file gets its number
    # New descriptors are not inherited by child processes: a child cannot keep the client's pipe open.
    reading, writing = os.dup(0), os.dup(1)
    os.dup2(nothing, 0)
    os.dup2(nothing if sys.stderr is None else 2, 1)
    os.close(nothing)
    sys.stdout = sys.stderr
    return os.fdopen(reading, "rb"), os.fdopen(writing, "wb")


def read_lines(stream: BinaryIO, most_bytes: int = MOST_BYTES) -> Iterator[bytes | None]:
    """Lines of the client, until it closes its end.

    Args:
        stream: Input of the protocol.
        most_bytes: Longest line.

    Yields:
        Each line; None for a line that is too long, which is skipped. An incomplete last line is left out: its
        writer has ended.
    """
    is_too_long = False
    while line := stream.readline(most_bytes):
        if not line.endswith(b"\n"):
            is_too_long = True
            continue
        yield None if is_too_long else line
        is_too_long = False
