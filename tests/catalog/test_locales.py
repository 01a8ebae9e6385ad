"""Locales and encodings, also as the Pythons of this machine have them."""

from __future__ import annotations

import codecs
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog.libc import find_libc
from envsync.catalog.locales import find_locale, find_text, parse_archive
from envsync.files import FileInfo, HostTree
from envsync.model import Libc
from envsync.reference import Digest
from tests.catalog.real import MACHINE, interpreters, run
from tests.catalog.trees import write

GLIBC = Libc(family="glibc", version="2.36")
MUSL = Libc(family="musl", version="1.2.5")


class ImageTree(HostTree):
    """Says that every file is of a layer; the archive of all locales is not to be read then."""

    def stat(self, path: PurePosixPath) -> FileInfo | None:
        found = super().stat(path)
        return (
            FileInfo(
                path=found.path, kind=found.kind, size=found.size, mode=found.mode, layer=Digest("sha256:" + "0" * 64)
            )
            if found
            else None
        )

    def read(self, path: PurePosixPath, *, limit: int = 0) -> bytes:
        assert path.name != "locale-archive"
        return super().read(path, limit=limit)


def text(root: Path | HostTree, python: str = "3.12.1", libc: Libc | None = GLIBC, **env: str) -> dict[str, str | None]:
    tree = root if isinstance(root, HostTree) else HostTree(str(root))
    return {one.kind: one.value for one in find_text(tree, env, libc=libc, python=python)}


def archive(*names: str, order: str = "<") -> bytes:
    """What localedef writes, as far as names go."""
    at = 56 + 12 * (len(names) + 1)
    entries, strings = pack(f"{order}3I", 0, 0, 0), b""
    for name in names:
        entries += pack(f"{order}3I", 1, at + len(strings), 5)
        strings += name.encode() + b"\0"
    head = pack(f"{order}5I", 0xDE020109, 1, 56, len(names), len(names) + 1)
    return head.ljust(56, b"\0") + entries + strings


def test_nothing_set_is_the_locale_c(tmp_path: Path) -> None:
    assert text(tmp_path) == {"locale": "C", "encoding": "utf-8"}
    assert text(tmp_path, python="3.6.15") == {"locale": "C", "encoding": "ascii"}
    assert text(tmp_path, LANG="POSIX") == {"locale": "C", "encoding": "utf-8"}


def test_the_first_variable_that_is_not_empty_decides(tmp_path: Path) -> None:
    for name in ("en_US.utf8", "de_DE.iso88591"):
        write(tmp_path, f"usr/lib/locale/{name}/LC_CTYPE")
    both = {"LC_CTYPE": "de_DE.ISO-8859-1", "LANG": "en_US.UTF-8"}
    assert text(tmp_path, **both) == {"locale": "de_DE.ISO-8859-1", "encoding": "iso8859-1"}
    assert text(tmp_path, **both, LC_ALL="en_US.UTF-8") == {"locale": "en_US.UTF-8", "encoding": "utf-8"}
    assert text(tmp_path, **both, LC_ALL="")["locale"] == "de_DE.ISO-8859-1"
    (one,) = (one for one in find_text(HostTree(str(tmp_path)), both, libc=GLIBC, python="") if one.kind == "locale")
    assert str(one.path) == "/usr/lib/locale/de_DE.iso88591/LC_CTYPE"


def test_a_locale_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert text(tmp_path, LANG="C.UTF-8") == {"locale": "C", "encoding": "utf-8"}
    assert text(tmp_path, LANG="ja_JP.EUC-JP", python="3.6.1") == {"locale": "C", "encoding": "ascii"}
    for hostile in ("../../etc", "/etc", "x" * 10_000, "a\0b", "\udcff", "\x1b[2J"):
        assert text(tmp_path, LANG=hostile) == {"locale": "C", "encoding": "utf-8"}


@pytest.mark.parametrize("order", ["<", ">"])
def test_an_archive_has_names(tmp_path: Path, order: str) -> None:
    data = archive("en_US.utf8", "ja_JP.eucjp", "ja_JP", order=order)
    assert parse_archive(data) == {"en_US.utf8", "ja_JP.eucjp", "ja_JP"}
    assert parse_archive(data[:90]) == frozenset()
    write(tmp_path, "usr/lib/locale/locale-archive", data)
    assert text(tmp_path, LANG="ja_JP.EUC-JP") == {"locale": "ja_JP.EUC-JP", "encoding": "euc_jp"}
    assert text(tmp_path, LANG="ja_JP") == {"locale": "ja_JP"}
    assert text(tmp_path, LANG="ja_JP.UTF-8") == {"locale": "C", "encoding": "utf-8"}


def test_of_an_image_only_what_was_asked_for_is_known(tmp_path: Path) -> None:
    write(tmp_path, "usr/lib/locale/locale-archive", archive("en_US.utf8"))
    tree = ImageTree(str(tmp_path))
    # With that locale or without it, Python 3.7 takes UTF-8.
    assert text(tree, LANG="en_US.UTF-8") == {"encoding": "utf-8"}
    assert text(tree, LANG="en_US.UTF-8", python="3.6.1") == {}
    write(tmp_path, "etc/locale.gen", "# de_DE.UTF-8 UTF-8\n  en_US.UTF-8 UTF-8\nja_JP EUC-JP\nthree words here\n")
    assert text(tree, LANG="en_US.utf8", python="3.6.1") == {"locale": "en_US.utf8", "encoding": "utf-8"}
    assert text(tree, LANG="ja_JP") == {"locale": "ja_JP"}
    assert "locale" not in text(tree, LANG="de_DE.UTF-8")
    write(tmp_path, "var/lib/dpkg/info/locales-all.list")
    assert text(tree, LANG="de_DE.UTF-8")["locale"] == "de_DE.UTF-8"


def test_a_list_of_locales_may_be_anything(tmp_path: Path) -> None:
    write(tmp_path, "usr/lib/locale/locale-archive")
    write(tmp_path, "etc/locale.gen", b"\xff\xfe\0 \0\n" * 1000)
    assert text(tmp_path, LANG="en_US.UTF-8")["locale"] == "C"
    write(tmp_path, "etc/locale.gen", b"en_US.UTF-8 UTF-8\n" * 100_000)
    assert text(tmp_path, LANG="en_US.UTF-8")["locale"] == "C"


def test_musl_knows_every_locale(tmp_path: Path) -> None:
    assert text(tmp_path, libc=MUSL, python="3.6.1") == {"locale": "C.UTF-8", "encoding": "utf-8"}
    assert text(tmp_path, libc=MUSL, python="3.6.1", LANG="ja_JP.EUC-JP") == {
        "locale": "ja_JP.EUC-JP",
        "encoding": "utf-8",
    }
    assert text(tmp_path, libc=MUSL, python="3.6.1", LANG="POSIX") == {"locale": "C", "encoding": "ascii"}
    assert text(tmp_path, libc=MUSL, LANG="x" * 24)["locale"] == "C.UTF-8"


def test_macos_has_its_own_folder(tmp_path: Path) -> None:
    write(tmp_path, "usr/share/locale/en_US.UTF-8/LC_CTYPE")
    assert text(tmp_path, libc=None, LANG="en_US.UTF-8") == {"locale": "en_US.UTF-8", "encoding": "utf-8"}
    assert text(tmp_path, libc=None, LANG="C.UTF-8") == {"locale": "C", "encoding": "utf-8"}


def test_the_standard_streams_may_have_another(tmp_path: Path) -> None:
    assert text(tmp_path, PYTHONIOENCODING="latin-1:replace")["encoding"] == "utf-8, standard streams iso8859-1"
    for same in ("UTF8", "", ":strict", "x" * 1000, "\0"):
        assert text(tmp_path, PYTHONIOENCODING=same)["encoding"] == "utf-8"


def test_python_3_15_takes_utf_8_everywhere(tmp_path: Path) -> None:
    write(tmp_path, "usr/lib/locale/ja_JP.eucjp/LC_CTYPE")
    env = {"LANG": "ja_JP.EUC-JP"}
    assert text(tmp_path, python="3.14.0", **env)["encoding"] == "euc_jp"
    assert text(tmp_path, python="3.15.0a1", **env)["encoding"] == "utf-8"
    assert "encoding" not in text(tmp_path, python="next", **env)


_QUESTION = "import locale, sys; print(locale.getpreferredencoding(False) + ' ' + str(sys.stdout.encoding))"
_SETTINGS: tuple[dict[str, str], ...] = (
    {},
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX"},
    {"LANG": "C.UTF-8"},
    {"LANG": "of_NOWHERE.UTF-8"},
    {"PYTHONUTF8": "0"},
    {"PYTHONUTF8": "0", "LC_ALL": "C"},
    {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "C", "PYTHONUTF8": "1"},
    {"PYTHONIOENCODING": "latin-1:replace"},
)


@interpreters(at_least=(3, 6))
def test_as_python_says(python: Path, tmp_path: Path) -> None:
    version = run([python, "-c", "import sys; print(sys.version.split()[0])"]).strip()
    for env in _SETTINGS:
        preferred, streams = run([python, "-c", _QUESTION], env=env, cwd=tmp_path).split()
        told = [codecs.lookup(name).name for name in (preferred, streams)]
        expected = told[0] if told[0] == told[1] else f"{told[0]}, standard streams {told[1]}"
        assert text(HostTree(), version, find_libc(HostTree(), MACHINE), **env)["encoding"] == expected, env


@pytest.mark.skipif(
    not (shutil.which("localedef") and Path("/usr/share/i18n/locales/ja_JP").exists()), reason="no localedef"
)
def test_as_localedef_writes_it(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/locale").mkdir(parents=True)
    command = ["localedef", "--prefix", tmp_path, "-i", "ja_JP", "-f", "EUC-JP"]
    subprocess.run([*command, "ja_JP"], check=True, timeout=60)
    assert parse_archive((tmp_path / "usr/lib/locale/locale-archive").read_bytes()) == {"ja_JP", "ja_JP.eucjp"}
    assert text(tmp_path, LANG="ja_JP.eucJP") == {"locale": "ja_JP.eucJP", "encoding": "euc_jp"}
    (tmp_path / "usr/lib/locale/locale-archive").unlink()
    subprocess.run([*command, "--no-archive", "ja_JP.EUC-JP"], check=True, timeout=60)
    assert text(tmp_path, LANG="ja_JP.EUC-JP") == {"locale": "ja_JP.EUC-JP", "encoding": "euc_jp"}


@given(st.binary() | st.binary().map(lambda data: archive("en_US")[:20] + data))
def test_any_bytes_may_be_an_archive(data: bytes) -> None:
    assert all(len(name) <= 100 for name in parse_archive(data))


_NAMES = st.text() | st.sampled_from(["C", "C.UTF-8", "en_US.utf8", "ja_JP@x"])


@given(st.dictionaries(st.sampled_from(["LC_ALL", "LANG", "PYTHONUTF8", "PYTHONIOENCODING"]), _NAMES), st.text())
def test_any_variables_are_answered(env: Mapping[str, str], python: str) -> None:
    tree = HostTree("/nonexistent")
    for libc in (GLIBC, MUSL, None):
        assert find_locale(tree, env, libc=libc).name
        find_text(tree, env, libc=libc, python=python)
