"""The proxy of QGIS's network settings."""

from __future__ import annotations

from qgis.core import QgsApplication, QgsAuthMethodConfig, QgsSettings

from .set_up_plan import proxy_address


def proxy_of_qgis() -> tuple[str, str]:
    """Proxy of QGIS's network settings; call on the main thread, since QGIS may ask for a password.

    Returns:
        Address of the proxy, empty for that of the system; hosts without proxy, separated by commas.
    """
    settings = QgsSettings()
    if not settings.value("proxy/proxyEnabled", False, type=bool):
        return "", ""
    kind = str(settings.value("proxy/proxyType", "") or "")
    host = str(settings.value("proxy/proxyHost", "") or "")
    if kind == "DefaultProxy" or not host:
        return "", ""
    user = str(settings.value("proxy/proxyUser", "") or "")
    password = str(settings.value("proxy/proxyPassword", "") or "")
    login = str(settings.value("proxy/authcfg", "") or "")
    if login:
        config = QgsAuthMethodConfig()
        if QgsApplication.authManager().loadAuthenticationConfig(login, config, True):
            user, password = config.config("username", user), config.config("password", password)
    port = str(settings.value("proxy/proxyPort", "") or "")
    address = proxy_address(host, port, (user, password))
    if kind.startswith("Socks5"):
        address = address.replace("http:", "socks5:", 1)
    urls = settings.value("proxy/noProxyUrls", []) or []
    hosts = [str(url).split("://")[-1].split("/")[0] for url in urls]
    return address, ",".join(filter(None, hosts))
