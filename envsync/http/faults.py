"""Why a request failed, in a few words."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from envsync.redaction import printable


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and those that led to it."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def reason_of(error: BaseException) -> str:
    """What is at the bottom of an error of urllib3, whose own texts may hold URLs with signatures in them."""
    from urllib3.exceptions import NameResolutionError, ReadTimeoutError

    for cause in reversed(list(causes(error))):
        match cause:
            case NameResolutionError() | socket.gaierror():
                return "the name of the host is unknown"
            case ssl.SSLError():
                return f"TLS fails ({printable(cause.reason or 'no reason given')[:100].replace('_', ' ').lower()})"
            case TimeoutError() | ReadTimeoutError():
                return "nothing came for too long"
            case OSError() if cause.strerror:
                return cause.strerror.lower()
            case OSError() if str(cause).startswith("Tunnel connection failed"):
                return printable(str(cause))[:100]
    return "it was closed before the end"
