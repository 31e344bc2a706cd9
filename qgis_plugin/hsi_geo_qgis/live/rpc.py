"""Messages of JSON-RPC 2.0, one a line, as ``hsi-geo serve`` speaks it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Code of the error that answers a cancelled request.
CANCELLED = -32800


@dataclass(frozen=True)
class Message:
    """A line of the engine.

    Attributes:
        id: Id of the request that is answered; None for a notification.
        method: Name of a notification; empty for an answer.
        params: Values of a notification.
        result: Result of a request that succeeded; None otherwise.
        error: Error of a request that failed; None otherwise.
    """

    id: int | None = None
    method: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None


def request_line(number: int, method: str, params: Mapping[str, Any]) -> bytes:
    r"""A request as a line.

    Args:
        number: Id of the request.
        method: Name of the method.
        params: Value by name; those that are None are left out.

    >>> request_line(1, "cancel", {"id": 7, "why": None})
    b'{"jsonrpc": "2.0", "id": 1, "method": "cancel", "params": {"id": 7}}\n'
    """
    given = {name: value for name, value in params.items() if value is not None}
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": given}
    return json.dumps(message, ensure_ascii=False).encode("utf-8") + b"\n"


def parse_message(line: str) -> Message | None:
    """Parse a line of the engine.

    Args:
        line: The line.

    Returns:
        The message; None if the line is none.

    >>> parse_message('{"jsonrpc": "2.0", "id": 3, "result": {"session": 1}}').result
    {'session': 1}
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    number, method = found.get("id"), found.get("method")
    if isinstance(method, str):
        params = found.get("params")
        return Message(method=method, params=params if isinstance(params, dict) else {})
    if not isinstance(number, int):
        return None
    error, result = found.get("error"), found.get("result")
    if isinstance(error, dict):
        return Message(number, error=error)
    return Message(number, result=result if isinstance(result, dict) else {})
