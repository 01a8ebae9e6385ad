"""Where the data that comes with envsync is: the catalogue of images and the shipped locks."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal

from envsync.errors import EnvsyncError


class MissingDataError(EnvsyncError):
    """The installation is incomplete."""


def data_folder(kind: Literal["images", "lockfiles"]) -> Path:
    """The folder of ``images`` or ``lockfiles``: of the installed wheel, else of the checkout.

    Raises:
        MissingDataError: neither is there.
    """
    package = Path(str(files("envsync")))
    installed = package / "_data" / kind
    if installed.is_dir():
        return installed
    # Beside an installed package without its data, a folder of that name would be somebody else's.
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / kind).is_dir():
        return checkout / kind
    raise MissingDataError(f"{installed}: envsync's own data is missing", hint="Install envsync anew from its wheel.")
