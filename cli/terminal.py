"""Text on pipes and terminals: UTF-8, without control characters from names."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import suppress
from typing import Any

import click

from hsi_geo.text import plain, plain_json


def occupy_closed_streams() -> None:
    """Open nothing (`os.devnull`) in place of closed standard streams; call at the start.

    A file of data would get the number of a closed stream, and C libraries would print into it. `sys.stderr` and the
    others stay None.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(number, True)  # of child processes, too
    os.close(number)


def use_utf8_streams() -> None:
    """Make pipes UTF-8 in every locale, and let no printed character raise an error; call at the start.

    Programs that read our output expect UTF-8, and a Chinese class name must not end a job. A
    terminal keeps its encoding. Characters that an encoding lacks are printed as escapes. Lists of
    paths are read with the bytes that they have.
    """
    _buffer_output()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            errors = "surrogateescape" if stream is sys.stdin else "backslashreplace"
            stream.reconfigure(encoding=encoding, errors=errors)


def _buffer_output() -> None:
    """Give stdout a buffer if PYTHONUNBUFFERED took it away; each line is still written at once.

    Without a buffer Python drops what a full disk did not take of a text, and raises no error.
    """
    stdout = sys.stdout
    if isinstance(stdout, io.TextIOWrapper) and isinstance(stdout.buffer, io.RawIOBase):
        encoding, errors = stdout.encoding, stdout.errors
        raw = stdout.detach()
        assert isinstance(raw, io.RawIOBase)
        buffer = io.BufferedWriter(raw)
        sys.stdout = io.TextIOWrapper(buffer, encoding, errors, line_buffering=True)


def discard_output() -> None:
    """Discard what stdout has not written: it would fail again when Python ends (exit code 120)."""
    with suppress(OSError, ValueError):  # stdout is not a file, as in tests
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def restart_in_utf8_mode() -> None:
    """Start this process again in Python's UTF-8 mode if it encodes file names in another encoding.

    GDAL takes file names in UTF-8 only. Python cannot change that encoding later. Windows always has
    UTF-8; nothing happens where the locale has it.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def print_line(text: object, *, err: bool = False) -> None:
    """Print a line without control characters.

    Args:
        text: Text of the line; control characters in it are printed as escapes.
        err: Whether to print to stderr instead of stdout.
    """
    click.echo(plain(text), err=err)


def print_json(content: Any, *, err: bool = False, indent: int | None = None) -> None:
    """Print a value as JSON.

    Args:
        content: Value that JSON can hold.
        err: Whether to print to stderr instead of stdout.
        indent: Number of spaces for each level; None prints one line.
    """
    click.echo(plain_json(json.dumps(content, ensure_ascii=False, indent=indent)), err=err)
