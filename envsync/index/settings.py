"""Which indexes the user's uv or pip is configured for, and how uv is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from envsync.index.access import Index, IndexSettings, Login
from envsync.index.pip_settings import pip_settings
from envsync.index.uv_settings import uv_settings

__all__ = ["Index", "IndexSettings", "Login", "load_settings", "uv_environment", "uv_options"]


def load_settings(environ: Mapping[str, str], home: Path, *, etc: Path = Path("/etc")) -> IndexSettings:
    """uv's settings, or pip's where uv's name no index.

    Raises:
        UsageError: a file or value that the tool itself could not use.
    """
    settings = uv_settings(environ, home, etc) or pip_settings(environ, home, etc)
    named = environ.get("NETRC")
    candidates = [Path(named)] if named else [home / ".netrc", home / "_netrc"]
    return replace(settings, netrc=next((path for path in candidates if path.is_file()), None))


def uv_environment(settings: IndexSettings) -> dict[str, str]:
    """Variables that make uv ask exactly these indexes; with logins, so for child processes alone.

    Of uv's own settings there is nothing to tell it.
    """
    if settings.source == "uv":
        return {}
    urls = [settings.with_login(index.url) for index in settings.indexes]
    variables = {"UV_INDEX_STRATEGY": "first-index" if settings.first_index_only else "unsafe-best-match"}
    if not settings.no_index:
        variables["UV_DEFAULT_INDEX"] = urls[0]
        if urls[1:]:
            variables["UV_INDEX"] = " ".join(urls[1:])
    if settings.find_links:
        variables["UV_FIND_LINKS"] = ",".join(settings.with_login(url) for url in settings.find_links)
    if settings.trusted_hosts:
        variables["UV_INSECURE_HOST"] = " ".join(settings.trusted_hosts)
    if settings.keyring:
        variables["UV_KEYRING_PROVIDER"] = "subprocess"
    if settings.cert is not None:
        variables["SSL_CERT_DIR" if settings.cert.is_dir() else "SSL_CERT_FILE"] = str(settings.cert)
    if settings.proxy is not None:
        variables |= {"HTTP_PROXY": settings.proxy.address, "HTTPS_PROXY": settings.proxy.address}
    return variables


def uv_options(settings: IndexSettings) -> list[str]:
    """What uv has no variable for."""
    return ["--no-index"] if settings.no_index and settings.source == "pip" else []
