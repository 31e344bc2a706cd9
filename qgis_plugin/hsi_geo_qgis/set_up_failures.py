"""What failures of pip mean, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .set_up_plan import without_passwords

_UNREACHABLE = (
    r"Failed to establish a new connection|Max retries exceeded|Name or service not known|getaddrinfo failed",
    r"NameResolutionError|NewConnectionError|Read timed out|Network is unreachable|ConnectTimeout",
    r"Connection refused|Connection reset|IncompleteRead|Could not fetch URL|403 Client|50[0-9] Server",
)

_NOT_FOUND = (
    r"No matching distribution found for (?P<name>[\w.\-\[\]]+)",
    r"satisfies the requirement (?P<other>[\w.\-\[\]]+)",
)

#: What it means and what to do, by patterns in pip's output. The first that is found counts.
_FAILURES = {
    r"No space left|not enough space|Errno 28|WinError 112": (
        "the disk is full: free some space, then set up again"
    ),
    r"SOCKS support": (
        "pip cannot use a SOCKS proxy: give an HTTP proxy in QGIS's network settings, or use a folder of wheels"
    ),
    r"CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError": (
        "the certificate of the package index is not trusted, as behind some proxies: ask your administrator "
        "for the variable PIP_CERT, or use a folder of wheels"
    ),
    r"407 Proxy|ProxyError|Cannot connect to proxy|Tunnel connection failed": (
        "the proxy refused the connection: check 'Settings > Options > Network' of QGIS"
    ),
    "|".join(_UNREACHABLE): (
        "the package index{index} cannot be reached: check the network, and the proxy in 'Settings > Options > "
        "Network' of QGIS; or give another index, or a folder of wheels{elsewhere}"
    ),
    "|".join(_NOT_FOUND): (
        "no package '{name}' for this Python and system was found: choose a Python from 3.12 to 3.14, or add "
        "the package to the folder of wheels or to the index"
    ),
    r"Long Path|path too long|WinError 206": (
        "paths are too long for this Windows: enable long paths (see "
        "https://pip.pypa.io/warnings/enable-long-paths), then set up again"
    ),
    r"WinError 5\b|WinError 32|Permission denied|Errno 13": (
        "a file cannot be written, or is in use: end running hsi-geo jobs and other QGIS windows, then set up "
        "again"
    ),
    r"ensurepip": (
        "the chosen Python cannot make an environment with pip: choose another one (on Debian and Ubuntu, "
        "install python3-venv)"
    ),
}


def explain_failure(lines: Sequence[str], code: int, elsewhere: str = "") -> str:
    """What a failed command means and what to do.

    Args:
        lines: Lines that it printed, the last ones at least.
        code: Its exit code.
        elsewhere: What else to do if its package index cannot be reached; may be empty.

    >>> explain_failure(["ERROR: [Errno 28] No space left on device"], 1)
    'the disk is full: free some space, then set up again'
    """
    text = "\n".join(lines)
    for pattern, meaning in _FAILURES.items():
        match = re.search(pattern, text, re.IGNORECASE)
        if match:
            groups = [group for group in match.groupdict().values() if group]
            index = re.search(r"Looking in indexes: ([^\s,]+)", text)
            return meaning.format(
                name=groups[0] if groups else "",
                index=f" {without_passwords(index[1])}" if index else "",
                elsewhere=f"; or {elsewhere}" if elsewhere else "",
            )
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if line.startswith("ERROR")] or said
    last = f" ({without_passwords(errors[-1])})" if errors else ""
    return f"a command failed with exit code {code}{last}: read the log"
