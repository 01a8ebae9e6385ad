"""Keeping credentials out of locks, reports, logs and messages."""

from __future__ import annotations

import re
import unicodedata

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30}://)(?P<userinfo>[^/\s'\"]+)@")
_HARMLESS_USERINFO = re.compile(r"git|\$\{[A-Za-z0-9_-]+\}(:\$\{[A-Za-z0-9_-]+\})?")
_SECRET_NAME = re.compile(
    r"(^|_)(PASS|PASSWD|PASSWORD|SECRET|SECRETS|TOKEN|CREDENTIALS?|APIKEY|ACCESS_KEY|API_KEY|PRIVATE_KEY|AUTH)(_|$)",
    re.IGNORECASE,
)


def without_credentials(text: str) -> str:
    """``text`` with the user and password of every URL in it removed.

    As PEP 610 asks, ``git@`` and names of environment variables (``${USER}:${PASSWORD}@``) stay.
    """
    return _USERINFO.sub(_strip_userinfo, text)


def _strip_userinfo(match: re.Match[str]) -> str:
    if _HARMLESS_USERINFO.fullmatch(match["userinfo"]):
        return match[0]
    return match["scheme"]


def names_a_secret(variable: str) -> bool:
    """Whether an environment variable is, by its name, a credential."""
    return bool(_SECRET_NAME.search(variable))


def printable(text: str) -> str:
    """``text`` from an untrusted source, fit for a terminal: control and format characters become escapes."""
    if text.isprintable():
        return text
    return "".join(char if _may_be_shown(char) else char.encode("unicode_escape").decode("ascii") for char in text)


def _may_be_shown(char: str) -> bool:
    return char == " " or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
