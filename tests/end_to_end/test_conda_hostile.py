"""A hostile conda prefix in a real container: asking it ends, and agrees with reading it."""

from __future__ import annotations

from pathlib import Path

import pytest

from envsync.lock.store import read_lock
from tests.end_to_end.program import envsync
from tests.imagekit.engine import Recipe, build
from tests.imagekit.machine import MissingToolError
from tests.imagekit.recipes import CONDA

pytestmark = [pytest.mark.engine, pytest.mark.network]

MAKE = r"""
import os

meta = "/opt/conda/conda-meta/"


def write(name, text):
    with open(meta + name, "w") as stream:
        stream.write(text)


def record(name, **more):
    import json

    entry = {"name": name, "version": "1", "build": "0", "url": "https://u:secret@h.example/t/tk-1/c/noarch/x-1-0.conda"}
    entry.update(more)
    return json.dumps(entry)


os.mkfifo(meta + "pipe-1-0.json")
os.symlink("/", "/opt/conda/envs")
os.symlink("loop-1-0.json", meta + "loop-1-0.json")
os.symlink("/etc/passwd", meta + "passwd-1-0.json")
write("deep-1-0.json", '{"x": ' + "[" * 200000)
write("many-1-0.json", '{"files": [' + '"",' * 5000000 + '""]}')
write("long-1-0.json", record("long", x="y" * (31 << 20)))
write("newline-1-0.json", record("a\n  - evil"))
write("climbing-1-0.json", record("climbing", files=["../../etc/passwd", "/etc/shadow", "a\0b"]))
write("surrogate-1-0.json", record("surrogate", files=["lib/\ud800"], md5="\ud800"))
write("number-1-0.json", record("number", files=[1, None], paths_data={"paths": [1, {"_path": 2}]}))
write("pinned", "six 1\n\x1b[2J\n- evil\n")
write("../.condarc", "channels: " + "[" * 60000)
os.remove("/tmp/make.py")
"""


def test_both_ways_agree_on_it(tmp_path: Path) -> None:
    recipe = Recipe(
        name="conda-hostile",
        parent=CONDA,
        python="3.11",
        files={"make.py": MAKE},
        script="cp /media/make.py /tmp/\n/opt/conda/bin/python /tmp/make.py",
    )
    try:
        tag = build(recipe)
    except MissingToolError as error:
        pytest.skip(str(error))
    result = envsync("pull", tag, "--method", "both", cwd=tmp_path)
    assert result.status == 1, result.said
    (path,) = (tmp_path / "lockfiles").rglob("snapshot.json")
    assert b"secret" not in path.read_bytes().replace(b'"secrets":', b"")
    found = read_lock(path.parent).snapshot
    environment = found.conda_environment
    assert environment is not None
    assert [one.name for one in environment.packages] == ["click", "climbing", "long", "python", "six"]
    assert environment.packages[1].files == 0
    assert environment.pinned == ("six 1",)
    assert environment.channels == ("https://conda.example/stand", "https://h.example/c")
    noted = {note.subject for note in found.skipped}
    broken = ("deep", "loop", "many", "newline", "number", "passwd", "pipe", "surrogate")
    assert noted == {".condarc", *(f"{name}-1-0.json" for name in broken)}
