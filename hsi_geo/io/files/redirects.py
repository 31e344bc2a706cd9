"""Where a server sends a link: not to another host unless the user allows it, and never into a private network.

GDAL and fsspec follow any redirect by themselves. So a link is asked for one byte before they open it, and they
are given the address that it leads to.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

from hsi_geo.errors import HsiGeoError, SceneError

#: Most redirects of one link.
MOST = 10

#: Seconds without an answer.
TIMEOUT_S = 30

_CODES = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}

#: A link inside a name of GDAL, up to the file in an archive.
_INNER = re.compile(
    r"/vsicurl(?:_streaming)?/(https?://.+?)(?=\.(?:zip|tar|tgz|gz)/|$)", re.IGNORECASE
)

#: The beginning of an absolute address, and a whole web address. Programs read others in several ways: with a
#: login, with backslashes, or without a host.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_WEB = re.compile(
    r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\])(?::\d{1,5})?(?:[/?#][^\s\\\x00-\x1f]*)?",
    re.IGNORECASE,
)

#: Kinds of addresses that are not those of a server on the internet.
_NEVER = ("is_link_local", "is_multicast", "is_unspecified", "is_reserved")

Errors = type[HsiGeoError]


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, *given: Any) -> None:
        """None: the redirect is an error, which holds the address."""


def final_link(link: str, *, follow: bool = False, wrong: Errors = SceneError) -> str:
    """The address that a link leads to.

    Args:
        link: Address of a file, ``http://`` or ``https://``; names of other kinds are returned as they are.
        follow: Whether the server may send to another host.
        wrong: Exception class to raise.

    Returns:
        The last address. It is the link itself if the server sends nowhere, refuses, or does not answer:
        whoever reads the link says so.

    Raises:
        HsiGeoError: If the server sends to another host without leave, to something that is no web address, to
            a private network, or on and on.
    """
    at = link
    for _ in range(MOST):
        if urlsplit(at).scheme.lower() not in _PORTS:
            return link
        target = _redirect_of(at)
        if target is None:
            return at
        _require_allowed(link, target, follow, wrong)
        at = target
    raise wrong(f"the server of '{link}' sends on and on", hint="check the link")


def require_allowed_links(name: str, *, follow: bool = False, wrong: Errors = SceneError) -> None:
    """Check where the servers of all links in a name of GDAL send, such as ``/vsizip//vsicurl/https://...``.

    Args:
        name: Name that GDAL opens.
        follow: See `final_link`.
        wrong: See `final_link`.

    Raises:
        HsiGeoError: As `final_link`.
    """
    for link in links_in(name):
        final_link(link, follow=follow, wrong=wrong)


def links_in(name: str) -> list[str]:
    """The web addresses in a name of GDAL.

    Example:
        >>> links_in("/vsizip//vsicurl/https://a.org/b.zip/c.tif"), links_in("/vsicurl?url=https%3A%2F%2Fa.org%2Fb")
        (['https://a.org/b.zip'], ['https://a.org/b'])
    """
    if name.startswith("/vsicurl?"):
        return [unquote(url) for url in parse_qs(name.partition("?")[2]).get("url", [])]
    found = _INNER.search(name)
    if found is None:
        return [name] if urlsplit(name).scheme.lower() in _PORTS else []
    ending = re.match(r"\.(?:zip|tar|tgz|gz)(?=/)", name[found.end() :], re.IGNORECASE)
    return [found[1] + (ending[0] if ending else "")]


def _redirect_of(link: str) -> str | None:
    """Where a server sends a link; None if it does not."""
    request = urllib.request.Request(link, headers={"Range": "bytes=0-0", "User-Agent": "hsi-geo"})
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=TIMEOUT_S):
            return None
    except urllib.error.HTTPError as error:
        with error:
            location = error.headers.get("Location")
            return _absolute(link, location) if error.code in _CODES and location else None
    except (OSError, ValueError):
        return None


def _absolute(link: str, location: str) -> str:
    """The address that a redirect means.

    Example:
        >>> _absolute("https://a.org/b/c", "d?e=1"), _absolute("https://a.org/b", "//c.org/d")
        ('https://a.org/b/d?e=1', 'https://c.org/d')
    """
    location = location.strip()
    if _SCHEME.match(location):
        return location
    if location.startswith("//"):
        return f"{urlsplit(link).scheme}:{location}"
    return urljoin(link, location)


def _require_allowed(link: str, target: str, follow: bool, wrong: Errors) -> None:
    shown = f"the server of '{link}' sends to '{target}'"
    if not _WEB.fullmatch(target):
        raise wrong(f"{shown}, which is no web address", hint="ask who keeps the server")
    if _is_same_site(link, target):
        return
    if not follow:
        raise wrong(
            f"{shown}, which is another host",
            hint="give that address itself, or allow it with --follow-links",
        )
    if _is_private(target, _NEVER) or (_is_private(target) and not _is_private(link)):
        raise wrong(
            f"{shown}, which is an address in a private network", hint="ask who keeps the server"
        )


def _is_same_site(link: str, target: str) -> bool:
    """Whether two addresses are on one host and port, or the second is the first with encryption."""
    one, two = urlsplit(link), urlsplit(target)
    if one.hostname != two.hostname:
        return False
    ports = [part.port or _PORTS[part.scheme.lower()] for part in (one, two)]
    return ports[0] == ports[1] or ports == [80, 443]


def _is_private(link: str, kinds: tuple[str, ...] = ()) -> bool:
    """Whether the host of a link has an address that is not public, or one of some kinds."""
    try:
        found = socket.getaddrinfo(urlsplit(link).hostname, None)
    except (OSError, UnicodeError):
        return False  # a proxy may know the host
    addresses = [ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found]
    if kinds:
        return any(getattr(address, kind) for address in addresses for kind in kinds)
    return not all(address.is_global for address in addresses)
