"""What is fuzzed: functions that take any bytes, and fail where a parser breaks its promise.

A parser raises nothing but its own error, and gives nothing that could control a terminal or begin another line.
"""

from __future__ import annotations

import contextlib
import io
import struct
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from struct import pack

from envsync.catalog import apk, binary, dpkg, homebrew, os_release, pacman, rpm
from envsync.catalog.buildvars import parse_build_variables
from envsync.catalog.conda.condarc import CondarcError, parse_channels
from envsync.catalog.conda.history import parse_history, parse_pinned
from envsync.catalog.conda.record import RecordError as CondaRecordError
from envsync.catalog.conda.record import condensed
from envsync.catalog.conda.record import parse_record as parse_conda_record
from envsync.catalog.direct_url import DirectUrlError, parse_direct_url
from envsync.catalog.distribution_files import DistributionFiles
from envsync.catalog.distributions import finish
from envsync.catalog.egg import EggError, parse_egg_link, read_zipped_egg
from envsync.catalog.identify import parse_patchlevel
from envsync.catalog.libc import parse_glibc, parse_musl
from envsync.catalog.locales import parse_archive
from envsync.catalog.metadata import only_headers, parse_entry_points, parse_headers
from envsync.catalog.passwd import find_home
from envsync.catalog.pth import parse_pth
from envsync.catalog.pyvenv import parse_pyvenv
from envsync.catalog.rpm.header import StoreError
from envsync.catalog.rpm.reasons import parse_dnf, parse_dnf5
from envsync.catalog.site import parse_site
from envsync.catalog.time_zones import parse_rule, parse_version
from envsync.elf import parse_elf
from envsync.errors import CorruptImageError, ImageError, ReferenceSyntaxError, UnsafeValueError
from envsync.image.manifest import check_layout_version, parse_config, parse_docker_manifest, parse_manifest
from envsync.image.tar import StreamSource, TarReader
from envsync.loader import parse_cache
from envsync.lock.codec import decode_snapshot
from envsync.lock.store import render_lock
from envsync.model import OsPackage, Skipped
from envsync.probe.conda_client import ClientError, parse_explicit, parse_export
from envsync.record import RecordError, parse_record
from envsync.reference import Digest, Platform, parse_reference
from envsync.rootfs.elves import elf_of_record, record_of
from tests.elves import elf
from tests.factory import snapshot
from tests.image.layers import Link, MadeImage, as_json, tar_layer

SEPARATOR = b"\n%%\n"
"""Between the files of one distribution."""

Target = Callable[[bytes], None]


def tar(data: bytes) -> None:
    """The tar reader; files of more than a MiB are not read."""
    for archive in (data, _with_right_checksums(data)):
        reader = TarReader(StreamSource(_chunks(archive)), where="layer")
        with contextlib.suppress(CorruptImageError):
            for _, entry in reader.entries():
                if entry.kind == "file" and entry.size <= 1 << 20:
                    assert len(reader.read(entry)) == entry.size


def _with_right_checksums(data: bytes) -> bytes:
    """What looks like headers, made right: hardly any change would get past the first one else."""
    repaired = bytearray(data)
    for start in range(0, len(data) - 511, 512):
        block = repaired[start : start + 512]
        if block[257:262] == b"ustar":
            repaired[start + 148 : start + 156] = b"%06o\0 " % (sum(block) - sum(block[148:156]) + 256)
    return bytes(repaired)


def _chunks(data: bytes) -> Iterator[memoryview]:
    for start in range(0, len(data), 700):
        yield memoryview(data[start : start + 700])


_FILES = ("METADATA", "WHEEL", "entry_points.txt", "direct_url.json", "requires.txt", "INSTALLER")


def metadata(data: bytes) -> None:
    """A distribution from its files to the lock that it is written to."""
    files = dict(zip(_FILES, data.split(SEPARATOR), strict=False))
    for content in files.values():
        assert parse_headers(only_headers(content), ("name",)) == parse_headers(content, ("name",))
        parse_entry_points(content)
    site = PurePosixPath("/usr/lib/python3.11/site-packages")
    other = DistributionFiles(
        location=site, path=site / "b-1.dist-info", files={"METADATA": b"Name: b\nVersion: 1\n"}, record=None
    )
    raw = DistributionFiles(location=site, path=site / "a-1.dist-info", files=files, record=None)
    try:
        found, skipped = finish((raw, other), ())
        lock = render_lock(snapshot(*found, skipped=skipped))
    except UnsafeValueError:
        return
    for text in lock.values():
        _no_controls(text.decode())
    decode_snapshot(lock["snapshot.json"], "snapshot.json")


def record(data: bytes) -> None:
    """RECORD."""
    with contextlib.suppress(RecordError):
        for entry in parse_record(data.decode("utf-8", "replace")):
            assert entry.path


def direct_url(data: bytes) -> None:
    """direct_url.json."""
    with contextlib.suppress(DirectUrlError):
        parse_direct_url(data)


def dpkg_status(data: bytes) -> None:
    """The database of dpkg."""
    _packages(*dpkg.parse_status(data))


def apk_installed(data: bytes) -> None:
    """The database of apk."""
    _packages(*apk.parse_installed(data))


def rpm_store(data: bytes) -> None:
    """A store of rpm of any kind, whole and condensed."""
    found = rpm.parse_store(data)
    _packages(found[0] or (), found[1])
    shorten = rpm.condense("/var/lib/rpm/Packages", len(data))
    assert shorten is not None
    assert rpm.parse_store(shorten(data) or b"") == found
    with contextlib.suppress(StoreError):
        parse_dnf(data)
    with contextlib.suppress(StoreError):
        parse_dnf5(data)


def os_texts(data: bytes) -> None:
    """What says why an OS package is there, and records of pacman and Homebrew."""
    _packages(*apk.parse_installed(data, world=apk.parse_world(data)))
    _packages(*dpkg.parse_status(data, automatic=dpkg.parse_extended_states(data)))
    package = pacman.parse_desc(data)
    _packages([package] if package else [], [])
    with contextlib.suppress(homebrew.ReceiptError):
        homebrew.parse_receipt(data)


def _packages(packages: Iterable[OsPackage], skipped: Iterable[Skipped]) -> None:
    for package in packages:
        for value in (package.name, package.version, package.architecture, package.source):
            assert value.isascii()
            assert value.isprintable()
            assert value
            assert " " not in value
    for note in skipped:
        _no_controls(note.subject + note.place + note.reason)


def egg(data: bytes) -> None:
    """A zipped egg."""
    with contextlib.suppress(EggError):
        for content in read_zipped_egg(data, {"PKG-INFO": 1000}).values():
            assert len(content) <= 1000


def texts(data: bytes) -> None:
    """Small files that interpreters are found by."""
    text = data.decode("utf-8", "replace")
    release = os_release.parse(text)
    _no_controls(release.label + release.codename + "".join(release.id_like))
    _no_controls(parse_pyvenv(text).version or "")
    for utf8 in (True, False):
        parse_pth(data, utf8=utf8)
    parse_site(text, (3, 11))
    parse_build_variables(text)
    parse_patchlevel(text)
    parse_egg_link(data)
    find_home(text, "1000")


def program(data: bytes) -> None:
    """Executables and libraries."""
    binary.find_series(data)
    binary.find_versions(data, (3, 11))
    binary.find_library(data)
    binary.find_search_path(data)
    for folder in binary.find_folders(data):
        assert folder.startswith("/")
    parse_glibc(data)
    parse_musl(data)


def shared_objects(data: bytes) -> None:
    """ELF files, as they are kept of a layer too, and ``ld.so.cache``."""
    found = parse_elf(data)
    assert found == parse_elf(io.BytesIO(data))
    if found is not None:
        assert elf_of_record(record_of(found) or b"") == found
        names = (*found.needed, *found.rpath, *found.runpath, *found.version_needed, *found.version_defined)
        for text in (*names, found.soname or "", found.interpreter or ""):
            _no_controls(text)
            assert "\n" not in text
    for paths in parse_cache(data).values():
        assert all(path.startswith("/") for path in paths)


def reference(data: bytes) -> None:
    """What a user types for an image, a platform or a digest."""
    text = data.decode("utf-8", "replace")
    for parse in (parse_reference, Platform.parse, Digest):
        with contextlib.suppress(ReferenceSyntaxError):
            found = str(parse(text))
            # Blanks around what a user typed are none of it, but a name may begin with one, or end so.
            assert found != found.strip() or str(parse(found)) == found


def manifest(data: bytes) -> None:
    """Manifests, indexes and configs."""
    for parse in (parse_manifest, parse_config, parse_docker_manifest, check_layout_version):
        with contextlib.suppress(ImageError):
            parse(data, where="it")


def resources(data: bytes) -> None:
    """The archive of locales, time zones, and the version of their data."""
    for text in (*parse_archive(data), parse_rule(data) or "", parse_version(data) or ""):
        _no_controls(text)


def conda_record(data: bytes) -> None:
    """A record of ``conda-meta`` and its ``paths_data``, whole and condensed."""
    try:
        found = parse_conda_record(data)
    except CondaRecordError as error:
        _no_controls(error.message)
        return
    assert parse_conda_record(condensed(data)) == found
    package = found.package
    for text in (package.name, package.version, package.build, package.channel, package.subdir, package.url):
        _one_word(text)
    for text in (*package.depends, *package.constrains):
        _no_controls(text)
        assert "\n" not in text
    for path in found.files:
        assert PurePosixPath("/p", path).is_relative_to("/p")
        assert ".." not in path.split("/")


def conda_texts(data: bytes) -> None:
    """History, pinned specs and ``.condarc``."""
    for text in (*parse_history(data), *parse_pinned(data)):
        assert text.isascii()
        assert text.isprintable()
        assert "://" not in text
    try:
        for channel in parse_channels(data):
            _one_word(channel)
            assert "@" not in channel.partition("://")[2].partition("/")[0]
    except CondarcError as error:
        _no_controls(error.message)


def conda_client(data: bytes) -> None:
    """What an image's own conda prints."""
    with contextlib.suppress(ClientError):
        for line in parse_explicit(data.decode("utf-8", "replace")).packages:
            _one_word(line)
    with contextlib.suppress(ClientError):
        told = parse_export(data)
        for text in (*told.packages, *(word for pair in told.pip or () for word in pair)):
            _one_word(text)


def _one_word(text: str) -> None:
    assert text
    assert text.isascii()
    assert text.isprintable()
    assert " " not in text


TARGETS: dict[str, Target] = {
    "tar": tar,
    "metadata": metadata,
    "record": record,
    "url": direct_url,
    "dpkg": dpkg_status,
    "apk": apk_installed,
    "rpm": rpm_store,
    "os-texts": os_texts,
    "egg": egg,
    "texts": texts,
    "program": program,
    "shared-objects": shared_objects,
    "reference": reference,
    "manifest": manifest,
    "resources": resources,
    "conda-record": conda_record,
    "conda-texts": conda_texts,
    "conda-client": conda_client,
}


def seeds(name: str) -> list[bytes]:
    """Inputs that a fuzzer begins with: sound ones, and what was found earlier."""
    return [*_sound().get(name, []), *(path.read_bytes() for path in sorted((FOUND / name).glob("*")))]


_DATA = Path(__file__).parents[1] / "catalog/data"

FOUND = Path(__file__).with_name("found")
"""Inputs that broke a promise once, in a folder for each target."""


def _sound() -> dict[str, list[bytes]]:
    image = MadeImage(layers=[b"x"], process={"Env": ["A=1"], "User": "1", "WorkingDir": "/w"})
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("EGG-INFO/PKG-INFO", b"Name: a")
    distribution = SEPARATOR.join(
        [
            b"Name: a\nVersion: 1.0\nRequires-Dist: b[x]>=1,<2; extra == 'y'\nRequires-Python: >3\n\n",
            b"Wheel-Version: 1.0\nTag: py3-none-any\n",
            b"[console_scripts]\na = a.b:main [x]\n",
            b'{"url": "https://u:p@e.org/a.whl", "archive_info": {"hash": "sha256=12", "hashes": {"sha256": "12"}}}',
            b"b\n[x:python_version<'3']\nc\n",
            b"pip\n",
        ]
    )
    return {
        "tar": [tar_layer({"a/b": b"1", "l": Link("a/b"), "n" * 80: b"2"}, form) for form in (0, 1, 2)],
        "metadata": [distribution],
        "record": [b'a.py,sha256=AbC-_,12\n"b,c.py",,\r\n../d,md5=x,\n'],
        "url": [b'{"url": "git+ssh://git@e.org/r", "vcs_info": {"vcs": "git", "commit_id": "1"}, "subdirectory": "s"}'],
        "dpkg": [
            b"Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: b\nSource: c (1)\n\nPackage: d\n"
        ],
        "resources": [
            b"\x09\x01\x02\xde" + pack("<7I", 1, 20, 1, 1, 1, 32, 9) + b"en_US.utf8\0",
            b"TZif2" + bytes(39) + b"TZif2\nCET-1CEST,M3.5.0,M10.5.0/3\n",
            b"# version 2024a\n",
        ],
        "apk": [b"C:Q1=\nP:musl\nV:1.2.5-r0\nA:x86_64\no:musl\n\nP:b\n"],
        "rpm": [path.read_bytes() for path in sorted(_DATA.glob("rpm/*Packages*")) if path.is_file()]
        + [(_DATA / "rpm/rpmdb.sqlite").read_bytes(), (_DATA / "dnf/history.sqlite").read_bytes()],
        "os-texts": [
            b"Package: a\nArchitecture: b\nAuto-Installed: 1\n\nPackage: c\nVersion: 1\nArchitecture: all\n",
            b"P:a\nV:1\np:b=1 c\n\nb>=1\n",
            b"%NAME%\na\n\n%VERSION%\n1-1\n\n%ARCH%\nany\n\n%REASON%\n1\n",
            b'{"installed_on_request": true, "arch": "arm64"}',
        ],
        "egg": [zipped.getvalue()],
        "texts": [
            b'ID=debian\nPRETTY_NAME="a \\" b"\nVERSION="9 (stretch)"\n',
            b"home = /usr/bin\nversion_info = 3.11.1.final.0\n",
            b"/a\nimport sys; sys.__plen = len(sys.path)\nimport _virtualenv\n",
            b"'SOABI': 'cpython-311-x86_64-linux-gnu'\n#define PY_VERSION \"3.11.1\"\n",
            b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:\n",
        ],
        "program": [
            b"\x7fELF\0libpython3.11.so.1.0\0003.11.1\0/usr/local\0:plat-linux2:lib-tk\0",
            b"GNU C Library (x) stable release version 2.36.\nmusl libc\0001.2.5\0",
        ],
        "shared-objects": [
            elf("libc.so.6", soname="a", rpath="/b", runpath="$ORIGIN", asks={"libc.so.6": ["V1"]}, defines=["A1"]),
            b"glibc-ld.so.cache1.1\1\0\0\0\7\0\0\0\2"
            + bytes(19)
            + struct.pack("<iIIIQ", 3, 72, 74, 0, 0)
            + b"a\0/b/a\0",
        ],
        "reference": [b"localhost:5000/a/b:1@sha256:" + b"0" * 64, b"docker-archive:a.tar:b:1", b"linux/arm64/v8"],
        "manifest": [
            image.manifest,
            image.config,
            as_json([{"Config": "a.json", "RepoTags": ["a:1"], "Layers": ["b/layer.tar"]}]),
            b'{"imageLayoutVersion": "1.0.0"}',
        ],
        "conda-record": [
            b'{"name": "six", "version": "1.12.0", "build": "py37_0", "build_number": 0, "md5": "ab", "size": 1,'
            b' "url": "https://u:p@h.example/t/tk-1/c/noarch/six-1.12.0-py37_0.conda", "noarch": "python",'
            b' "depends": ["python >=3.7"], "files": ["a"], "paths_data": {"paths_version": 1, "paths": ['
            b'{"_path": "lib/six-1.dist-info/RECORD", "path_type": "hardlink", "sha256": "a", "sha256_in_prefix": "b"},'
            b'{"_path": "bin/six", "path_type": "softlink"}]}}',
            b'{"name": "a", "version": "1", "build_string": "0", "channel": "defaults", "subdir": "linux-64",'
            b' "fn": "a-1-0.tar.bz2", "files": ["../x", "lib/a.py"], "noarch": true}',
        ],
        "conda-texts": [
            b"==> 2019-04-10 <==\n# update specs: ['python=3.7', \"c::b[version='>=1']\"]\n# remove specs: a, b\n",
            b"channels: [conda-forge, 'https://u:p@h.example/t/tk-1/c', defaults]\nssl_verify: no\n",
            b"a: &a [c]\nchannels: *a\n",
        ],
        "conda-client": [
            b"# platform: linux-64\n@EXPLICIT\nhttps://u:p@h.example/t/tk/c/noarch/a-1-0.conda#" + b"0a" * 16 + b"\n",
            b"name: base\ndependencies:\n  - c::a=1=0\n  - pip:\n      - six==1.16.0\nprefix: /opt/conda\n",
        ],
    }


def _no_controls(text: str) -> None:
    for char in text:
        assert char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), repr(text)
