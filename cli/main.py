"""Entry point: finds the command, and turns whatever goes wrong into one sentence."""

from __future__ import annotations

import atexit
import errno
import importlib
import os
import signal
import sys
from types import FrameType
from typing import Any

import click

from hsi_geo.environment import drop_foreign_variables
from hsi_geo.errors import HsiGeoError
from hsi_geo.text import plain

from . import reporting
from .terminal import discard_output, name_files_in_utf8, speak_utf8

#: Name and help line of each command; its module is imported only when it is called.
COMMANDS = {
    "info": "Describe a scene and what shots would give.",
    "classify": "Map a scene from a few shots, in one go.",
    "pretrain": "Pre-train the network on scenes without labels.",
    "adapt": "Adapt a model to a scene from a few shots.",
    "predict": "Map a scene with an adapted model.",
    "batch": "Map many tiles with an adapted model, on Dask.",
    "assess": "Compare a map with reference labels.",
    "suggest": "Find where the next shots would help most.",
    "benchmark": "Compare with the classical methods on labelled scenes.",
    "demo": "Run the main job on Indian Pines.",
    "doctor": "Check what is installed, and say how to mend it.",
}

FAILED, INTERRUPTED = 1, 130

#: What the system says when there is no room: of results that are printed to a file as well.
DISK_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


class LazyGroup(click.Group):
    """Group that imports ``hsi_geo.cli.<name>`` when command ``<name>`` is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, without importing anything."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f".{cmd_name}", __package__).command
        assert isinstance(command, click.Command)  # each module defines one
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help lines, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors leave as one sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            # Words of the command line may be names of files.
            error.message = plain(error.message)  # type: ignore[misc]  # declared final
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except HsiGeoError as error:
            reporting.tell_error(ctx, error.message, error.hint, error.code)
        except KeyboardInterrupt as interrupt:
            what = str(interrupt) or "interrupted, nothing was written"
            reporting.tell_error(ctx, what, "", "interrupted")
            ctx.exit(INTERRUPTED)
        except MemoryError:
            reporting.tell_error(ctx, "out of memory", self._less_memory(ctx), "memory")
        except UnicodeEncodeError as error:
            reporting.tell_error(
                ctx,
                f"'{error.object}' is not in UTF-8, and GDAL cannot be given such a name",
                "rename the file, or the folder that it is in",
                "file-name",
            )
        except BrokenPipeError:
            raise  # whoever read our results has heard enough, as `| head` does; click ends us
        except Exception as error:
            if isinstance(error, OSError) and error.errno in DISK_FULL:
                reporting.tell_error(
                    ctx,
                    f"writing failed ({error.strerror})",
                    "check the free space of the disk, also of the one that the printed results go to",
                    "output",
                )
                discard_output()
                ctx.exit(FAILED)
            if os.environ.get("HSI_GEO_TRACEBACK"):
                raise
            reporting.tell_error(
                ctx,
                f"unexpected {type(error).__name__}: {' '.join(str(error).split())}",
                "this is a defect of hsi-geo: run again with HSI_GEO_TRACEBACK=1 and report it",
                "unexpected",
            )
        ctx.exit(FAILED)

    def _less_memory(self, ctx: click.Context) -> str:
        """What to do about it, by what the command that ran can be told."""
        command = self.get_command(ctx, ctx.invoked_subcommand or "")
        known = {option for param in command.params for option in param.opts} if command else set()
        limits = [one for one in ("--max-memory", "--batch") if one in known]
        return "".join(f"give a smaller {one}, or " for one in limits[:1]) + "take a smaller scene"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hsi-geo")
def group() -> None:
    """Few-shot land-cover mapping of georeferenced hyperspectral scenes.

    An analyst draws a handful of points or polygons a class; hsi-geo maps the scene:

        hsi-geo classify scene.tif --shots labels.gpkg
    """


def main() -> None:
    """Run ``hsi-geo`` as a program."""
    name_files_in_utf8()
    speak_utf8()
    drop_foreign_variables()
    # Whoever runs us stops us by SIGTERM: leave as on Ctrl-C, with nothing half written.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        group()
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:
            _leave_at_once()
        raise


def _leave_at_once() -> None:
    """End without taking every module down, which takes seconds once torch is there.

    Whoever cancels a job waits for its end; the job itself has cleaned up behind it by now.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    atexit._run_exitfuncs()  # ends processes that libraries have started
    os._exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
