"""Writes the parts of docs/ and lockfiles/ that the code determines: JSON Schemas, CLI reference, published locks.

Run by ``make golden``; tests assert that nothing is out of date.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ("pull", "create", "diff", "show", "images", "cache info", "cache clear")


SETTINGS = """## What a project can keep in pyproject.toml

```toml
[tool.envsync]
lockfiles = "locks"                  # the folder of lock directories, relative to this file; default: ./lockfiles
only = ["python", "env"]             # what diff compares; default: python, os and env
ignore = ["setuptools", "TZ"]        # distributions, OS packages and variables that diff leaves out
```

The nearest `pyproject.toml` upwards counts. `--lockfiles` and `--only` override it; `--ignore` adds to it.
An unknown key or value is an error.

## Variables

| variable | what |
| --- | --- |
| `ENVSYNC_LOCKFILES` | the folder of lock directories |
| `ENVSYNC_CACHE_DIR` | the folder of the cache |
| `XDG_CACHE_HOME` | where its folder `envsync` is otherwise; `~/.cache`, or `~/Library/Caches` on macOS, if not set |
| `ENVSYNC_DEBUG` | `1`: print the traceback of an internal error |
| `DOCKER_HOST`, `DOCKER_CONFIG` | the engine and its credentials, as for Docker itself |
| `UV_*`, `PIP_*`, `uv.toml`, `pip.conf`, netrc | indexes, caches and certificates, as for uv and pip themselves |
| `PYENV_ROOT`, `UV_PYTHON_INSTALL_DIR` | where to look for interpreters |
| `NO_COLOR` | no colours |"""


def schemas() -> dict[Path, str]:
    """Path -> text of each JSON Schema."""
    from envsync.lock.codec import snapshot_schema
    from envsync.report.json import schema
    from envsync.report.shown_json import shown_schema

    folder = ROOT / "docs" / "schemas"
    return {
        folder / "snapshot.schema.json": json.dumps(snapshot_schema(), indent=2) + "\n",
        folder / "diff.schema.json": json.dumps(schema(), indent=2) + "\n",
        folder / "show.schema.json": json.dumps(shown_schema(), indent=2) + "\n",
    }


def cli_reference() -> str:
    """The text of docs/cli.md: what ``--help`` prints, for each command."""
    parts = [
        "# Command line",
        "Generated from `--help` by `make golden`. Exit codes of every command: 0 done, no drift; 1 done, with drift\n"
        "or with something that could not be read or reproduced; 2 could not be carried out. Results go to stdout,\n"
        "everything else to stderr.",
    ]
    for command in ("", *COMMANDS):
        words = [sys.executable, "-m", "envsync", *command.split(), "--help"]
        env = {**os.environ, "COLUMNS": "100", "TERM": "dumb", "PYTHONPATH": str(ROOT)}
        shown = subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout
        text = shown.replace("python -m envsync", "envsync").strip()
        parts += [f"## {f'envsync {command}'.strip()}", f"```text\n{text}\n```"]
    return "\n\n".join([*parts, SETTINGS]) + "\n"


def write_published_locks(root: Path) -> None:
    """Write the locks of published lists; a lock that was pulled from the real image stays."""
    from envsync.lock.store import SNAPSHOT, lock_path, read_lock, write_lock
    from envsync.model import ListSource
    from envsync.official.published import published_snapshots
    from envsync.reference import ImageName

    for snapshot in published_snapshots():
        assert isinstance(snapshot.source, ListSource)
        path = lock_path(root, ImageName.parse(snapshot.source.reference))
        if not (path / SNAPSHOT).exists() or isinstance(read_lock(path).snapshot.source, ListSource):
            write_lock(path, snapshot)


def main() -> None:
    """Write everything."""
    for path, text in schemas().items():
        path.write_text(text, encoding="utf-8")
    (ROOT / "docs" / "cli.md").write_text(cli_reference(), encoding="utf-8")
    write_published_locks(ROOT / "lockfiles")


if __name__ == "__main__":
    main()
