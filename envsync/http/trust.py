"""Whose certificates are believed: the system's authorities, and those that the environment names."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path

from envsync.errors import UsageError
from envsync.redaction import printable

# Where systems keep their authorities when the interpreter's OpenSSL was built for another one.
_SYSTEMS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)
_OPENSSL = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def trusted(also: Path | None = None) -> ssl.SSLContext:
    """A context that believes what the system does, or on Linux, what ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name.

    Beside these, the authorities in ``REQUESTS_CA_BUNDLE`` and ``CURL_CA_BUNDLE`` (files or folders) are believed, and
    those in ``also``, a file or folder that the configuration of a tool names.

    Raises:
        UsageError: one of these files or folders is missing or holds no certificates.
    """
    named = {variable: _named(variable) for variable in (*_OPENSSL, *_BUNDLES) if os.environ.get(variable)}
    context, known = _system()
    for variable, paths in named.items():
        for path in paths:
            if path.resolve() not in known:  # reading the authorities of a system takes some 60 ms
                known.add(path.resolve())
                _load(context, path, variable)
    if also is not None and also.resolve() not in known:
        _load(context, also, "cert")
    return context


def unverified() -> ssl.SSLContext:
    """A context that believes everybody: for hosts that the user's configuration calls trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _system() -> tuple[ssl.SSLContext, set[Path]]:
    """A context, and the files and folders that it believes."""
    if sys.platform == "darwin":
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT), set()
    # truststore would do the same here, but reads all authorities again for each connection.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    paths = ssl.get_default_verify_paths()
    known = [Path(path) for path in (paths.cafile, paths.capath) if path]
    if not any(path.is_file() or any(path.glob("*.0")) for path in known):
        known = [path for path in map(Path, _SYSTEMS) if path.is_file()][:1]
        for path in known:
            context.load_verify_locations(cafile=path)
    return context, {path.resolve() for path in known}


def _named(variable: str) -> list[Path]:
    text = os.environ[variable]
    paths = [Path(part) for part in (text.split(":") if variable == "SSL_CERT_DIR" else [text]) if part]
    if not any(path.exists() for path in paths):
        raise UsageError(
            f"{variable}: {printable(text)}: no such file or folder (expected certificates of authorities)",
            hint=f"Correct or unset {variable}.",
        )
    return [path for path in paths if path.exists()]


def _load(context: ssl.SSLContext, path: Path, variable: str) -> None:
    try:
        if path.is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise UsageError(
            f"{variable}: {printable(str(path))}: holds no certificates (expected those of authorities, as PEM)"
        ) from error
    except OSError as error:
        raise UsageError(f"{variable}: {printable(str(path))}: cannot be read: {error.strerror}") from error
