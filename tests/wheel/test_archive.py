"""The same bytes, whichever Python writes them."""

from __future__ import annotations

import hashlib
import io
import subprocess
import zipfile
from pathlib import Path

import pytest

from envsync.wheel import archive
from envsync.wheel.archive import WheelWriter
from tests.build.making import pyenv

WRITE = """
import hashlib, io, runpy, sys
stream = io.BytesIO()
writer = runpy.run_path(sys.argv[1])["WheelWriter"](stream)
writer.add("a.py", [b"x = ", b"1\\n"], 6)
writer.add("\\u00e9, \\"q\\".txt", [b"x" * 5000], 5000)
writer.add("a-1.data/scripts/run", [b""], 0, executable=True)
writer.close("a-1.dist-info/RECORD")
print(hashlib.sha256(stream.getvalue()).hexdigest())
"""


def written() -> bytes:
    stream = io.BytesIO()
    with WheelWriter(stream) as writer:
        writer.add("a.py", [b"x = ", b"1\n"], 6)
        writer.add('é, "q".txt', [b"x" * 5000], 5000)
        writer.add("a-1.data/scripts/run", [b""], 0, executable=True)
        writer.close("a-1.dist-info/RECORD")
    return stream.getvalue()


def test_what_is_written() -> None:
    with zipfile.ZipFile(io.BytesIO(written())) as wheel:
        assert wheel.testzip() is None
        assert wheel.namelist() == ["a.py", 'é, "q".txt', "a-1.data/scripts/run", "a-1.dist-info/RECORD"]
        assert {info.date_time for info in wheel.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert [info.external_attr >> 16 for info in wheel.infolist()] == [0o100644, 0o100644, 0o100755, 0o100644]
        assert wheel.read("a-1.dist-info/RECORD").decode().splitlines() == [
            "a.py,sha256=nia_NpkRxFwkPGhBR7I_yeHc_PJX0pmhxjIBam_NM_Q,6",
            '"é, ""q"".txt",sha256=xZ08BIDMLXHY9kbnNektplRQMR7sRugaXbjH5uipIFQ,5000',
            "a-1.data/scripts/run,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0",
            "a-1.dist-info/RECORD,,",
        ]


@pytest.mark.parametrize("version", ["3.10.13", "3.11.7", "3.12.1", "3.13.0"])
def test_the_same_bytes_on_each_python(version: str) -> None:
    words = [pyenv(version), "-I", "-c", WRITE, str(Path(archive.__file__))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == hashlib.sha256(written()).hexdigest(), done.stderr


def test_an_entry_that_may_be_large_has_room(tmp_path: Path) -> None:
    with (tmp_path / "a.whl").open("wb") as stream, WheelWriter(stream) as writer:
        writer.add("a.bin", [b"small"], 5 << 30)
        writer.close("a-1.dist-info/RECORD")
    assert zipfile.ZipFile(tmp_path / "a.whl").read("a.bin") == b"small"


def test_a_wheel_given_up(tmp_path: Path) -> None:
    def broken() -> object:
        yield b"x"
        raise KeyError("gone")

    with (tmp_path / "a.whl").open("wb") as stream, pytest.raises(KeyError), WheelWriter(stream) as writer:
        writer.add("a.py", broken(), 6)  # type: ignore[arg-type]
