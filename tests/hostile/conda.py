"""Images whose conda environments lie, or cost far more to understand than to make."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.hostile.images import (
    END,
    SYSTEM,
    Case,
    Layer,
    Part,
    Zeros,
    config_of,
    file,
    gzipped,
    header,
    packed,
    python,
    save,
    symlink,
)

MIB = 1 << 20
PREFIX = "opt/conda"
META = f"{PREFIX}/conda-meta"
_PATH = {"Env": ["PATH=/opt/conda/bin:/usr/bin"]}
_NONE = "no record of conda's: "
_TOO_MANY = "lists more files than any honest package has"
_BOMB = "nested deeper, or with more aliases, than any honest file"
_HISTORY = file(f"{META}/history", b"# update specs: ['six', \"a\\x1b[2J\", 'b\\nc', 'python=3.11']\n")


def _record(name: str = "six", **changes: Any) -> bytes:
    url = f"https://conda.example/c/noarch/{name}-1-0.conda"
    return json.dumps({"name": name, "version": "1", "build": "0", "url": url, **changes}).encode()


def _json(**more: bytes) -> bytes:
    """The same with fields that are written by hand."""
    return _record()[:-1] + b"".join(b', "%s": %s' % (key.encode(), value) for key, value in more.items()) + b"}"


def _in_meta(**files: bytes) -> bytes:
    """``_`` in a name stands for a hyphen."""
    return b"".join(file(f"{META}/{name.replace('_', '-')}-1-0.json", data) for name, data in files.items())


def _layer(*parts: Part) -> Layer:
    return gzipped(SYSTEM, python(PREFIX), _HISTORY, *parts, END)


def _image(*parts: Part) -> Callable[[Path], None]:
    """Writes an image of a conda environment that is right but for ``parts``."""

    def make(out: Path) -> None:
        layer = _layer(*parts)
        save(out, layer, config=config_of(layer, config=_PATH))

    return make


def _streamed(parts: Callable[[], Iterator[bytes]]) -> Callable[[Path], None]:
    """See :func:`_image`; for more parts than fit into memory."""

    def make(out: Path) -> None:
        layer = packed(part for group in ([SYSTEM, python(PREFIX), _HISTORY], parts(), [END]) for part in group)
        save(out, layer, config=config_of(layer, config=_PATH))

    return make


def _at(name: str, reason: str) -> tuple[str, str]:
    return f"/{META}/{name}", reason


def _larger(path: str, limit: int) -> tuple[str, str]:
    return f"/{path}", f"/{path}: larger than {limit} bytes"


def _many_records() -> Iterator[bytes]:
    for start in range(0, 100_000, 1000):
        yield b"".join(file(f"{META}/r{n}-1-0.json", _record(f"r{n}")) for n in range(start, start + 1000))


def _long_records() -> Iterator[bytes]:
    """Each as long as may be; together two gigabytes."""
    for number in range(64):
        data = _record(f"r{number}")[:-1] + b', "x": "' + b"y" * (32 * MIB - 200) + b'"}'
        yield file(f"{META}/r{number}-1-0.json", data)


def _listing_records() -> Iterator[bytes]:
    """Hundreds of records with as many files as one may have."""
    row = b'{"_path": "lib/%06d", "sha256": "' + b"a" * 64 + b'"}'
    rows = b",".join(row % n for n in range(79_000))
    for number in range(64):
        data = _record(f"r{number}")[:-1] + b', "paths_data": {"paths": [' + rows + b"]}}"
        yield file(f"{META}/r{number}-1-0.json", data)


def _many_prefixes() -> Iterator[bytes]:
    for start in range(0, 10_000, 500):
        yield b"".join(
            file(f"{PREFIX}/envs/x{n}/conda-meta/history") + file(f"{PREFIX}/envs/x{n}/conda-meta/a-1-0.json", b"{")
            for n in range(start, start + 500)
        )


_URLS = {
    "credentials": "https://user:secret@conda.example/t/tk-secret/c/noarch/six-1-0.conda",
    "newline": "https://conda.example/c/noarch/six-1-0.conda\n- evil",
    "file": "file:///etc/passwd",
    "climbing": "https://conda.example/../../noarch/six-1-0.conda",
}

RECORDS = (
    Case(
        "100,000 records",
        _streamed(_many_records),
        1,
        skipped=(("/", f"/{META}: 100000 records, more than any honest image has: 5000 are read"),),
    ),
    Case(
        "a record of 60 MB",
        _image(header(f"{META}/six-1-0.json", size=60 * MIB), Zeros(60 * MIB)),
        1,
        skipped=(_larger(f"{META}/six-1-0.json", 32 * MIB),),
    ),
    Case(
        "a record of 300 MB",
        _image(header(f"{META}/six-1-0.json", size=300 * MIB), Zeros(300 * MIB)),
        1,
        skipped=(_larger(f"{META}/six-1-0.json", 32 * MIB),),
    ),
    Case("records of two gigabytes", _streamed(_long_records), 1, more=True),
    Case("records of five million files", _streamed(_listing_records), 1, more=True),
    Case(
        "records that are no JSON, or far too much of it",
        _image(
            _in_meta(
                deep=_json(x=b"[" * 100_000 + b"]" * 100_000),
                deeper=b"[" * 1_000_000,
                nan=_json(size=b"NaN"),
                huge=_json(size=b"9" * 5000),
                twice=_json(name=b'"twice"', version=b'"2"'),
                surrogate=_json(md5=b'"\\ud800"'),
                binary=bytes(range(256)) * 100,
                nothing=b"",
            )
        ),
        1,
        skipped=(
            _at("binary-1-0.json", _NONE),
            _at("deep-1-0.json", _NONE),
            _at("deeper-1-0.json", _NONE),
            _at("huge-1-0.json", _NONE),
            _at("nan-1-0.json", _NONE),
            _at("nothing-1-0.json", _NONE),
            _at("surrogate-1-0.json", _NONE),
            _at("twice-1-0.json", "its name is not that of the package which it describes"),
        ),
    ),
    Case(
        "records with names that are none",
        _image(
            _in_meta(
                newline=_record("a\n  - evil"),
                climbing=_record("../../x"),
                controls=_record("a\x1b[2J\u202eb"),
                spaces=_record("a b"),
                option=_record("--evil"),
                empty=_record(""),
                long=_record("a" * 300),
            )
        ),
        1,
        skipped=(
            _at("climbing-1-0.json", "the name “../../x” is none"),
            _at("controls-1-0.json", "the name “a\\x1b[2J\\u202eb” is none"),
            _at("empty-1-0.json", "the name “” is none"),
            _at("long-1-0.json", "the name “aaa"),
            _at("newline-1-0.json", "the name “a\\n  - evil” is none"),
            _at("option-1-0.json", "the name “--evil” is none"),
            _at("spaces-1-0.json", "the name “a b” is none"),
        ),
    ),
    Case(
        "records with URLs that lead elsewhere",
        _image(_in_meta(**{name: _record(name, url=url) for name, url in _URLS.items() if name != "climbing"})),
        1,
        skipped=(
            _at(
                "file-1-0.json", "nothing tells where the package is from: not the URL of a package: file:///etc/passwd"
            ),
            _at("newline-1-0.json", "nothing tells where the package is from: not the URL of a package"),
        ),
    ),
    Case(
        "a record whose URL climbs",
        _image(_in_meta(climbing=_record("climbing", url=_URLS["climbing"]))),
        2,
        said=("unsafe channel", "Nothing was written."),
    ),
    Case(
        "paths that lead out of the prefix",
        _image(
            _in_meta(
                six=_record(
                    paths_data={"paths": [{"_path": p} for p in ("../../../etc/passwd", "/root", "a/../../b")]}
                ),
                old=_record("old", files=["../../etc/passwd", "/etc/shadow", "a\0b", "x" * 5000, ""]),
            )
        ),
        0,
    ),
    Case(
        "five million paths",
        _image(
            _in_meta(
                objects=_json(paths_data=b'{"paths": [' + b'{"_path":""},' * 2_000_000 + b'{"_path":""}]}'),
                strings=_json(files=b"[" + b'"",' * 5_000_000 + b'""]'),
            )
        ),
        1,
        skipped=(_at("objects-1-0.json", _TOO_MANY), _at("strings-1-0.json", _TOO_MANY)),
    ),
)

AROUND = (
    Case(
        "a history and pins of 200 MB",
        _image(
            _in_meta(six=_record()),
            header(f"{META}/history", size=200 * MIB),
            Zeros(200 * MIB),
            header(f"{META}/pinned", size=200 * MIB),
            Zeros(200 * MIB),
        ),
        1,
        skipped=(
            _larger(f"{META}/history", 4 * MIB),
            ("/" + META + "/history", "not there: which packages were asked for is not known"),
            _larger(f"{META}/pinned", 4 * MIB),
        ),
    ),
    Case(
        "a history of a million specs, and pins that are none",
        _image(
            _in_meta(six=_record()),
            file(f"{META}/history", b"".join(b"# update specs: ['a%d', 'b']\n" % n for n in range(130_000))),
            file(
                f"{META}/pinned", b"six 1\n\x1b[2J\n- evil\n--evil\n a\x00b\n" + b"x" * 100_000 + b"\nhttps://u:p@h/x\n"
            ),
        ),
        0,
    ),
    Case(
        "a .condarc that is a bomb",
        _image(
            _in_meta(six=_record()),
            file(f"{PREFIX}/.condarc", b"a: &a [1]\n" + b"b: &b {<<: [*a, *a]}\n" * 60),
            file("root/.condarc", b"channels: " + b"[" * 60_000),
            file("etc/conda/.condarc", b"channels: !!python/object/apply:os.system ['touch /tmp/evil']\n"),
            file("etc/conda/condarc", b"channels: ['https://u:secret@h/c', \"a\\n- evil\"]\n"),
        ),
        1,
        skipped=(
            (f"/{PREFIX}/.condarc", "channels: a\\n- evil: neither"),
            (f"/{PREFIX}/.condarc", _BOMB),
            (f"/{PREFIX}/.condarc", "no YAML that can be read"),
        ),
    ),
    Case(
        "a conda-meta in a circle, and one that is the whole image",
        _image(
            _in_meta(six=_record()),
            symlink("a/conda-meta", "/b/conda-meta"),
            symlink("b/conda-meta", "/a/conda-meta"),
            symlink("c/conda-meta", "/"),
            symlink("d/conda-meta", "."),
            symlink(f"{META}/loop-1-0.json", "loop-1-0.json"),
            symlink(f"{META}/out-1-0.json", "../../../../../etc/os-release"),
            file("history", b"x"),
        ),
        1,
        skipped=(
            _at("loop-1-0.json", f"/{META}/loop-1-0.json: does not exist in the image"),
            _at("out-1-0.json", _NONE),
        ),
    ),
    Case(
        "pipes and folders in the place of records",
        _image(
            _in_meta(six=_record()),
            header(f"{META}/pipe-1-0.json", b"6"),
            header(f"{META}/device-1-0.json", b"3"),
            header(f"{META}/folder-1-0.json/", b"5", mode=0o755),
            header(f"{META}/pinned", b"6"),
            header("root/.condarc", b"6"),
        ),
        1,
        skipped=(
            _at("device-1-0.json", f"/{META}/device-1-0.json: not a regular file"),
            _at("folder-1-0.json", f"/{META}/folder-1-0.json: not a regular file"),
            _at("pinned", f"/{META}/pinned: not a regular file"),
            _at("pipe-1-0.json", f"/{META}/pipe-1-0.json: not a regular file"),
            ("/root/.condarc", "/root/.condarc: not a regular file"),
        ),
    ),
    Case(
        "10,000 conda environments",
        _streamed(_many_prefixes),
        1,
        skipped=(("/", "10001 conda environments, more than any honest image has: 200 are described"),),
        more=True,
    ),
)

CASES = (*RECORDS, *AROUND)
