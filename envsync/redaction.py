"""Keeping credentials out of locks, reports, logs and messages."""

from __future__ import annotations

import re
import unicodedata

_USERINFO = re.compile(r"//(?P<userinfo>[^/\s'\"]+)@")
_HARMLESS_USERINFO = re.compile(r"git|\$\{[A-Za-z0-9_-]+\}(:\$\{[A-Za-z0-9_-]+\})?")
_SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:TOKENS?|CREDENTIALS?|AUTH|SIGNATURE|SIG|PASSPHRASE)(?:[_-]|$)"
    r"|SECRET|PASSW(?:OR)?D|PASS$|[_-]PASS[_-]|[_-](?:PWD|PAT)$|API_?KEYS?(?:[_-]|$)|(?:^|[_-])(?:ACCESS|PRIVATE)[_-]KEY"
    r"|(?<!GPG)[_-]KEY$",
    re.IGNORECASE,
)
"""``GPG_KEY`` is public: official Python images name by it the key that signed the release."""
# A name begins where nothing that could be in one comes before it: tried at every letter, it would take quadratic time.
_ASSIGNMENT = re.compile(r"(?<![A-Za-z0-9_-])(?P<name>[A-Za-z0-9_-]+)=(?P<value>[^\s&#;,'\"\x00]+)")
_WITHHELD = "withheld"


def without_credentials(text: str) -> str:
    """``text`` without the user and password of every URL in it, and without values that a name says are secret.

    As PEP 610 asks, ``git@`` and names of environment variables (``${USER}:${PASSWORD}@``) stay. Of ``?token=abc``
    and ``API_TOKEN=abc`` the name stays.
    """
    return _ASSIGNMENT.sub(_strip_value, _USERINFO.sub(_strip_userinfo, text))


def _strip_value(match: re.Match[str]) -> str:
    return f"{match['name']}={_WITHHELD}" if names_a_secret(match["name"]) else match[0]


def _strip_userinfo(match: re.Match[str]) -> str:
    if _HARMLESS_USERINFO.fullmatch(match["userinfo"]):
        return match[0]
    return "//"


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
