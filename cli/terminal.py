"""What goes through pipes and onto terminals: UTF-8, and no control character that somebody named."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import suppress
from typing import Any

import click

from hsi_geo.text import plain, plain_json


def speak_utf8() -> None:
    """Make pipes UTF-8 whatever the locale, and have nothing that is printed fail; call at the start.

    Programs that read us expect it, and a class in Chinese must not end a job whose map is there.
    A terminal keeps its encoding. What an encoding lacks is shown as an escape; lists of paths are read
    with whatever bytes they have.
    """
    _buffer_output()
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            errors = "surrogateescape" if stream is sys.stdin else "backslashreplace"
            stream.reconfigure(encoding=encoding, errors=errors)


def _buffer_output() -> None:
    """Give stdout a buffer where PYTHONUNBUFFERED takes it away; each line is still written at once.

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
    with suppress(OSError, ValueError):  # stdout is no file, as in tests
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def name_files_in_utf8() -> None:
    """Start this process again in Python's UTF-8 mode where it would name files in another encoding.

    GDAL takes UTF-8 only. That encoding cannot be changed later; Windows has UTF-8 always, and where
    the locale has, nothing happens.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def say(text: object, *, err: bool = False) -> None:
    """Print a line."""
    click.echo(plain(text), err=err)


def say_json(content: Any, *, err: bool = False, indent: int | None = None) -> None:
    """Print JSON."""
    click.echo(plain_json(json.dumps(content, ensure_ascii=False, indent=indent)), err=err)
