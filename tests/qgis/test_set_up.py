"""The set-up from the plugin's ZIP in a fresh profile of QGIS: install, repeat, update, cancel, remove.

Packages come from a folder of wheels, which are empty but for a way to the packages of this environment. With
HSI_GEO_TEST_FULL_INSTALL=1 they come from the package index (gigabytes).
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from offline_wheels import ROOT, other_version, write_requirements

HERE = Path(__file__).parent
Run = Callable[..., subprocess.CompletedProcess[str]]
Job = dict[str, Any]


@pytest.fixture(scope="session")
def plugin_zip(program: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("build")
    subprocess.run(
        ["make", "plugin", f"BUILD={build}", f"PYTHON={sys.executable}",
         "WHEEL_OPTIONS=--no-build-isolation"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    return build / "hsi_geo_qgis.zip"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offline") / "Räder und mehr"
    write_requirements(folder)
    return folder


@pytest.fixture
def profile(plugin_zip: Path, tmp_path: Path) -> Path:
    """Folder of a fresh profile with the plugin in it, as QGIS installs a ZIP file."""
    folder = tmp_path / "Größe" / "profiles" / "default"
    with zipfile.ZipFile(plugin_zip) as archive:
        archive.extractall(folder / "python" / "plugins")
    (tmp_path / "Größe").chmod(0o700)
    return folder


@pytest.fixture
def variables(profile: Path, environment: dict[str, str]) -> dict[str, str]:
    """Variables of a QGIS with that profile; PYTHONHOME and PYTHONPATH must not reach the environment."""
    home = str(profile.parents[1])
    return {
        **{k: v for k, v in environment.items() if k not in ("QGIS_PLUGINPATH", "HSI_GEO_PYTHON")},
        "QGIS_CUSTOM_CONFIG_PATH": home,
        "HOME": home,
        "XDG_RUNTIME_DIR": home,
        "PATH": "/usr/bin:/bin",
    }


@pytest.fixture
def call(program: str, variables: dict[str, str]) -> Run:
    enabled = subprocess.run(
        [program, "plugins", "enable", "hsi_geo_qgis"], env=variables, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert "Enabled hsi_geo_qgis" in enabled.stdout, enabled.stdout + enabled.stderr

    def run(name: str, **parameters: object) -> subprocess.CompletedProcess[str]:
        given = [f"{key}={value}" for key, value in parameters.items()]
        return subprocess.run(
            [program, "run", f"hsi_geo:{name}", "--", *given],
            env=variables, capture_output=True, text=True, check=False, timeout=1200,
        )  # fmt: skip

    return run


@pytest.fixture
def case(qgis_python: str, variables: dict[str, str], profile: Path) -> Callable[..., Job]:
    def run(name: str, environ: dict[str, str] | None = None, **job: object) -> Job:
        own = {"PYTHONPATH": str(profile / "python" / "plugins"), **(environ or {})}
        shown = subprocess.run(
            [qgis_python, str(HERE / "cases.py"), name], input=json.dumps(job),
            env={**variables, **own}, capture_output=True, text=True, check=False, timeout=280,
        )  # fmt: skip
        assert shown.returncode == 0, shown.stdout + shown.stderr
        found: Job = json.loads(shown.stdout.splitlines()[-1])
        return found

    return run


def wheel_of(profile: Path) -> Path:
    (found,) = (profile / "python" / "plugins" / "hsi_geo_qgis" / "wheel").glob("*.whl")
    return found


def version_in(environment: Path) -> str:
    code = "import importlib.metadata as m; print(m.version('hsi-geo'))"
    command = [str(environment / "bin" / "python"), "-I", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.timeout(1800)  # the full installation downloads gigabytes
@pytest.mark.slow
def test_install_repeat_classify_update_remove(
    call: Run, profile: Path, wheels: Path, job: Job, tmp_path: Path
) -> None:
    environment = profile / "hsi_geo" / "env"
    full = os.environ.get("HSI_GEO_TEST_FULL_INSTALL") == "1"
    source: Job = {"TORCH": "default"} if full else {"WHEELS": wheels}

    shown = call("environment")
    assert shown.returncode == 1
    assert "hsi-geo is not set up" in shown.stderr
    assert "Set up hsi-geo..." in shown.stderr

    shown = call("setup", PYTHON=sys.base_prefix, **source)  # the folder, as the picker gives it
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert f"hsi-geo is ready: {environment / 'bin' / 'python'}" in shown.stdout
    assert {path.name for path in (profile / "hsi_geo").iterdir()} == {"env", "set_up.log"}
    assert "is ready in" in (profile / "hsi_geo" / "set_up.log").read_text(encoding="utf-8")
    assert "include-system-site-packages = false" in (environment / "pyvenv.cfg").read_text()

    marker = environment / "marker"
    marker.touch()
    shown = call("setup", PYTHON=sys.base_prefix, **source)
    assert "is set up already" in shown.stdout
    assert marker.exists()

    shown = call("environment")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert f"started by '{environment / 'bin' / 'python'}' (the provider's setting)" in shown.stdout

    shown = call("classify", LABELS=job["labels"], **job["parameters"])
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert Path(job["parameters"]["OUTPUT"]).stat().st_size > 0

    wheel = wheel_of(profile)
    newer = other_version(wheel, tmp_path / "newer", "9.8.7")
    wheel.unlink()
    newer.rename(wheel.parent / newer.name)
    shown = call("setup", PYTHON=sys.base_prefix, **source)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert marker.exists()  # the environment is updated, not made anew
    assert version_in(environment) == "9.8.7"

    shown = call("setup", ACTION="remove")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert {path.name for path in (profile / "hsi_geo").iterdir()} == {"set_up.log"}
    assert "hsi-geo is not set up" in call("environment").stderr  # the setting is forgotten, too


#: Stage at which is cancelled, and how long after its begin.
MOMENTS = [
    ("Making the environment", 0.0),
    ("Making the environment", 1.0),
    ("Installing hsi-geo", 0.5),
]


@pytest.mark.parametrize(("stage", "after_s"), MOMENTS)
@pytest.mark.slow
def test_cancel_leaves_nothing(
    stage: str, after_s: float, case: Callable[..., Job], profile: Path, wheels: Path
) -> None:
    found = case(
        "set_up", options={"python": sys.executable, "wheels": str(wheels)}, wheel=str(wheel_of(profile)),
        cancel_at=stage, after_s=after_s, watch_s=3.0,
    )  # fmt: skip
    assert found["error"] == "cancelled; the half-made environment was removed"
    assert found["left"] == ["set_up.log"]
    assert found["took"] < 10
    assert found["progress"] == sorted(found["progress"])


def test_a_second_set_up_in_the_same_profile_waits(
    case: Callable[..., Job], profile: Path, wheels: Path
) -> None:
    folder = profile / "hsi_geo"
    folder.mkdir()
    holder = subprocess.Popen(["sleep", "60"])
    try:  # the file that Qt writes: number, name and host of the process
        lock = f"{holder.pid}\nsleep\n{os.uname().nodename}\n\n\n"
        (folder / "set_up.lock").write_text(lock)
        found = case(
            "set_up", options={"python": sys.executable, "wheels": str(wheels)},
            wheel=str(wheel_of(profile)),
        )  # fmt: skip
    finally:
        holder.kill()
        holder.wait()
    assert "another QGIS window is setting hsi-geo up" in found["error"]


#: Options, and a part of the message.
REFUSED = [
    ({"python": "/usr/bin/env"}, "'/usr/bin/env' is no Python that can be started"),
    ({"python": "/nowhere/python"}, "'/nowhere/python' is no Python that can be started"),
    (
        {"python": sys.executable, "wheels": "/nowhere"},
        "folder of wheels '/nowhere' does not exist",
    ),
    ({"python": sys.executable, "wheels": "{empty}"}, "no package 'affine' for this Python"),
]


@pytest.mark.parametrize(("options", "said"), REFUSED)
@pytest.mark.slow
def test_wrong_options_are_one_sentence(
    options: dict[str, str], said: str, case: Callable[..., Job], profile: Path, tmp_path: Path
) -> None:
    options = {name: value.format(empty=tmp_path) for name, value in options.items()}
    environ = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    found = case("set_up", environ, options=options, wheel=str(wheel_of(profile)))
    assert said in found["error"]
    assert "\n" not in found["error"]
    assert found["left"] == ["set_up.log"]


@pytest.mark.slow
def test_python_of_qgis_is_too_old_or_good(call: Run, qgis_python: str, wheels: Path) -> None:
    code = "import sys; print('%d.%d' % sys.version_info[:2], sys.version_info >= (3, 12))"
    version, good = subprocess.run(
        [qgis_python, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    if good == "True":
        pytest.skip("QGIS's Python is new enough")
    for name in ("setup", "environment"):
        shown = call(name, PYTHON=qgis_python)
        assert shown.returncode == 1
        assert f"it is Python {version}" in shown.stderr
        assert "hsi-geo needs 3.12 or newer" in shown.stderr
        assert "pip install" not in shown.stdout + shown.stderr


class Proxy(http.server.BaseHTTPRequestHandler):
    """A proxy that refuses, and keeps what it was asked for."""

    asked: list[tuple[str, str]]

    def do_CONNECT(self) -> None:
        self.asked.append((self.path, self.headers.get("Proxy-Authorization", "")))
        self.send_error(407)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[http.server.ThreadingHTTPServer]:
    Proxy.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.slow
def test_pip_goes_through_the_proxy_of_qgis(
    case: Callable[..., Job], profile: Path, proxy: http.server.ThreadingHTTPServer
) -> None:
    environ = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "NO_PROXY": "", "no_proxy": ""}
    settings = {
        "proxy/proxyEnabled": True,
        "proxy/proxyType": "HttpProxy",
        "proxy/proxyHost": "127.0.0.1",
        "proxy/proxyPort": str(proxy.server_port),
        "proxy/proxyUser": "me",
        "proxy/proxyPassword": "p@ss",
    }
    found = case(
        "set_up", environ, settings=settings, wheel=str(wheel_of(profile)),
        options={"python": sys.executable, "index": "https://index.invalid/simple"},
    )  # fmt: skip
    login = "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert ("index.invalid:443", login) in Proxy.asked
    assert "the proxy refused the connection" in found["error"]
    assert "p%40ss" not in (profile / "hsi_geo" / "set_up.log").read_text(encoding="utf-8")


@pytest.mark.slow
def test_dialog(case: Callable[..., Job], profile: Path, wheels: Path) -> None:
    old = "/usr/bin/env"
    found = case("set_up_dialog", wheels=str(wheels), base=sys.base_prefix, old=old)
    assert found["refused"].startswith(f"'{old}' is no Python")
    assert found["chosen"].startswith("Python 3.")
    assert "Downloads about" in found["sizes"]
    assert "on disk" in found["sizes"]
    assert found["sizes_of_wheels"].startswith("Nothing is downloaded.")
    assert found["enabled_while_running"] == [False, False]
    assert found["cancelled"] == "Cancelled; the half-made environment was removed."
    assert not found["left"]
    assert found["ready"].startswith("hsi-geo is ready."), found["log"]
    assert found["program"] == str(profile / "hsi_geo" / "env" / "bin" / "python")
    assert found["origin"] == "the provider's setting"
    assert found["removed"] == "hsi-geo is removed."
    assert not found["left_at_last"]


@pytest.mark.slow
def test_menu_and_first_use(case: Callable[..., Job]) -> None:
    first, second = case("menu")["sessions"]
    for session in (first, second):
        assert session["menu"] == ["Set up hsi-geo...", "hsi-geo live"]
        assert session["toolbar"] == ["hsi-geo live"]
        assert session["opened"]
        assert session["menu_after"] == []
    assert first["dialog"]
    assert not second["dialog"]  # it opens by itself once; later a message has a button
    assert second["messages"] == ["hsi-geo is not set up."]
