"""What an installation downloads and takes on disk, and which packages torch starts without: docs/install.md.

    python docs/measurements/install_sizes.py --cpu-wheel FILE [--out docs/results]

Writes `install_needs.md` (a sentence, which `make demo` prints as well), `install_sizes.md` (by part and system),
`install_packages.md` (the largest packages) and `install_left_out.md` (whether torch starts without each package).

Run it on Linux, in an environment with hsi-geo, all extras and the dependency group dev, and `uv` on the PATH or given
by `--uv`. uv resolves `pyproject.toml` for each system, with the releases of this environment, and tells the size of
each wheel; nothing is downloaded. Sizes on disk are those of this environment's files, compiled modules (`.pyc`)
included. The CPU wheel is one of torch for Linux without CUDA. Each package that only Linux gets is left out once, by
links to all files but its own, and torch is started. The machine must have no CUDA of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parents[2]

#: Version of Python whose wheels are counted.
PYTHON = (3, 12)

#: Packages that are listed on their own are at least as large on disk, in MB.
LARGE_MB = 15

#: What the package must be good for when another one is left out.
START = """
import torch
layer = torch.nn.Linear(8, 8)
layer(torch.ones(2, 8)).sum().backward()
assert torch.fft.rfft(torch.ones(8)).shape == (5,)
torch.linalg.inv(torch.eye(3))
print("starts")
"""


@dataclass(frozen=True, slots=True)
class System:
    """A kind of computer.

    Attributes:
        name: Name in the tables.
        uv: uv's name of it, for ``--python-platform``.
        platforms: Platform tags of the wheels that pip takes there, best first.
    """

    name: str
    uv: str
    platforms: tuple[str, ...]


#: glibc releases of wheels for Linux, newest first; 2.28 is Debian 10's, 2.35 that of Ubuntu 22.04.
GLIBC = range(35, 4, -1)
LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}

SYSTEMS = (
    System(
        "Linux",
        "linux",
        tuple(
            tag
            for minor in GLIBC
            for tag in (
                f"manylinux_2_{minor}_x86_64",
                *([f"{LEGACY[minor]}_x86_64"] if minor in LEGACY else []),
            )
        ),
    ),
    System("macOS", "macos", tuple(mac_platforms((14, 0), "arm64"))),
    System("Windows", "windows", ("win_amd64",)),
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of packages.

    Attributes:
        download: Bytes of each package's wheel, by the name of the system and of the package.
        disk: Bytes of each installed package's files.
        parts: Names of the packages of each part of the installation: the package, what each extra adds, all extras,
            and what the dependency group dev adds to them.
        cpu_wheel: Bytes of torch's wheel without CUDA, and of the files in it.
    """

    download: Mapping[str, Mapping[str, int]]
    disk: Mapping[str, int]
    parts: Mapping[str, frozenset[str]]
    cpu_wheel: tuple[int, int]

    @property
    def cuda(self) -> frozenset[str]:
        """Packages that only Linux gets: CUDA and what is built on it."""
        return frozenset(self.download["Linux"].keys() - self.download["macOS"].keys())


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--uv", default=shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    )
    parser.add_argument(
        "--cpu-wheel", type=Path, required=True, help="a wheel of torch without CUDA"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results")
    options = parser.parse_args()
    sizes = measure(options.uv, options.cpu_wheel)
    tables = {
        "needs": [needs(sizes)],
        "sizes": parts_table(sizes),
        "packages": packages_table(sizes),
        "left_out": left_out_table(sizes),
    }
    for name, lines in tables.items():
        text = "\n".join(lines) + "\n"
        (options.out / f"install_{name}.md").write_text(text, encoding="utf-8")


def measure(uv: str, cpu_wheel: Path) -> Sizes:
    """Sizes of all packages.

    Args:
        uv: Path of uv.
        cpu_wheel: Wheel of torch without CUDA.
    """
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    core, every = needed("hsi-geo"), needed("hsi-geo[all]")
    parts = {"hsi-geo": core}
    for extra in sorted(settings["project"]["optional-dependencies"].keys() - {"all"}):
        parts[f"and `[{extra}]`"] = needed(f"hsi-geo[{extra}]") - core
    groups = settings["dependency-groups"]
    listed = (text for name in ("test", "dev") for text in groups[name] if isinstance(text, str))
    tools = needed(*listed)
    parts |= {"all": every, "and `make test`": tools - every}
    everything = every | tools
    with tempfile.TemporaryDirectory() as name:
        download = {s.name: wheel_sizes(uv, s, everything, Path(name)) for s in SYSTEMS}
    return Sizes(
        download,
        {package: size_on_disk(distribution(package)) for package in everything},
        parts,
        (cpu_wheel.stat().st_size, unpacked(cpu_wheel)),
    )


def needed(*requirements: str) -> frozenset[str]:
    """Names of the packages that requirements need here, hsi-geo itself left out.

    Args:
        requirements: Such as ``hsi-geo[zarr]``.
    """
    waiting = [Requirement(text) for text in requirements]
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        for extra in {"", *wanted.extras}:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            found = (Requirement(text) for text in distribution(name).requires or [])
            waiting += [
                one for one in found if one.marker is None or one.marker.evaluate({"extra": extra})
            ]
    return frozenset(name for name, _ in seen) - {"hsi-geo"}


def wheel_sizes(uv: str, system: System, packages: Iterable[str], folder: Path) -> dict[str, int]:
    """Bytes that pip downloads for each package that a system gets."""
    pins = folder / "constraints.txt"
    pins.write_text("".join(f"{name}=={distribution(name).version}\n" for name in packages))
    lock = folder / f"pylock.{system.uv}.toml"
    command = [
        *(uv, "pip", "compile", "--quiet", "--no-header", "--format", "pylock.toml"),
        *("--all-extras", "--group", "dev"),
        *("--python-platform", system.uv, "--python-version", ".".join(map(str, PYTHON))),
        *("--constraint", str(pins), "--output-file", str(lock), "pyproject.toml"),
    ]
    environment = {
        **os.environ,
        "MACOSX_DEPLOYMENT_TARGET": "14.0",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    subprocess.run(command, check=True, env=environment, cwd=ROOT)
    locked = tomllib.loads(lock.read_text(encoding="utf-8"))["packages"]
    rank = {tag: place for place, tag in enumerate(tags(system))}
    return {package["name"]: download_size(package, rank) for package in locked}


def tags(system: System) -> Iterator[Tag]:
    """Tags of the wheels that a system takes, best first."""
    abi = f"cp{PYTHON[0]}{PYTHON[1]}"
    yield from cpython_tags(PYTHON, [abi], system.platforms)
    yield from compatible_tags(PYTHON, abi, system.platforms)


def download_size(package: dict[str, Any], rank: Mapping[Tag, int]) -> int:
    """Bytes of a package's best wheel, or of its source if it has none."""
    best: tuple[int, int] | None = None
    for wheel in package.get("wheels", []):
        name = unquote(wheel["url"].rsplit("/", 1)[-1])
        places = [rank[tag] for tag in parse_wheel_filename(name)[3] if tag in rank]
        if places and (best is None or min(places) < best[0]):
            best = min(places), wheel["size"]
    return best[1] if best is not None else int(package["sdist"]["size"])


def size_on_disk(package: Distribution) -> int:
    """Bytes of a package's files and compiled modules."""
    return sum(path.stat().st_size for path in files_of(package))


def files_of(package: Distribution) -> set[Path]:
    """Files of a package that exist, with the compiled modules."""
    listed = {Path(str(package.locate_file(file))) for file in package.files or []}
    listed |= {Path(cache_from_source(str(path))) for path in listed if path.suffix == ".py"}
    return {path for path in listed if path.is_file()}


def unpacked(wheel: Path) -> int:
    """Bytes of the files in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def gigabytes(size: float) -> str:
    """A size in GB, or below 1 GB in MB."""
    return f"{size / 1e9:.1f} GB" if size >= 0.9995e9 else f"{size / 1e6:.0f} MB"


def needs(sizes: Sizes) -> str:
    """What all extras need, as a sentence."""
    linux, small, mac, windows, disk, small_disk = map(gigabytes, cells(sizes, sizes.parts["all"]))
    return (
        f"On Linux the installation downloads {linux} and takes {disk} on disk, most of it CUDA; without CUDA "
        f"(`make demo TORCH=cpu`) {small} and {small_disk}. On macOS it downloads {mac}, on Windows {windows}."
    )


def parts_table(sizes: Sizes) -> list[str]:
    """Download for each system and disk on Linux, of each part."""
    rows = [
        "| | download, Linux | Linux without CUDA | macOS | Windows | disk, Linux | Linux without CUDA |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, packages in sizes.parts.items():
        rows.append(f"| {name} | {' | '.join(map(gigabytes, cells(sizes, packages)))} |")
    return rows


def cells(sizes: Sizes, packages: frozenset[str]) -> tuple[int, int, int, int, int, int]:
    """Bytes of some packages, in the order of the columns of `parts_table`."""
    linux, mac, windows = (
        sum(sizes.download[system.name].get(package, 0) for package in packages)
        for system in SYSTEMS
    )
    disk = sum(sizes.disk[package] for package in packages)
    rest = packages - sizes.cuda - {"torch"}
    small, small_disk = sizes.cpu_wheel if "torch" in packages else (0, 0)
    small += sum(sizes.download["Linux"].get(package, 0) for package in rest)
    small_disk += sum(sizes.disk[package] for package in rest)
    return linux, small, mac, windows, disk, small_disk


def packages_table(sizes: Sizes) -> list[str]:
    """Download and disk of the largest packages on Linux, without those of `make test`."""
    every = sizes.parts["all"]
    rows = ["| package | release | download | disk |", "|---|---|---|---|"]
    linux = sizes.download["Linux"]
    cuda = sorted(sizes.cuda & every)
    total = sum(linux[name] for name in cuda), sum(sizes.disk[name] for name in cuda)
    rows.append(f"| {len(cuda)} of CUDA | | {gigabytes(total[0])} | {gigabytes(total[1])} |")
    others = sorted(every - sizes.cuda, key=lambda name: -sizes.disk[name])
    small = [name for name in others if sizes.disk[name] < LARGE_MB * 1e6]
    for name in others[: len(others) - len(small)]:
        version = distribution(name).version
        rows.append(
            f"| {name} | {version} | {gigabytes(linux[name])} | {gigabytes(sizes.disk[name])} |"
        )
    total = sum(linux[name] for name in small), sum(sizes.disk[name] for name in small)
    rows.append(f"| {len(small)} others | | {gigabytes(total[0])} | {gigabytes(total[1])} |")
    return rows


def left_out_table(sizes: Sizes) -> list[str]:
    """Whether torch starts without each of the packages that only Linux gets."""
    rows = ["| left out | download | disk | torch |", "|---|---|---|---|"]
    without: list[str] = []
    names = sorted(sizes.cuda & sizes.parts["all"], key=lambda name: -sizes.disk[name])
    for name in names:
        said = start_without([name])
        without += [name] if said == "starts" else []
        rows.append(_left_out_row(sizes, name, [name], said))
    rows.append(_left_out_row(sizes, "all that it starts without", without, start_without(without)))
    rows.append(_left_out_row(sizes, "all of these", names, start_without(names)))
    return rows


def _left_out_row(sizes: Sizes, title: str, packages: list[str], said: str) -> str:
    download = sum(sizes.download["Linux"][name] for name in packages)
    disk = sum(sizes.disk[name] for name in packages)
    return f"| {title} | {gigabytes(download)} | {gigabytes(disk)} | {said} |"


def start_without(left_out: list[str]) -> str:
    """What torch says when it starts without some packages: "starts", or what it misses.

    Args:
        left_out: Names of the packages.
    """
    missing = {canonicalize_name(name) for name in left_out}
    site = Path(str(distribution("torch").locate_file("")))
    # Beside the environment: links must be on the same disk.
    with tempfile.TemporaryDirectory(dir=site.parent) as name:
        for other in needed("torch") - missing:
            for path in files_of(distribution(other)):
                if path.is_relative_to(site) and ".." not in path.parts:  # no scripts
                    link = Path(name) / path.relative_to(site)
                    link.parent.mkdir(parents=True, exist_ok=True)
                    os.link(path, link)
        code = f"import sys; sys.path.insert(0, {name!r})\n{START}"
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
        )
    if done.returncode == 0:
        return done.stdout.strip()
    last = done.stderr.strip().splitlines()[-1]
    library = re.search(r"lib\w+\.so[.\d]*", last.replace("*[0-9]", ""))
    return f"{library[0].rstrip('.') if library else last} is missing"


if __name__ == "__main__":
    main()
