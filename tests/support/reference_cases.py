"""A server that counts connections, and texts that refer to other files."""

from __future__ import annotations

import gzip
import io
import socket
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile


class Listener:
    """A server that counts connections and sends nothing."""

    def __init__(self) -> None:
        self.connected = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            self.connected += 1
            one.close()


def vrt(source: str, more: str = "", relative: int = 0) -> str:
    return (
        '<VRTDataset rasterXSize="7" rasterYSize="5"><GeoTransform>0,2,0,9,0,-3</GeoTransform>'
        f'<VRTRasterBand dataType="Int16" band="1"><Metadata><MDI key="wavelength">500</MDI></Metadata>'
        f'<SimpleSource><SourceFilename relativeToVRT="{relative}">{source}</SourceFilename>'
        f"<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>{more}</VRTDataset>"
    )


Write = Callable[[Path, str], str]


def archived(folder: Path, kind: str, text: str) -> str:
    """GDAL's name of a text in an archive."""
    if kind == "zip":
        with ZipFile(folder / "inner.zip", "w") as archive:
            archive.writestr("inner.vrt", text)
    elif kind == "tar":
        with tarfile.open(folder / "inner.tar", "w") as tar:
            info = tarfile.TarInfo("inner.vrt")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    else:
        (folder / "inner.vrt.gz").write_bytes(gzip.compress(text.encode()))
        return f"/vsigzip/{folder / 'inner.vrt.gz'}"
    return f"/vsi{kind}/{folder / f'inner.{kind}'}/inner.vrt"
