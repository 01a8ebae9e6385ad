"""Wheels: fetched from the index that pip is configured for, and small ones made here."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import platform
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.imagekit.machine import KitError, cache_folder, locked

_LEVELS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014", "manylinux2010", "manylinux1")


def fetch_wheels(minor: str, requirements: Sequence[str], *, machine: str | None = None) -> Path:
    """A folder with exactly these wheels, as CPython ``minor`` (``3.9``) on Linux takes them.

    Args:
        minor: of the interpreter that will install them.
        requirements: ``name==version``; nothing else is resolved.
        machine: ``x86_64``, ``aarch64``; this machine's by default.

    Raises:
        KitError: the index cannot be reached or lacks one.
    """
    machine = machine or {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    key = hashlib.sha256("\n".join([minor, machine, *sorted(requirements)]).encode()).hexdigest()[:16]
    folder = cache_folder() / "wheels" / f"{minor}-{key}"
    with locked(f"wheels-{key}"):
        if not (folder / "complete").exists():
            platforms = [f"--platform={level}_{machine}" for level in _LEVELS] + ["--platform=any"]
            abis = [f"--abi={abi}" for abi in (_abi(minor), "abi3", "none")]
            target = [
                "--only-binary=:all:",
                "--implementation=cp",
                f"--python-version={minor}",
                *abis,
                *platforms,
            ]
            for batch in _without_repeats(requirements):
                pip("download", "--no-deps", *target, f"--dest={folder}", *batch)
            (folder / "complete").touch()
    return folder


def _without_repeats(requirements: Sequence[str]) -> list[list[str]]:
    """Batches in which no name occurs twice: pip takes two versions of one distribution for a conflict."""
    batches: list[dict[str, str]] = []
    for requirement in requirements:
        name = requirement.partition("==")[0]
        batch = next((batch for batch in batches if name not in batch), None)
        if batch is None:
            batches.append(batch := {})
        batch[name] = requirement
    return [list(batch.values()) for batch in batches]


def _abi(minor: str) -> str:
    tag = "cp" + minor.replace(".", "")
    return tag + {"2.7": "mu", "3.6": "m", "3.7": "m"}.get(minor, "")


def pip(*words: str, timeout: float = 600) -> str:
    """Run this environment's own pip, with the user's configuration, and return what it printed.

    Raises:
        KitError: it failed; with the last lines of its output.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise KitError(f"pip {words[0]}: still running after {timeout:g} s") from error
    if done.returncode:
        raise KitError(f"pip {words[0]}: exit status {done.returncode}\n" + "\n".join(done.stderr.splitlines()[-15:]))
    return done.stdout


_WHEEL = "Wheel-Version: 1.0\nGenerator: imagekit\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_wheel(name: str, version: str, modules: Mapping[str, str], *, metadata: str = "") -> tuple[str, bytes]:
    """A pure wheel, byte for byte the same each time: its file name and content.

    Spec: https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    files = dict(modules) | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": _WHEEL,
    }
    record = [f"{path},sha256={_hash(text.encode())},{len(text.encode())}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            member = zipfile.ZipInfo(path, (2024, 1, 1, 0, 0, 0))
            if ".data/scripts/" in path:
                member.external_attr = 0o100755 << 16  # pip looks whether it is a regular file
            archive.writestr(member, text.encode())
    return f"{stem}-py3-none-any.whl", out.getvalue()


def make_sdist(name: str, version: str, files: Mapping[str, str]) -> tuple[str, bytes]:
    """An sdist, byte for byte the same each time: its file name and content."""
    stem = f"{name.replace('-', '_')}-{version}"
    members = {**files, "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}
    out = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=out, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, text in sorted(members.items()):
            header = tarfile.TarInfo(f"{stem}/{path}")
            header.size, header.mtime = len(text.encode()), 1704067200
            tar.addfile(header, io.BytesIO(text.encode()))
    return f"{stem}.tar.gz", out.getvalue()


def _hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
