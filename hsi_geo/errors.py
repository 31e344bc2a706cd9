"""Errors. Each message is one sentence: what was found, what was expected, what to do."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from hsi_geo.option_words import python_words

#: What to do about a file name that the disk does not allow.
SHORTER_NAME = "choose a shorter name"

#: Free bytes of a disk that is not full.
_ROOM = 1 << 20

#: What to do when a file cannot be written, by the system's reason.
_WRITE_HINTS = {
    errno.ENAMETOOLONG: SHORTER_NAME,
    errno.EACCES: "check that its folder can be written to",
    errno.EROFS: "check that its folder can be written to",
}


class HsiGeoError(Exception):
    """Base class of all errors of hsi-geo.

    Each subclass also inherits from the matching built-in error, so that ``except FileNotFoundError``
    works, too.

    Args:
        message: What was found and what was expected.
        hint: What to do about it. Line breaks in both become blanks.

    Both name options as the command line does. The text of the error (``str``), which Python shows, names
    them as arguments.

    Attributes:
        message: What was found and what was expected, on one line.
        hint: What to do about it, on one line; empty if there is nothing to add.
        code: A short name that scripts can compare. It does not change between versions.

    Example:
        >>> error = SceneError("scene 'a.tif' has no bands", hint="give another file")
        >>> str(error), isinstance(error, ValueError)
        ("scene 'a.tif' has no bands; give another file", True)
        >>> print(OutputExistsError("output 'a.tif' is already there", hint="give --overwrite"))
        output 'a.tif' is already there; give overwrite=True
    """

    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        message, hint = (" ".join(text.splitlines()) for text in (message, hint))
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def sentence(self) -> str:
        """Message and hint, with options as the command line names them."""
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def __str__(self) -> str:
        return python_words(self.sentence)


class SceneNotFoundError(HsiGeoError, FileNotFoundError):
    """No scene exists at the path."""

    code = "scene-not-found"


class SceneError(HsiGeoError, ValueError):
    """The scene exists but cannot be used."""

    code = "scene"


class SceneChangedError(SceneError):
    """A file of the scene has changed since a session opened it."""

    code = "scene-changed"


class WavelengthError(SceneError):
    """The bands of the scene have no usable wavelengths, or do not cover those of a model."""

    code = "wavelength"


class ScaleError(SceneError):
    """The values of the scene have another scale than those that a model was adapted to."""

    code = "scale"


class ShotsNotFoundError(HsiGeoError, FileNotFoundError):
    """No shots exist at the path."""

    code = "shots-not-found"


class ShotsError(HsiGeoError, ValueError):
    """The shots exist but cannot be used for training."""

    code = "shots"


class EmptyShotsError(ShotsError):
    """The file of shots has no feature with a geometry and a class."""


class ClassFieldError(ShotsError, LookupError):
    """The shots have no such field, or several that could hold the class."""

    code = "class-field"


class MapNotFoundError(HsiGeoError, FileNotFoundError):
    """No map exists at the path."""

    code = "map-not-found"


class MapError(HsiGeoError, ValueError):
    """The map exists but cannot be assessed."""

    code = "map"


class ModelFileError(HsiGeoError, ValueError):
    """The file is no hsi-geo model, or has a version that this package cannot read."""

    code = "model-file"


class OptionError(HsiGeoError, ValueError):
    """An option has an invalid value."""

    code = "option"


class OutputExistsError(HsiGeoError, FileExistsError):
    """The output exists and the overwrite option was not given."""

    code = "output-exists"


class OutputError(HsiGeoError, OSError):
    """The output cannot be written."""

    code = "output"


class MissingPackageError(HsiGeoError, ImportError):
    """A required package is not installed."""

    code = "missing-package"


class ClusterError(HsiGeoError, ConnectionError):
    """The workers cannot be reached."""

    code = "cluster"


class BatchError(HsiGeoError, RuntimeError):
    """Some tiles of a batch were not mapped."""

    code = "batch"


def os_error_text(error: OSError) -> tuple[str, str]:
    """Sentence and hint for an error of the system or of a library that reads files.

    Args:
        error: The error. GDAL and HDF5 give it no number and no file, and name the file in their text.

    Examples:
        >>> os_error_text(FileNotFoundError(2, "No such file or directory", "a.tif"))[0]
        "'a.tif' cannot be read or written (No such file or directory)"
        >>> os_error_text(OSError("a.tif, band 1: IReadBlock failed."))[0]
        'a file cannot be read or written (a.tif, band 1: IReadBlock failed)'
    """
    named = f"'{error.filename}'" if error.filename else "a file"
    why = error.strerror or " ".join(str(error).split()).rstrip(".") or type(error).__name__
    what = f"{named} cannot be read or written ({why})"
    hint = "check that the file is complete, and that its folder and disk are there"
    return what, SHORTER_NAME if error.errno == errno.ENAMETOOLONG else hint


def write_error_text(text: str, path: Path) -> tuple[str, str]:
    """Reason and hint for an error of a library that writes files, which names the system's reason in its text.

    Args:
        text: The library's text.
        path: File that is written.

    Examples:
        >>> write_error_text("cannot create /maps/aaa.tif: File name too long", Path("/maps/aaa.tif"))
        ('File name too long', 'choose a shorter name')
        >>> write_error_text("cannot create a.gpkg", Path("/no such folder/.tmp/a.gpkg"))
        ('its folder is no longer there', 'check the disk, and write into a folder that stays')
    """
    for number, hint in _WRITE_HINTS.items():
        reason = os.strerror(number)
        if reason.lower() in text.lower():
            # The library's text repeats a name that is too long.
            return (reason if hint == SHORTER_NAME else text), hint
    folder = path.absolute().parent
    if not folder.is_dir():
        return "its folder is no longer there", "check the disk, and write into a folder that stays"
    if shutil.disk_usage(folder).free >= _ROOM and _has_size_limit():
        return text, "check how large files may be (ulimit -f)"
    return text, "check the disk and its free space"


def _has_size_limit() -> bool:
    """Whether the sizes of files are limited for this process."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return False
    return resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
