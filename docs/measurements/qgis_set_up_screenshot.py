"""Start QGIS desktop with a fresh profile and the plugin's ZIP, and take a screenshot of the set-up.

    python docs/measurements/qgis_set_up_screenshot.py PLUGIN_ZIP FOLDER

writes ``qgis-set-up.png`` into FOLDER, as `qgis_screenshots` does with the others. The dialog opens by itself,
as for a new user. Nothing is installed. It needs QGIS and Xvfb.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

TARGET = "HSI_GEO_SET_UP_SCREENSHOT"

SETTINGS = """[PythonPlugins]
hsi_geo_qgis=true
processing=true

[qgis]
checkVersion=false
showTips=false
newsFeed\\httpfeedqgisorg\\disabled=true

[core]
NewsFeed\\httpfeedqgisorg\\disabled=true
"""


def main(plugin: str, folder: str) -> None:
    """Make the profile and start QGIS in it."""
    with tempfile.TemporaryDirectory(prefix="qgis-") as temporary:
        home = Path(temporary)
        home.chmod(0o700)
        profile = home / "profiles" / "default"
        (profile / "QGIS").mkdir(parents=True)
        (profile / "QGIS" / "QGIS3.ini").write_text(SETTINGS, encoding="utf-8")
        with zipfile.ZipFile(plugin) as archive:
            archive.extractall(profile / "python" / "plugins")
        (home / "bin").mkdir()  # a Python at a place that tells nothing about this computer
        (home / "bin" / "python3.12").symlink_to(Path(sys.executable).resolve())
        subprocess.run(
            ["xvfb-run", "--auto-servernum", "--server-args=-screen 0 1360x800x24", "qgis", "--nologo",
             "--noversioncheck", "--profiles-path", str(home), "--code", str(Path(__file__).resolve())],
            env={
                **{k: v for k, v in os.environ.items() if k != "HSI_GEO_PYTHON"},
                "HOME": str(home),
                "XDG_RUNTIME_DIR": str(home),
                "LC_ALL": "C.UTF-8",
                "PATH": f"{home}/bin:/usr/bin:/bin",
                TARGET: str(Path(folder).resolve() / "qgis-set-up.png"),
            },
            timeout=300, check=True,
        )  # fmt: skip
    print(f"qgis-set-up.png is in {folder}")


def shoot(tries: int = 60) -> None:
    """Save the dialog as a picture once it has found its Pythons; then end QGIS."""
    from qgis.PyQt.QtCore import QTimer
    from qgis.PyQt.QtWidgets import QApplication

    dialogs: list[Any] = [
        widget
        for widget in QApplication.topLevelWidgets()
        if widget.windowTitle() == "Set up hsi-geo" and widget.isVisible()
    ]
    if dialogs and dialogs[0].search is None:
        dialogs[0].grab().save(os.environ[TARGET])
        os._exit(0)
    if not tries:
        sys.stderr.write("the dialog did not open by itself\n")
        os._exit(1)
    QTimer.singleShot(1000, lambda: shoot(tries - 1))


if TARGET in os.environ:
    shoot()
elif __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
