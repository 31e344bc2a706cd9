"""What an HTML summary shows: its picture, and the cells of its table."""

from __future__ import annotations

import base64
import html
import io
import re

import numpy as np
from matplotlib.image import imread

from hsi_geo.arrays import UInt8Array


def picture_in(page: str) -> UInt8Array:
    """(H, W, 3) colours of the only picture of a page."""
    (uri,) = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    found = imread(io.BytesIO(base64.b64decode(uri)), format="png")
    return np.asarray(np.rint(255 * found[..., :3]), np.uint8)


def rows_in(page: str) -> list[list[str]]:
    """Texts of the cells of each row of the table, without its header."""
    (body,) = re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    return [
        [html.unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<td.*?</td>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", body)
    ]


def colors_in(page: str) -> list[str]:
    """Colours of the legend, row by row."""
    return re.findall(r"background:(#[0-9a-f]{6})", page)
