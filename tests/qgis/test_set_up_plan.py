"""What of the set-up works without QGIS: Pythons, commands, variables, sizes, messages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hsi_geo_qgis import pythons, set_up_plan
from hsi_geo_qgis.pythons import (
    Python,
    best_first,
    candidates,
    parse_probe,
    python_in,
    where_to_get,
)
from hsi_geo_qgis.set_up_failures import explain_failure
from hsi_geo_qgis.set_up_plan import CPU, DEFAULT, Options, State, read_state, steps, variables

from hsi_geo import extras

ROOT = Path(__file__).parents[2]

# Pythons -----------------------------------------------------------------------------------------


def program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return str(path)


#: Where programs that install Python put it, below the home folder.
PLACES = [
    ".pyenv/versions/3.13.0/bin/python3",
    ".local/share/uv/python/cpython-3.13.1-linux-x86_64-gnu/bin/python3",
    "miniconda3/bin/python3",
    "miniforge3/envs/gis/bin/python3",
    ".local/bin/python3.13",
]


@pytest.mark.parametrize("place", PLACES)
def test_pythons_of_other_programs_are_found(place: str, tmp_path: Path) -> None:
    expected = program(tmp_path / place)
    assert expected in candidates({"HOME": str(tmp_path), "PATH": ""}, system="linux")


def test_pythons_on_the_path_and_of_conda_are_found(tmp_path: Path) -> None:
    on_path = program(tmp_path / "bin" / "python3.13")
    program(tmp_path / "bin" / "python3.13-config")
    program(tmp_path / "bin" / "python3.11")
    listed = program(tmp_path / "conda" / "bin" / "python")
    (tmp_path / ".conda").mkdir()
    (tmp_path / ".conda" / "environments.txt").write_text(f"{tmp_path}/conda\n/nowhere\n")
    environ = {"HOME": str(tmp_path), "PATH": f"{tmp_path}/bin:/nowhere"}
    found = [path for path in candidates(environ, system="linux") if path.startswith(str(tmp_path))]
    assert found == [on_path, listed]


def test_python_of_qgis_itself_is_left_out(tmp_path: Path) -> None:
    program(tmp_path / "QGIS" / "bin" / "python3.13")
    environ = {"HOME": "/nowhere", "PATH": f"{tmp_path}/QGIS/bin"}
    inside = f"{tmp_path}/QGIS"
    assert not [p for p in candidates(environ, inside, "linux") if p.startswith(inside)]


@pytest.mark.skipif(sys.platform == "win32", reason="links of Unix")
def test_one_file_is_listed_once_but_a_venv_is_not_its_base(tmp_path: Path) -> None:
    base = program(tmp_path / "base" / "python3.13")
    (tmp_path / "base" / "python3").symlink_to(base)
    venv = tmp_path / "env" / "bin" / "python3"
    venv.parent.mkdir(parents=True)
    venv.symlink_to(base)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    environ = {"HOME": "/nowhere", "PATH": f"{tmp_path}/base:{tmp_path}/env/bin"}
    found = [p for p in candidates(environ, system="linux") if p.startswith(str(tmp_path))]
    assert found == [base, str(venv)]


class Registry:
    """Stands for winreg, with the keys of two Pythons."""

    HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE = "user", "machine"
    KEYS = {  # noqa: RUF012
        "user": {
            r"SOFTWARE\Python\PythonCore\3.13\InstallPath": {"ExecutablePath": r"C:\P\python.exe"}
        },
        "machine": {r"SOFTWARE\Python\ContinuumAnalytics\py312\InstallPath": {"": r"D:\conda"}},
    }

    class Key(str):
        def __enter__(self) -> Registry.Key:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    def OpenKey(self, root: str, path: str) -> Key:
        if not any(name.startswith(path) for name in self.KEYS[root]):
            raise FileNotFoundError(path)
        return self.Key(f"{root}:{path}")

    def EnumKey(self, key: str, index: int) -> str:
        root, path = key.split(":", 1)
        names = {
            name.removeprefix(path + "\\").split("\\")[0]
            for name in self.KEYS[root]
            if name.startswith(path + "\\")
        }
        if index >= len(names):
            raise OSError(259, "no more data is available")
        return sorted(names)[index]

    def QueryValueEx(self, key: str, name: str) -> tuple[str, int]:
        root, path = key.split(":", 1)
        try:
            return self.KEYS[root][path][name], 1
        except KeyError as error:
            raise FileNotFoundError(name) from error


def test_pythons_of_windows_registry() -> None:
    assert pythons._of_registry(Registry()) == [r"C:\P\python.exe", r"D:\conda\python.exe"]


def test_this_python_describes_itself() -> None:
    shown = subprocess.run(
        [sys.executable, "-I", "-c", pythons.PROBE], capture_output=True, text=True, check=True
    )
    found = parse_probe(sys.executable, "a line of a site's own\n" + shown.stdout)
    assert found is not None
    assert found.version == tuple(sys.version_info[:3])
    assert not found.obstacle()
    assert parse_probe("env", "usage: env\n") is parse_probe("env", "") is None


#: A Python, and a pattern of what is wrong with it.
OBSTACLES = [
    (Python("p", (3, 11, 9)), "3.11.9.*3.12 or newer"),
    (Python("p", (3, 12, 0), bits=32), "32-bit"),
    (Python("p", (3, 12, 3), complete=False), "python3.12-venv"),
    (Python("p", (3, 14, 0)), "^$"),
]


@pytest.mark.parametrize(("python", "pattern"), OBSTACLES)
def test_obstacles(python: Python, pattern: str) -> None:
    assert re.search(pattern, python.obstacle())
    assert best_first([python]) == ([] if python.obstacle() else [python])


def test_tested_versions_come_first_and_environments_last() -> None:
    new, env = Python("a", (3, 15, 0)), Python("b", (3, 12, 1), own=True)
    low, high = Python("c", (3, 12, 1)), Python("d", (3, 14, 1))
    assert best_first([new, env, high, low]) == [low, high, env, new]


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_where_to_get_a_python(system: str) -> None:
    assert re.search(r"https://(www\.python\.org|docs\.astral\.sh)", where_to_get(system))


def test_versions_are_those_of_the_project() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    versions = re.findall(r"Programming Language :: Python :: 3\.(\d+)", text)
    assert [(3, int(versions[0])), (3, int(versions[-1]))] == [
        pythons.LOWEST,
        pythons.NEWEST_TESTED,
    ]


def test_a_folder_stands_for_its_python(tmp_path: Path) -> None:
    expected = program(tmp_path / "env" / "bin" / "python3")
    assert python_in(f'"{tmp_path / "env"}" ') == python_in(expected) == expected
    assert python_in(str(tmp_path)) == ""


# Commands ----------------------------------------------------------------------------------------


def commands(update: bool = False, **options: Any) -> list[list[str]]:
    plan = steps(Options("/usr/bin/python3.12", **options), "/p/env", "/w/hsi_geo.whl", update)
    return [list(step.command) for step in plan]


def test_every_command_is_isolated_and_ends_with_a_check() -> None:
    for update in (False, True):
        for command in commands(update):
            assert command[1] == "-I"
        assert commands(update)[-1][2:] == ["-m", "hsi_geo", "doctor", "--json"]


def test_pytorch_for_the_cpu_comes_from_its_own_index() -> None:
    _, torch, rest, _ = commands(torch=CPU)
    assert torch[-3:] == ["--index-url", "https://download.pytorch.org/whl/cpu", "torch"]
    assert "--index-url" not in rest
    assert len(commands(torch=DEFAULT)) == 3


def test_an_index_and_a_folder_of_wheels() -> None:
    assert commands(index="https://i/simple")[1][-3:] == [
        "--index-url",
        "https://i/simple",
        "/w/hsi_geo.whl[batch,zarr]",
    ]
    for torch in (CPU, DEFAULT):  # no index, whatever the others say
        given = commands(torch=torch, wheels="/wheels", index="https://i/simple")
        assert len(given) == 3
        assert given[1][-4:] == [
            "--no-index",
            "--find-links",
            "/wheels",
            "/w/hsi_geo.whl[batch,zarr]",
        ]


def test_an_update_keeps_the_environment() -> None:
    given = commands(update=True, torch=CPU)
    assert not any("venv" in command for command in given)
    assert "--force-reinstall" in given[1]


def test_nothing_of_qgis_reaches_the_commands() -> None:
    environ = {
        "PYTHONHOME": "/q", "PYTHONPATH": "/q", "PythonStartup": "/q", "VIRTUAL_ENV": "/q",
        "__PYVENV_LAUNCHER__": "/q", "PIP_TARGET": "/q", "PIP_USER": "1", "PATH": "/bin",
        "PIP_INDEX_URL": "https://i/simple",
    }  # fmt: skip
    assert variables(environ, Options("p"), "/t", "/c") == {
        "PATH": "/bin", "PIP_INDEX_URL": "https://i/simple", "TMPDIR": "/t", "TEMP": "/t", "TMP": "/t",
        "PIP_CACHE_DIR": "/c",
    }  # fmt: skip


def test_proxy_is_given_by_variables_not_by_arguments() -> None:
    options = Options("p", proxy="http://me:secret@proxy:3128", no_proxy="intranet")
    given = variables({"HTTPS_PROXY": "http://old", "PIP_PROXY": "http://older"}, options, "", "")
    assert given["HTTPS_PROXY"] == given["https_proxy"] == options.proxy
    assert given["NO_PROXY"] == "intranet"
    assert "PIP_PROXY" not in given
    assert "secret" not in str(steps(options, "/p/env", "w.whl"))


def test_address_of_a_proxy_quotes_its_login_and_the_log_hides_it() -> None:
    address = set_up_plan.proxy_address("proxy", "3128", ("me", "p@ss"))
    assert address == "http://me:p%40ss@proxy:3128"
    assert set_up_plan.proxy_address("proxy", "") == "http://proxy"
    assert (
        set_up_plan.without_passwords(f"Looking in {address}")
        == "Looking in http://****@proxy:3128"
    )


# Sizes and state ---------------------------------------------------------------------------------


def test_sizes_are_the_measured_ones() -> None:
    text = (ROOT / "docs" / "results" / "install_sizes.md").read_text(encoding="utf-8")
    units, total = {"MB": 1e6, "GB": 1e9}, [0.0] * 6
    for name in ("hsi-geo", *(f"and `[{extra}]`" for extra in set_up_plan.EXTRAS)):
        row = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        cells = [cell.split() for cell in row.strip("|").split("|")[1:]]
        total = [sum_ + float(n) * units[u] for sum_, (n, u) in zip(total, cells, strict=True)]
    linux, cpu, mac, windows, disk, cpu_disk = total
    sizes = set_up_plan.SIZES
    for found, measured in (
        (sizes["linux", DEFAULT].download, linux),
        (sizes["linux", CPU].download, cpu),
        (sizes["darwin", DEFAULT].download, mac),
        (sizes["win", DEFAULT].download, windows),
        (sizes["linux", DEFAULT].disk, disk),
        (sizes["linux", CPU].disk, cpu_disk),
    ):
        assert found == pytest.approx(measured, rel=0.05)


def test_the_set_up_installs_what_the_toolbox_needs() -> None:
    """*Batch of tiles* and Zarr stores; no algorithm needs the others."""
    others = set(extras.EXTRAS) - set(set_up_plan.EXTRAS)
    assert others == {"datasets", "onnx", "parquet", "pretrain", "remote"}
    for update in (False, True):
        installed = [c[-1] for c in commands(update) if "pip" in c and "--no-deps" not in c]
        assert installed == ["/w/hsi_geo.whl[batch,zarr]"]


def test_state_of_a_half_made_environment_is_none(tmp_path: Path) -> None:
    assert read_state(str(tmp_path)) is None
    for text in ("", "[]", '{"version": "1"}'):
        (tmp_path / set_up_plan.STATE).write_text(text)
        assert read_state(str(tmp_path)) is None
    set_up_plan.write_state(str(tmp_path), State("1.2", "ab"))
    assert read_state(str(tmp_path)) == State("1.2", "ab")
    assert json.loads((tmp_path / set_up_plan.STATE).read_text())["version"] == "1.2"


def test_pytorch_with_cuda_only_where_there_is_a_driver(tmp_path: Path) -> None:
    program(tmp_path / "nvidia-smi")
    assert set_up_plan.torch_for({"PATH": str(tmp_path)}, "linux") == DEFAULT
    assert set_up_plan.torch_for({"PATH": ""}, "win32") == DEFAULT
    if not Path("/proc/driver/nvidia/version").exists():
        assert set_up_plan.torch_for({"PATH": ""}, "linux") == CPU


# Messages ----------------------------------------------------------------------------------------

#: The last lines of pip as it prints them, and a pattern of the message.
FAILURES = [
    ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
    (("WARNING: Retrying ... NewConnectionError: Failed to establish a new connection: [Errno 111]\n"
     "ERROR: No matching distribution found for affine>=3.0"), "index cannot be reached"),
    (("WARNING: ... ('Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Proxy Auth'))\n"
     "ERROR: No matching distribution found for affine>=3.0"), "proxy refused"),
    (("ERROR: Could not find a version that satisfies the requirement torch>=2.4 (from versions: none)\n"
     "ERROR: No matching distribution found for torch>=2.4"), "no package 'torch' .*3.12 to 3.14"),
    ("ERROR: Could not install packages due to an OSError: Missing dependencies for SOCKS support.", "SOCKS"),
    ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))", "certificate"),
    ("HINT: This error might have occurred since this system does not have Windows Long Path support", "long paths"),
    ("ERROR: Could not install packages due to an OSError: [WinError 5] Access is denied: 'x.pyd'", "in use"),
    ("Error: Command '[..., '-m', 'ensurepip', ...]' returned non-zero exit status 1.", "python3-venv"),
    ("ERROR: something else\nfrom https://me:secret@i/simple", "exit code 7 .ERROR: something else.: read the log"),
]  # fmt: skip


@pytest.mark.parametrize(("output", "pattern"), FAILURES)
def test_failures_are_explained(output: str, pattern: str) -> None:
    found = explain_failure(["Collecting affine", *output.splitlines(), ""], 7)
    assert re.search(pattern, found)
    assert "\n" not in found
    assert "secret" not in found


def test_an_unreachable_index_is_named_and_its_step_knows_another_way() -> None:
    failed = "WARNING: Retrying after 'NewConnectionError(...): Name or service not known'"
    options = Options("python3.12", CPU)
    for step in steps(options, "env", "hsi_geo.whl"):
        if "--index-url" in step.command:
            output = [f"Looking in indexes: {options.torch_index}", failed]
            found = explain_failure(output, 1, step.elsewhere)
            assert found.startswith(f"the package index {options.torch_index} cannot be reached")
            assert found.endswith("comes from the usual package index")
            break
    else:
        raise AssertionError("no step has an index of its own")
    hidden = explain_failure(["Looking in indexes: https://me:secret@mirror/simple", failed], 1)
    assert "the package index https://****@mirror/simple cannot" in hidden
    assert hidden.endswith("folder of wheels")
