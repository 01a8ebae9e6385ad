"""The variables that uv and pip see: the user's index configuration, and nothing else that could interfere."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_INTERFERING = frozenset(
    {"VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "__PYVENV_LAUNCHER__"}
)
"""Together with everything that begins with PYTHON."""

_UV_KEPT = re.compile(
    r"UV_(?:(?:DEFAULT_)?INDEX|INDEX_.+|EXTRA_INDEX_URL|FIND_LINKS|KEYRING_PROVIDER|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS"
    r"|OFFLINE|CACHE_DIR|NO_CACHE|LINK_MODE|CONFIG_FILE|NO_CONFIG|(?:HTTP|HTTP_CONNECT|REQUEST)_TIMEOUT|HTTP_RETRIES"
    r"|CONCURRENT_.+|CREDENTIALS_DIR|AWS_.+|S3_.+|LOCK_TIMEOUT|GIT_LFS)"
)
_PIP_KEPT = re.compile(
    r"PIP_(?:INDEX_URL|PYPI_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY|CONFIG_FILE"
    r"|CACHE_DIR|NO_CACHE_DIR|DEFAULT_TIMEOUT|TIMEOUT|RETRIES|KEYRING_PROVIDER)"
)
"""Where files come from and how they are fetched; what remains (constraints, targets, flags) alters the result."""

_SET = {
    "NO_COLOR": "1",
    "GIT_TERMINAL_PROMPT": "0",  # a private repository fails, instead of waiting for a password that nobody types
    "PYTHONDONTWRITEBYTECODE": "1",  # compiled files would name the staging folder
    "PYTHONUTF8": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "PIP_CONSTRAINT": os.devnull,  # these four also outdo the user's pip.conf
    "PIP_REQUIREMENT": os.devnull,
    "PIP_USER": "0",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
}


def tool_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str | None]:
    """Changes to ``environ`` for a run of uv or pip; ``None`` means that a variable is removed."""
    changes: dict[str, str | None] = {name: None for name in environ if _interferes(name)}
    return {**changes, **_SET}


def names_a_source(name: str) -> bool:
    """Whether a variable tells uv or pip where files come from, or how they are fetched."""
    return bool(_UV_KEPT.fullmatch(name) or _PIP_KEPT.fullmatch(name))


def _interferes(name: str) -> bool:
    if name.startswith("UV_"):
        return not _UV_KEPT.fullmatch(name)
    if name.startswith("PIP_"):
        return not _PIP_KEPT.fullmatch(name)
    return name in _INTERFERING or name.startswith("PYTHON")
