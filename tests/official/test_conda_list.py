from __future__ import annotations

import contextlib
import csv
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from envsync.lock.store import render_lock, write_lock
from envsync.model import CondaPackage, ListSource, Snapshot
from envsync.official import CatalogueError, data_folder
from envsync.official.conda_list import conda_packages, parse_conda_list, parse_records
from envsync.official.published import published_snapshots
from envsync.reference import Platform

MAIN = "https://repo.anaconda.com/pkgs/main"
HEADER = "name\tversion\tbuild\tbuild_number\tchannel\tfile\tmd5\tsize\tdepends"


def row(name: str = "a", **fields: str) -> str:
    values = {
        "version": "1",
        "build": "0",
        "build_number": "0",
        "channel": f"{MAIN}/linux-64",
        "file": f"{name}-1-0.conda",
        "md5": "0" * 32,
        "size": "7",
        "depends": "",
        **fields,
    }
    return "\t".join((name, *values.values()))


def anaconda() -> Snapshot:
    return next(s for s in published_snapshots() if s.conda)


def published() -> list[dict[str, str]]:
    path = data_folder("images") / "published" / "anaconda3-2019.03-linux-64-py37.records.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def specs() -> set[str]:
    path = data_folder("images") / "published" / "anaconda3-2019.03-linux-64-py37.txt"
    return {line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")}


def test_anaconda_is_the_presumed_base_and_says_so():
    snapshot = anaconda()
    assert isinstance(snapshot.source, ListSource)
    assert snapshot.source.reference == "digdag/digdag-anaconda3:2019.03"
    assert snapshot.source.notes[0].startswith("PRESUMED base")
    assert "from a list, not from the image" in snapshot.source.notes[1]
    assert (snapshot.platform, snapshot.python.version) == (Platform(os="linux", architecture="amd64"), "3.7.3")
    assert (snapshot.python.prefix, snapshot.distributions, snapshot.os_packages) == (None, (), None)
    environment = snapshot.conda_environment
    assert environment is not None
    assert (environment.prefix, environment.channels, len(environment.packages)) == (None, ("defaults",), 274)
    files = render_lock(snapshot)
    for name in ("environment.yml", "environment.nobuild.yml", "explicit.txt", "conda-lock.yml", "requirements.txt"):
        assert b"# Note: PRESUMED base" in files[name]
    assert b"no line follows" in files["requirements.txt"]


def test_a_record_is_as_published():
    environment = anaconda().conda_environment
    assert environment is not None
    assert next(p for p in environment.packages if p.name == "zlib") == CondaPackage(
        name="zlib",
        version="1.2.11",
        build="h7b6447c_3",
        build_number=3,
        channel=MAIN,
        subdir="linux-64",
        url=f"{MAIN}/linux-64/zlib-1.2.11-h7b6447c_3.tar.bz2",
        md5=next(r["md5"] for r in published() if r["name"] == "zlib"),
        size=int(next(r["size"] for r in published() if r["name"] == "zlib")),
        depends=("libgcc-ng >=7.3.0",),
    )


def test_anaconda_files_equal_what_was_published(tmp_path: Path):
    write_lock(tmp_path / "lock", anaconda())
    explicit = (tmp_path / "lock" / "explicit.txt").read_text(encoding="utf-8").partition("@EXPLICIT\n")[2].splitlines()
    assert len(explicit) == 274
    assert set(explicit) == {f"{r['channel']}/{r['file']}#{r['md5']}" for r in published()}
    read = yaml.safe_load((tmp_path / "lock" / "environment.yml").read_text(encoding="utf-8"))
    assert (read["name"], read["channels"]) == ("digdag-anaconda3-2019.03", ["defaults"])
    assert len(read["dependencies"]) == 274
    assert set(read["dependencies"]) == specs()
    lock = parsed(tmp_path / "lock" / "conda-lock.yml")
    assert {(p.name, p.version, p.build, p.hash.md5) for p in lock.package} == {
        (r["name"], r["version"], r["build"], r["md5"]) for r in published()
    }


def parsed(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from conda_lock.lockfile import parse_conda_lock_file

        return parse_conda_lock_file(path)


def test_everything_comes_after_what_it_needs():
    urls = render_lock(anaconda())["explicit.txt"].decode().partition("@EXPLICIT\n")[2].splitlines()
    place = {url.rpartition("/")[2].rsplit("-", 2)[0]: at for at, url in enumerate(urls)}
    wrong = {
        (r["name"], needed)
        for r in published()
        for needed in (spec.split()[0] for spec in r["depends"].split("; ") if spec)
        if needed in place and place[needed] > place[r["name"]]
    }
    assert wrong == {("mkl_fft", "numpy")}  # they need each other


def test_lines_that_are_none():
    with pytest.raises(CatalogueError) as caught:
        parse_conda_list("# c\na=1=0\nb==1\n\na=2=0\n-x=1=0\n", "x.txt")
    assert caught.value.message.splitlines() == [
        "x.txt, line 3: 'b==1' (expected name=version=build)",
        "x.txt, line 5: a is there already",
        "x.txt, line 6: '-x=1=0' (expected name=version=build)",
    ]
    with pytest.raises(CatalogueError, match=r"^x\.txt: no package in it"):
        parse_conda_list("# nothing\n", "x.txt")


def test_rows_that_are_none():
    rows = (
        row("a", md5="0"),
        row("b", size="-1"),
        row("c", channel="https://example.org"),
        row("d d"),
        row("e") + "\tmore",
        row("f"),
    )
    with pytest.raises(CatalogueError) as caught:
        parse_records("\n".join((HEADER, *rows)), "x.tsv")
    assert caught.value.message.splitlines() == [
        "x.tsv, line 2: a: md5 '0'",
        "x.tsv, line 3: b: size '-1'",
        "x.tsv, line 4: not the URL of a package: https://example.org/c-1-0.conda",
        "x.tsv, line 5: 'd d=1=0' (expected name, version and build)",
        "x.tsv, line 6: 10 columns (expected 9)",
    ]
    with pytest.raises(CatalogueError, match=r"^x\.tsv: no column name, version, build, "):
        parse_records("", "x.tsv")
    with pytest.raises(CatalogueError, match=r"^x\.tsv: no record in it"):
        parse_records(HEADER, "x.tsv")


def test_list_and_records_of_different_packages():
    records = "\n".join((HEADER, row("a"), row("b")))
    assert [p.name for p in conda_packages("b=1=0\na=1=0", "x.txt", records, "x.tsv")] == ["a", "b"]
    with pytest.raises(CatalogueError) as caught:
        conda_packages("a=1=1\nb=1=0", "x.txt", records, "x.tsv")
    assert caught.value.message == "x.tsv: not of the packages of x.txt: a=1=0, a=1=1"
    with pytest.raises(CatalogueError, match=r"^x\.tsv: a package is there twice$"):
        conda_packages("a=1=0", "x.txt", "\n".join((HEADER, row("a"), row("a"))), "x.tsv")


@given(
    st.text() | st.from_regex(r"([a-z]+=[0-9.]+=[a-z0-9]+\n)+"),
    st.text() | st.text().map(lambda text: f"{HEADER}\n{row(text)}"),
)
def test_never_raises_anything_else(text: str, records: str):
    for parse, given_text in ((parse_conda_list, text), (parse_records, records)):
        with contextlib.suppress(CatalogueError):
            assert parse(given_text, "x")
