"""What can go wrong, each as one sentence: what was found, what was wanted, what to do."""

from __future__ import annotations


class HsiGeoError(Exception):
    """Root of every error a user of hsi-geo can meet.

    Each subclass also inherits the builtin it means, so that ``except FileNotFoundError``
    works without knowing this package.

    Args:
        message: What was found and what was wanted.
        hint: What to do about it. Both end up on one line, whatever is in a file's name.

    Attributes:
        message: As given.
        hint: As given, empty if there is nothing to add.
        code: A short name that scripts can compare; it does not change between versions.
    """

    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        message, hint = (" ".join(text.splitlines()) for text in (message, hint))
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class SceneNotFoundError(HsiGeoError, FileNotFoundError):
    """There is no scene at that path."""

    code = "scene-not-found"


class SceneError(HsiGeoError, ValueError):
    """The scene is there, but cannot be used as it is."""

    code = "scene"


class WavelengthError(SceneError):
    """The scene's bands have no usable wavelengths, or not those a model wants."""

    code = "wavelength"


class ScaleError(SceneError):
    """The scene's values lie on another scale than those that a model was adapted to."""

    code = "scale"


class ShotsNotFoundError(HsiGeoError, FileNotFoundError):
    """There are no shots at that path."""

    code = "shots-not-found"


class ShotsError(HsiGeoError, ValueError):
    """The shots are there, but nothing can be learnt from them."""

    code = "shots"


class ClassFieldError(ShotsError, LookupError):
    """The shots have no such field, or several that could be meant."""

    code = "class-field"


class MapNotFoundError(HsiGeoError, FileNotFoundError):
    """There is no map at that path."""

    code = "map-not-found"


class MapError(HsiGeoError, ValueError):
    """The map is there, but cannot be assessed as it is."""

    code = "map"


class ModelFileError(HsiGeoError, ValueError):
    """The file is no hsi-geo model, or one of a version this package cannot read."""

    code = "model-file"


class OptionError(HsiGeoError, ValueError):
    """An option has a value it cannot have."""

    code = "option"


class OutputExistsError(HsiGeoError, FileExistsError):
    """The output is already there and overwriting was not asked for."""

    code = "output-exists"


class OutputError(HsiGeoError, OSError):
    """The output cannot be written there."""

    code = "output"


class MissingPackageError(HsiGeoError, ImportError):
    """A package that this job needs is not installed."""

    code = "missing-package"


class ClusterError(HsiGeoError, ConnectionError):
    """The workers cannot be reached, or not any longer."""

    code = "cluster"


class BatchError(HsiGeoError, RuntimeError):
    """Some tiles of a batch were not mapped."""

    code = "batch"
