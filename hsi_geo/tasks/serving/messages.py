"""JSON-RPC 2.0 with one message a line: lines are read as requests, answers are written as lines."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Final

import numpy as np

from hsi_geo.text import plain_json

#: Version of this protocol. It is raised when a program that was written for an earlier one would fail.
PROTOCOL: Final = 1

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
UNKNOWN_METHOD: Final = -32601
WRONG_PARAMETERS: Final = -32602
INTERNAL_ERROR: Final = -32603
FAILED: Final = -32000
UNKNOWN_SESSION: Final = -32001
CANCELLED: Final = -32800

#: Id of a request. JSON-RPC allows text, numbers and null.
Id = str | int | float | None


@dataclass(frozen=True)
class Request:
    """A request of a client.

    Attributes:
        method: Name of the method.
        params: Parameters by name.
        id: Id that the answer repeats.
        wants_answer: Whether the request has an id. A request without one is a notification, which is not answered.
    """

    method: str
    params: Mapping[str, Any]
    id: Id
    wants_answer: bool


@dataclass
class RpcError(Exception):
    """A request that is answered with an error.

    Attributes:
        code: Number of the kind of error, as in the specification of JSON-RPC.
        message: One sentence.
        data: More about it for programs, if there is more.
        id: Id of the request as far as it could be read, else None.
    """

    code: int
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)
    id: Id = None

    def __str__(self) -> str:
        return self.message


def read_request(line: bytes) -> Request | None:
    """Read one line of a client.

    Args:
        line: Bytes of the line, with or without its end.

    Returns:
        The request; None for an empty line.

    Raises:
        RpcError: If the line is no request.

    Examples:
        >>> read_request(b'{"jsonrpc": "2.0", "id": 7, "method": "close", "params": {"session": 1}}').params
        {'session': 1}
    """
    try:
        text = line.decode("utf-8-sig").strip()
        if not text:
            return None
        message = json.loads(text, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise RpcError(PARSE_ERROR, "the line is not in UTF-8") from None
    except (ValueError, RecursionError) as error:
        what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RpcError(PARSE_ERROR, f"the line is not JSON ({what})") from None
    if isinstance(message, list):
        raise RpcError(INVALID_REQUEST, "batches are not supported; write one request a line")
    if not isinstance(message, dict):
        raise RpcError(INVALID_REQUEST, "the line is JSON, but no object")
    return _request_of(message)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


def _request_of(message: dict[str, Any]) -> Request:
    found = message.get("id")
    if isinstance(found, bool | list | dict) or (
        isinstance(found, float) and not math.isfinite(found)
    ):
        raise RpcError(INVALID_REQUEST, "the id of the request is no text, number or null")
    method, params = message.get("method"), message.get("params", {})
    for is_wrong, why in (
        (message.get("jsonrpc") != "2.0", 'the request has no "jsonrpc": "2.0"'),
        (not isinstance(method, str), 'the request has no text as "method"'),
    ):
        if is_wrong:
            raise RpcError(INVALID_REQUEST, why, id=found)
    if not isinstance(params, dict):
        why = f"{method}: the parameters are no object of names and values"
        raise RpcError(WRONG_PARAMETERS, why, id=found)
    return Request(str(method), params, found, "id" in message)


def answer_line(id: Id, result: object) -> str:
    """The answer to a request.

    Args:
        id: Id of the request.
        result: Its result.

    Examples:
        >>> answer_line(7, {"session": 1, "share": float("nan")})
        '{"jsonrpc": "2.0", "id": 7, "result": {"session": 1, "share": null}}'
    """
    return _line({"id": id, "result": json_value(result)})


def error_line(id: Id, error: RpcError) -> str:
    """The answer to a request that failed.

    Args:
        id: Id of the request, None if it is not known.
        error: What went wrong.
    """
    content: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data:
        content["data"] = json_value(error.data)
    return _line({"id": id, "error": content})


def notification_line(method: str, params: Mapping[str, Any]) -> str:
    """A message of the engine that is no answer.

    Args:
        method: Its name.
        params: Its content.
    """
    return _line({"method": method, "params": json_value(params)})


def _line(content: Mapping[str, Any]) -> str:
    message = {"jsonrpc": "2.0", **content}
    return plain_json(json.dumps(message, ensure_ascii=False, allow_nan=False))


def json_value(value: Any) -> Any:
    """A value as JSON can hold it: numbers that are not finite are null, arrays are lists, paths are texts.

    Args:
        value: Nested mappings and sequences of texts, numbers, arrays and paths.

    Examples:
        >>> json_value({"values": np.array([1.5, np.nan]), "path": PurePath("a.tif"), 3: (True, None)})
        {'values': [1.5, None], 'path': 'a.tif', '3': [True, None]}
    """
    if isinstance(value, np.ndarray | np.generic):
        return json_value(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_value(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(one) for one in value]
    return str(value) if isinstance(value, PurePath) else value
