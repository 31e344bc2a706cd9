"""Entry point: finds the command, and prints each error as one sentence."""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import os
import sys
from contextlib import suppress
from typing import Any

import click

from hsi_geo import timings  # noqa: F401  # imported early: it notes when the program began
from hsi_geo.environment import drop_foreign_variables
from hsi_geo.errors import HsiGeoError, OutputError, os_error_text
from hsi_geo.interrupts import noting_outputs
from hsi_geo.tasks.adaptation.feature_process import allow_process
from hsi_geo.text import did_you_mean, plain

from . import reporting
from .interrupts import came_from_interrupt, ignore_signals, stop_on_signals, what_was_written
from .memory import is_shortage, limit_text
from .start import INTERRUPTED
from .terminal import (
    discard_output,
    occupy_closed_streams,
    restart_in_utf8_mode,
    use_utf8_streams,
)

#: Name and help line of each command; its module is imported only when it is called.
COMMANDS = {
    "info": "Describe a scene, and the labels on it.",
    "classify": "Map a scene from a few labelled examples (shots).",
    "pretrain": "Pre-train the network on scenes without labels.",
    "adapt": "Learn a model from a few labelled examples, and keep it.",
    "predict": "Map another scene with a model of adapt.",
    "batch": "Map many tiles with a model of adapt, on several cores or machines.",
    "assess": "Measure the accuracy of a map with reference labels.",
    "sample": "Draw a random sample of places to check a map by.",
    "compare": "Compare two maps: what changed, where, and how surely.",
    "polygons": "Write the patches of a map as polygons.",
    "zones": "Write the area of each class in zones, with error bars.",
    "export": "Write a model of adapt as an ONNX file, for other programs.",
    "convert": "Write a scene as a raster that other programs open.",
    "suggest": "Suggest where to draw the next labels.",
    "serve": "Answer other programs while a user draws: live previews (JSON-RPC).",
    "benchmark": "Compare hsi-geo with other methods on labelled scenes.",
    "demo": "Try it: map the scene Indian Pines from five labels a class.",
    "doctor": "Check the installation, and say how to repair it.",
}

FAILED = 1

#: Number of new objects after which Python looks for unused ones (700 is its own). The modules of a command are objects
#: that stay, and looking through them again and again makes imports slower.
OBJECTS_BEFORE_COLLECTION = 50_000

#: Seconds after which a thread gives the interpreter's lock to one that waits for it (0.005 is Python's own). Threads that
#: compute small arrays wait for the lock after each of them.
SWITCH_INTERVAL_S = 0.0005

#: Error codes of the system for a full disk; printing to a file raises them too.
DISK_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


class LazyGroup(click.Group):
    """Group that imports ``hsi_geo.cli.<name>`` when the command ``<name>`` is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands; nothing is imported."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f".{cmd_name}", __package__).command
        assert isinstance(command, click.Command)  # each module defines one
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for a misspelt name, suggest those that are like it."""
        name = args[0] if args else ""
        if name not in COMMANDS and not name.startswith("-"):
            ctx.fail(f"there is no command '{name}'{did_you_mean(name, COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help lines of the commands; nothing is imported."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; print an error as one sentence, and exit with its code."""
        words = [*getattr(ctx, "_protected_args", ()), *ctx.args]  # click 9 may not have the first
        try:
            return self._invoke(ctx)
        except click.ClickException as error:
            # The message may contain names of files, and these control characters.
            error.message = plain(error.message)  # type: ignore[misc]  # declared final
            if not reporting.asks_for_events(words):
                raise
            # Click's text is of several lines, and the choice may not be parsed yet.
            reporting.write_event("error", message=error.format_message(), hint="", code="option")
            ctx.exit(error.exit_code)
        except (click.exceptions.Exit, click.Abort):
            raise
        except HsiGeoError as error:
            reporting.write_error(ctx, error.message, error.hint, error.code)
        except KeyboardInterrupt as interrupt:
            with suppress(OSError):  # a terminal that was closed
                reporting.write_error(ctx, str(interrupt), "", "interrupted")
            ctx.exit(INTERRUPTED)
        except UnicodeEncodeError as error:
            reporting.write_error(
                ctx,
                f"'{error.object}' is not in UTF-8, and GDAL cannot be given such a name",
                "rename the file, or the folder that it is in",
                "file-name",
            )
        except BrokenPipeError:
            raise  # the reader closed the pipe, as `| head` does; click exits
        except Exception as error:
            if is_shortage(error):
                limit = limit_text()
                hint = ("raise this limit, or " if limit else "") + self._less_memory(ctx)
                reporting.write_error(ctx, f"out of memory{limit}", hint, "memory")
                ctx.exit(FAILED)
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                reporting.write_error(
                    ctx,
                    f"writing failed ({error.strerror})",
                    "check the free space of the disk, also of the one that the printed results go to",
                    "output",
                )
                discard_output()
                ctx.exit(FAILED)
            if os.environ.get("HSI_GEO_TRACEBACK"):
                raise
            if isinstance(error, OSError):
                reporting.write_error(ctx, *os_error_text(error), "error")
                ctx.exit(FAILED)
            reporting.write_error(
                ctx,
                f"unexpected {type(error).__name__}: {' '.join(str(error).split())}",
                "this is a defect of hsi-geo: run again with HSI_GEO_TRACEBACK=1 and report it",
                "unexpected",
            )
        ctx.exit(FAILED)

    def _invoke(self, ctx: click.Context) -> Any:
        """Run the command; an interrupt says what was written."""
        with noting_outputs() as written:
            try:
                return super().invoke(ctx)
            except KeyboardInterrupt as interrupt:
                if isinstance(lost := interrupt.__context__, OutputError):
                    raise lost from interrupt  # it says where the earlier files are now
                if str(interrupt):
                    raise
                raise KeyboardInterrupt(what_was_written(written)) from interrupt
            except OutputError:
                raise
            except Exception as error:
                if not came_from_interrupt(error):
                    raise
                raise KeyboardInterrupt(what_was_written(written)) from error

    def _less_memory(self, ctx: click.Context) -> str:
        """Hint for a lack of memory, with an option of the command if it has one."""
        command = self.get_command(ctx, ctx.invoked_subcommand or "")
        known = {option for param in command.params for option in param.opts} if command else set()
        limits = [one for one in ("--max-memory", "--batch") if one in known]
        return "".join(f"give a smaller {one}, or " for one in limits[:1]) + "take a smaller scene"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hsi-geo")
def group() -> None:
    """Few-shot land-cover mapping of georeferenced hyperspectral scenes.

    Draw a few points or polygons of each class, for example in QGIS. hsi-geo maps the whole scene:

        hsi-geo classify scene.tif --shots labels.gpkg
    """


def run() -> None:
    """Run ``hsi-geo`` as a program, and exit at once when it is done."""
    allow_process()
    try:
        main()
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            _exit_at_once(stop.code or 0)
        raise


def main() -> None:
    """Run ``hsi-geo``.

    Raises:
        SystemExit: At the end, with the exit code.
    """
    restart_in_utf8_mode()
    occupy_closed_streams()
    use_utf8_streams()
    drop_foreign_variables()
    _hide_dask()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    stop_on_signals()  # other programs use SIGTERM: exit as on Ctrl-C, and leave no incomplete file
    try:
        group()
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            _exit_at_once(INTERRUPTED)
        raise


def _hide_dask() -> None:
    """Make Dask impossible to import, or only its arrays where the command needs Dask, as if they were not installed.

    xarray imports them only to recognise arrays, which takes long, and no command makes one. A batch sends
    functions to Dask's workers, no arrays.
    """
    sys.meta_path.insert(0, _WithoutDaskArrays())
    # `doctor` looks which packages are installed, and xarray remembers what it has found.
    if {"batch", "doctor"}.isdisjoint(sys.argv) and "xarray" not in sys.modules:
        modules: dict[str, Any] = sys.modules
        modules.setdefault("dask", None)  # Python's own way to say that there is no such module


class _WithoutDaskArrays:
    """An entry of `sys.meta_path` by which Dask's arrays cannot be imported."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Refuse this one module; others are found as usual."""
        if name == "dask.array":
            raise ModuleNotFoundError("commands do not use dask.array", name=name)


def _exit_at_once(code: int) -> None:
    """Exit without unloading modules, which takes long after torch was imported.

    All files are complete by now, and a job that was cancelled has removed its own. Returns if what was printed cannot be
    written: Python then says so as usual.
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except OSError:
        return
    except KeyboardInterrupt:  # nobody reads the pipe that it is printed to
        code = INTERRUPTED
    ignore_signals()  # the functions below would print a traceback
    atexit._run_exitfuncs()  # ends processes that libraries started
    os._exit(code)
