"""GDAL's options and drivers for untrusted files: no network, no code, no switches of other programs.

GDAL takes an option from the environment of the process unless it is set in the program. While files are
open, the options below are set, so the caller's environment has no effect and is not changed.
"""

from __future__ import annotations

import os

#: No code runs and no other stream is read, whatever a file asks for.
_NO_CODE = {
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "GDAL_VRT_RAWRASTERBAND_ALLOWED_SOURCE": "SIBLING_OR_CHILD_OF_VRT_PATH",
    "OGR_SQLITE_LOAD_EXTENSIONS": "",
    "CPL_ALLOW_VSISTDIN": "NO",
}

#: Nothing is fetched. GDAL ignores the allowed extensions where a file name is allowed, so both are set.
_NO_NETWORK = {
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "{none}",
    "GML_DOWNLOAD_SCHEMA": "NO",
    "GML_DOWNLOAD_WFS_SCHEMA": "NO",
}

#: GDAL's own defaults of options that change what a file holds: side files, georeference, damaged blocks.
_DEFAULTS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "FALSE",
    "GDAL_PAM_ENABLED": "YES",
    "GTIFF_HONOUR_NEGATIVE_SCALEY": "NO",
    "GTIFF_IGNORE_READ_ERRORS": "NO",
    "GTIFF_POINT_GEO_IGNORE": "NO",
    "SHAPE_RESTORE_SHX": "NO",
    "VRT_VIRTUAL_OVERVIEWS": "NO",
}

#: Options while a local file is open.
LOCAL_OPTIONS = {**_DEFAULTS, **_NO_CODE, **_NO_NETWORK}

#: How often GDAL asks again, and how long it waits, unless the user's environment says otherwise; in seconds.
_PATIENCE = {
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_CONNECTTIMEOUT": "30",
    "GDAL_HTTP_LOW_SPEED_TIME": "30",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
}

#: Options while a file is open whose URL the user gave.
REMOTE_OPTIONS = {
    **_NO_CODE,
    "GTIFF_IGNORE_READ_ERRORS": "NO",
    "GTIFF_POINT_GEO_IGNORE": "NO",
    **{key: os.environ.get(key, value) for key, value in _PATIENCE.items()},
}

#: Drivers of web services and databases, and drivers that run other programs. No local file needs them.
REMOTE_DRIVERS = (
    *("HTTP", "WMS", "WCS", "WMTS", "EEDA", "EEDAI", "DAAS", "PLMOSAIC", "STACIT", "STACTA"),
    *("KMLSUPEROVERLAY", "GDALG", "WFS", "OAPIF", "OGCAPI", "CSW", "NGW", "PLSCENES"),
    *("AmigoCloud", "Carto", "Elasticsearch", "ADBC", "GPSBabel"),
)
