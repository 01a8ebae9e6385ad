"""Two conda environments, installed from the test channel, as they stand in the image ``conda-channel``."""

from __future__ import annotations

import hashlib
import json
import secrets
from importlib.metadata import version
from pathlib import Path

from tests.imagekit import conda_channel
from tests.imagekit.conda_channel import BASE, channel_folder, install, records, serve
from tests.imagekit.machine import cache_folder, locked

PREFIX = "/opt/conda"
OTHER = f"{PREFIX}/envs/other"

PACKAGES = (
    *("python", "openssl", "ca-certificates", "tzdata", "demo-lib", "demo-tool", "demo-hook"),
    *("pip", "setuptools", "wheel", "six", "click", "tabulate"),
)
"""Of :data:`PREFIX`; click brings no program, tabulate does."""

OTHER_PACKAGES = (
    *("python", "openssl", "ca-certificates", "tzdata", "demo-lib=1.0"),
    *("six=1.17.0", "tabulate", "demo-plugin"),
)
"""Of :data:`OTHER`: from both channels, with an older library and without pip."""

REQUESTED = ("python=3.9", "demo-tool", "demo-hook", "pip", "six=1.16", "click", "tabulate")
OTHER_REQUESTED = ("python=3.9", "demo-lib=1.0", "six", "demo-plugin")
"""What the histories say."""


def prefixes_folder() -> Path:
    """A folder with ``conda``, which has ``envs/other`` in it; made once. Its name tells what is in it.

    Raises:
        KitError: the channel cannot be made.
        MissingToolError: this machine lacks the interpreter, or is of another kind.
    """
    parts = [channel_folder().name.encode(), version("py-rattler").encode()]
    parts += [Path(path).read_bytes() for path in (__file__, conda_channel.__file__)]
    folder = cache_folder() / f"conda-prefixes-{hashlib.sha256(b'0'.join(parts)).hexdigest()[:12]}"
    with locked("conda-prefixes"):
        if not folder.exists():
            staging = folder.with_name(f"conda-prefixes-{secrets.token_hex(4)}.partial")
            _fill(staging / "conda")
            staging.rename(folder)
    return folder


def _fill(prefix: Path) -> None:
    other = prefix / "envs" / "other"
    with serve() as served:
        install(prefix, records(*PACKAGES), served, target=PREFIX, requested=REQUESTED)
        install(other, records(*OTHER_PACKAGES), served, target=OTHER, requested=OTHER_REQUESTED)
    _as_conda_records(prefix)
    (prefix / ".condarc").write_text(f"channels:\n  - {BASE}/main\n  - {BASE}/extra\n")


def _as_conda_records(prefix: Path) -> None:
    """Have the records of ``noarch: python`` packages as conda writes them, and not as rattler does.

    In ``paths_data`` conda keeps the path that the package has for a file; its byte code and entry points, and all of
    ``files``, are where they were put. Seen with conda 4.6 and 26.7.
    """
    for path in (prefix / "conda-meta").glob("*.json"):
        record = json.loads(path.read_bytes())
        if record.get("noarch") != "python":
            continue
        for entry in record["paths_data"]["paths"]:
            if entry["path_type"] in ("hardlink", "softlink"):
                entry["_path"] = entry["_path"].replace("lib/python3.9/site-packages/", "site-packages/", 1)
        path.write_text(json.dumps(record, indent=2))
