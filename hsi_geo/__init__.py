"""Few-shot land-cover mapping of georeferenced hyperspectral scenes.

The public names and their modules are listed in one place, the stub ``__init__.pyi``. Type checkers
read it, and so does this module. A name is imported when it is first used, because importing torch
takes a second and most commands and many scripts do not need it.
"""

from __future__ import annotations

import ast
import importlib

from hsi_geo.threads import yield_when_waiting

yield_when_waiting()  # must run before anything imports torch


def _public_names() -> dict[str, str]:
    """Map each public name to the module that defines it, as the stub's imports state."""
    with open(f"{__file__}i", encoding="utf-8") as stub:  # noqa: PTH123 - pathlib is slow to import
        statements = ast.parse(stub.read()).body
    return {
        alias.name: str(statement.module)
        for statement in statements
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


_MODULES = _public_names()

__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("hsi-geo")
    if name not in _MODULES:
        raise AttributeError(f"module 'hsi_geo' has no attribute '{name}'")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
