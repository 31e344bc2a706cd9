"""What a set-up does: its options, its commands, and its sizes. Nothing is run here."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from .about import FOLDER

#: Names in the folder hsi_geo of QGIS's profile. Short, since Windows limits the length of paths.
ENVIRONMENT, DOWNLOADS, TEMPORARY, LOG, LOCK = "env", "cache", "tmp", "set_up.log", "set_up.lock"

#: File in the environment that is written last: what it was made from.
STATE = "hsi_geo_set_up.json"

#: PyTorch's index of wheels without CUDA.
CPU_INDEX = "https://download.pytorch.org/whl/cpu"

#: Where PyTorch comes from: its CPU-only index, or the package index (with CUDA on Linux).
CPU, DEFAULT = "cpu", "default"

#: The way out where only PyTorch's own index cannot be reached.
WITH_CUDA = "choose PyTorch with CUDA, which is larger and comes from the usual package index"

#: Share of the progress bar that ends with the environment, and with the packages.
ENVIRONMENT_DONE, PACKAGES_DONE = 3.0, 95.0

#: Variables that would change where pip installs, or which Python runs.
_FOREIGN = (
    "__PYVENV_LAUNCHER__",
    "VIRTUAL_ENV",
    "PIP_NO_DEPS",
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
)

_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True)
class Size:
    """Size of an installation.

    Attributes:
        download: Bytes that are downloaded.
        disk: Bytes that it takes on disk.
    """

    download: float
    disk: float

    @property
    def needed(self) -> float:
        """Bytes that must be free: what is downloaded is kept twice until the end."""
        return self.disk + 2 * self.download


#: Extras of hsi-geo that the toolbox needs: *Batch of tiles*, and Zarr stores as scenes.
EXTRAS = ("batch", "zarr")

#: Rows `hsi-geo` and those of `EXTRAS` of docs/results/install_sizes.md, which a test compares. Only Linux's disk was
#: measured.
SIZES = {
    ("linux", DEFAULT): Size(3.2e9, 6.4e9),
    ("linux", CPU): Size(421e6, 1.7e9),
    ("darwin", DEFAULT): Size(276e6, 1.7e9),
    ("win", DEFAULT): Size(320e6, 1.7e9),
}


@dataclass(frozen=True)
class Options:
    """Choices of a set-up.

    Attributes:
        python: Path of the Python that makes the environment.
        torch: `CPU` or `DEFAULT`. Matters on Linux only.
        torch_index: Address of the index for `CPU`.
        index: Address of a package index; empty for that of pip's own settings.
        wheels: Folder of wheels, which replaces every index; may be empty.
        proxy: Address of a proxy, maybe with a password; empty for that of the system.
        no_proxy: Hosts without proxy, separated by commas.
    """

    python: str
    torch: str = DEFAULT
    torch_index: str = CPU_INDEX
    index: str = ""
    wheels: str = ""
    proxy: str = ""
    no_proxy: str = ""


@dataclass(frozen=True)
class Step:
    """A command of a set-up.

    Attributes:
        title: What it does, for the log and the progress bar.
        command: Program and arguments.
        end: Per cent of the whole when it is done.
        elsewhere: What else to do if its package index cannot be reached; may be empty.
    """

    title: str
    command: tuple[str, ...]
    end: float
    elsewhere: str = ""


@dataclass(frozen=True)
class State:
    """What an environment was made from.

    Attributes:
        version: Version of hsi-geo.
        sha256: Hash of the wheel, since two wheels of a checkout may have one version.
    """

    version: str
    sha256: str


def carried_wheel(folder: str = FOLDER) -> str:
    """Path of the wheel in the plugin's folder; empty in a checkout, where none is built.

    Args:
        folder: The plugin's folder.
    """
    found = sorted(glob.glob(os.path.join(glob.escape(folder), "wheel", "hsi_geo-*.whl")))
    return found[-1] if found else ""


def state_of_wheel(wheel: str) -> State:
    """What an environment made from a wheel has as its state.

    Args:
        wheel: Path of the wheel.
    """
    with open(wheel, "rb") as file:
        sha256 = hashlib.sha256(file.read()).hexdigest()
    return State(os.path.basename(wheel).split("-")[1], sha256)


def read_state(environment: str) -> State | None:
    """State of an environment.

    Args:
        environment: Its folder.

    Returns:
        None if there is no environment, or it is half made.
    """
    try:
        with open(os.path.join(environment, STATE), encoding="utf-8") as file:
            found = json.load(file)
        return State(str(found["version"]), str(found["sha256"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_state(environment: str, state: State) -> None:
    """Mark an environment as complete.

    Args:
        environment: Its folder.
        state: What it was made from.
    """
    path = os.path.join(environment, STATE)
    with open(f"{path}.part", "w", encoding="utf-8") as file:
        json.dump({"version": state.version, "sha256": state.sha256}, file)
    os.replace(f"{path}.part", path)


def python_of(environment: str, system: str = "") -> str:
    """Path of an environment's Python.

    Args:
        environment: Its folder.
        system: Begin of `sys.platform`; this system if empty.
    """
    windows = (system or sys.platform).startswith("win")
    parts = ("Scripts", "python.exe") if windows else ("bin", "python")
    return os.path.join(environment, *parts)


def size_of(torch: str, system: str = "") -> Size:
    """Size of an installation.

    Args:
        torch: `CPU` or `DEFAULT`.
        system: As in `python_of`.
    """
    system = system or sys.platform
    name = next((name for name in ("win", "darwin") if system.startswith(name)), "linux")
    return SIZES.get((name, torch)) or SIZES[name, DEFAULT]


def bytes_text(size: float) -> str:
    """A size as text.

    Args:
        size: Bytes.

    >>> bytes_text(401e6), bytes_text(6.34e9)
    ('401 MB', '6.3 GB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def sizes_text(options: Options, system: str = "") -> str:
    """What a set-up downloads and takes, in one sentence each.

    Args:
        options: Its choices.
        system: As in `python_of`.
    """
    size = size_of(options.torch, system)
    disk = f"Takes about {bytes_text(size.disk)} on disk."
    if options.wheels:
        return f"Nothing is downloaded. {disk}"
    return (
        f"Downloads about {bytes_text(size.download)}. {disk} "
        f"While it installs, {bytes_text(size.needed)} must be free."
    )


def steps(options: Options, environment: str, wheel: str, update: bool = False) -> list[Step]:
    """The commands of a set-up or an update.

    Args:
        options: Its choices.
        environment: Folder of the environment.
        wheel: Path of the wheel.
        update: Whether the environment exists and only gets the wheel, and what the wheel needs.
    """
    python = python_of(environment)
    pip = (python, "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check",
           "--no-user", "--retries", "2", "--progress-bar", "off")  # fmt: skip
    source: tuple[str, ...] = ()
    if options.wheels:
        source = ("--no-index", "--find-links", options.wheels)
    elif options.index:
        source = ("--index-url", options.index)
    plan = []
    if not update:
        make = (options.python, "-I", "-m", "venv", "--clear", environment)
        plan.append(Step("Making the environment", make, ENVIRONMENT_DONE))
        if options.torch == CPU and not options.wheels:
            torch = (*pip, "--index-url", options.torch_index, "torch")
            plan.append(Step("Installing PyTorch without CUDA", torch, 60.0, WITH_CUDA))
    with_extras = f"{wheel}[{','.join(EXTRAS)}]"
    packages = (*pip, *source, with_extras)
    plan.append(Step("Installing hsi-geo and its packages", packages, PACKAGES_DONE))
    if update:  # pip keeps a package of the same version
        again = (*pip, "--no-index", "--no-deps", "--force-reinstall", wheel)
        plan.append(Step("Installing the new hsi-geo", again, PACKAGES_DONE + 1))
    check = (python, "-I", "-m", "hsi_geo", "doctor", "--json")
    plan.append(Step("Checking the environment", check, 100.0))
    return plan


def variables(
    environ: Mapping[str, str], options: Options, temporary: str, cache: str
) -> dict[str, str]:
    """Environment variables of the commands: nothing of QGIS's Python, and the proxy.

    A proxy is given here and not as an argument, since arguments, and with them a password, can be seen by
    every user of the computer.

    Args:
        environ: Variables of QGIS.
        options: Choices of the set-up.
        temporary: Folder for files while they are downloaded; that of the system if empty.
        cache: Folder in which pip keeps downloads for the next try; that of pip if empty.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith("PYTHON") and name.upper() not in _FOREIGN
    }
    if temporary:
        kept.update({"TMPDIR": temporary, "TEMP": temporary, "TMP": temporary})
    if cache:
        kept["PIP_CACHE_DIR"] = cache
    if options.proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            kept[name] = options.proxy
        kept.pop("PIP_PROXY", None)
        if options.no_proxy:
            kept["NO_PROXY"] = kept["no_proxy"] = options.no_proxy
    return kept


def proxy_address(host: str, port: str, login: tuple[str, str] | None = None) -> str:
    """Address of an HTTP proxy.

    Args:
        host: Name or number of the host.
        port: Its port; may be empty.
        login: Name of the user and secret word; None, or empty texts, if there are none.
    """
    given = ":".join(quote(part, safe="") for part in login or () if part)
    return "http://" + (f"{given}@" if given else "") + host + (f":{port}" if port else "")


def without_passwords(text: str) -> str:
    """A line of the log without the passwords in addresses.

    Args:
        text: The line.
    """
    return _PASSWORD.sub("****@", text)


def torch_for(environ: Mapping[str, str] | None = None, system: str = "") -> str:
    """The PyTorch that fits the computer: with CUDA only where there is an NVIDIA driver.

    Args:
        environ: Environment variables; those of this process if None.
        system: As in `python_of`.
    """
    if not (system or sys.platform).startswith("linux"):
        return DEFAULT  # the package index has small wheels
    path = (os.environ if environ is None else environ).get("PATH", "")
    programs = [os.path.join(f, "nvidia-smi") for f in path.split(os.pathsep)]
    has_driver = any(map(os.path.exists, ("/proc/driver/nvidia/version", *programs)))
    return DEFAULT if has_driver else CPU
