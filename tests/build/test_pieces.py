"""The small parts: what is installed, clones, corrected RECORDs, markers, variables, places."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
from datetime import datetime, timezone
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.build.build_tools import build_tools
from envsync.build.circumstances import circumstances
from envsync.build.clone import clone
from envsync.build.environ import tool_environment
from envsync.build.installed import Installed, is_satisfied, read_installed
from envsync.build.marker import LockIdentity, Marker, encode_marker, found_lacking, parse_marker, read_marker
from envsync.build.plan import FromIndex, FromUrl, NotReproducible, Plan
from envsync.build.relocate import correct_record, relocate
from envsync.build.target import absolute_target
from envsync.build.venv import difference
from envsync.errors import LockError
from envsync.model import ArchiveOrigin, DirectoryOrigin, LocalSource, Origin, VcsOrigin
from envsync.process import run
from envsync.reference import Digest
from tests.build.making import lock, tree
from tests.factory import snapshot, source

DIGEST = Digest("sha256:" + "a" * 64)


# --- installed --------------------------------------------------------------------------------------------


def test_distributions_are_read_from_folder_names(tmp_path: Path) -> None:
    place = tmp_path / "lib" / "python3.9" / "site-packages"
    names = [
        "ruamel.yaml-0.18.6.dist-info",
        "zope.interface-5.4.0-py3.9.egg-info",
        "my-old-name-1.0.egg-info",
        "x.egg-link",
    ]
    for name in [*names, "__pycache__", "six.py", "~ix-1.0.dist-info", "readme-txt"]:
        (place / name).mkdir(parents=True)
    (place / names[0] / "direct_url.json").write_text('{"url": "file:///x", "dir_info": {}}')
    (place / names[2] / "direct_url.json").write_text("{")
    assert read_installed(tmp_path) == (
        Installed(name="my-old-name", version="1.0", origin=DirectoryOrigin(url=""), folder=names[2]),
        Installed(name="ruamel-yaml", version="0.18.6", origin=DirectoryOrigin(url="file:///x"), folder=names[0]),
        Installed(name="x", version=""),
        Installed(name="zope-interface", version="5.4.0", folder=names[1]),
    )
    assert read_installed(tmp_path / "nowhere") == ()


VCS = VcsOrigin(url="https://e.org/x", vcs="git", commit="1" * 40)
WEB = ArchiveOrigin(url="https://e.org/x.zip", hashes=("sha256=1",))


@pytest.mark.parametrize(
    ("wanted", "found", "same"),
    [
        (None, None, True),
        (None, WEB, False),
        (None, DirectoryOrigin(url="file:///x", editable=True), False),
        (VCS, None, False),
        (VCS, VcsOrigin(url="https://e.org/x", vcs="git", commit="1" * 40, requested_revision="main"), True),
        (VCS, VcsOrigin(url="https://e.org/x", vcs="git", commit="2" * 40), False),
        (VCS, VcsOrigin(url="https://e.org/y", vcs="git", commit="1" * 40), False),
        (WEB, ArchiveOrigin(url="https://e.org/x.zip"), True),
        (WEB, ArchiveOrigin(url="https://e.org/x.zip", hashes=("md5=3",)), True),
        (WEB, ArchiveOrigin(url="https://e.org/x.zip", hashes=("sha256=2",)), False),
        (WEB, VCS, False),
    ],
)
def test_an_origin_is_part_of_what_is_installed(
    wanted: VcsOrigin | ArchiveOrigin | None, found: Origin | None, same: bool
) -> None:
    part = (
        FromIndex(name="x", version="1.0")
        if wanted is None
        else FromUrl(name="x", version="1.0", origin=wanted, requirement="")
    )
    assert is_satisfied(part, Installed(name="x", version="1.0", origin=found)) is same
    assert is_satisfied(part, Installed(name="x", version="1", origin=found)) is same
    assert not is_satisfied(part, Installed(name="x", version="2", origin=found))


def test_differences() -> None:
    wanted = tuple(FromIndex(name=name, version="1") for name in ("Same", "changed", "twice", "missing"))
    there = [("same", "1.0"), ("changed", "2"), ("twice", "1"), ("twice", "2"), ("extra", "1")]
    change = difference(wanted, tuple(Installed(name=name, version=version) for name, version in there))
    assert (change.missing, change.stale, change.extra) == ({"missing"}, {"changed", "twice"}, {"extra"})


# --- clone and relocation ---------------------------------------------------------------------------------


def test_a_clone_shares_files_but_not_those_that_are_edited(tmp_path: Path) -> None:
    old = tmp_path / "old"
    (old / "a" / "b").mkdir(parents=True)
    (old / "a" / "b" / "file").write_text("x")
    (old / "a" / "tool").write_text("x")
    (old / "a" / "tool").chmod(0o755)
    (old / "a" / "easy-install.pth").write_text("x")
    (old / "pyvenv.cfg").write_text("x")
    (old / "lib64").symlink_to("lib")
    (old / "dangling").symlink_to("/nowhere")
    os.mkfifo(old / "pipe")
    new = tmp_path / "new"
    new.mkdir()
    clone(old, new)
    (old / "pipe").unlink()
    assert tree(new) == tree(old)
    shared = {name for name in ("a/b/file", "a/tool", "a/easy-install.pth", "pyvenv.cfg") if _same(old, new, name)}
    assert shared == {"a/b/file", "a/tool"}


def _same(old: Path, new: Path, name: str) -> bool:
    return (old / name).stat().st_ino == (new / name).stat().st_ino


def test_relocation_replaces_files_that_are_shared(tmp_path: Path) -> None:
    """uv hard-links scripts from its cache: writing into them would damage every environment of this machine."""
    env = tmp_path / ".envsync-env.1-0a1b2c3d"
    (env / "bin").mkdir(parents=True)
    place = env / "lib" / "python3.9" / "site-packages"
    (place / "x-1.0.dist-info").mkdir(parents=True)
    script = env / "bin" / "x,y"
    script.write_text(f"#!{env}/bin/python\nx\n")
    script.chmod(0o755)
    (env / "bin" / "program").write_bytes(b"\x7fELF" + os.fsencode(env))
    (place / "x.pth").write_text(f"{env}/src\n")
    (env / "pyvenv.cfg").write_text("home = /usr/bin\n")
    record = place / "x-1.0.dist-info" / "RECORD"
    record.write_text(
        '"../../../bin/x,y",sha256=' + "A" * 43 + ",9\nx.pth,sha256=" + "B" * 43 + ",1\nx.py,sha256=C,1\n"
    )
    cached = tmp_path / "cached"
    os.link(script, cached)
    changed = relocate(env, staged_as=env, target=tmp_path / "env")
    assert sorted(path.name for path in changed) == ["x,y", "x.pth"]
    assert cached.read_text() == f"#!{env}/bin/python\nx\n"
    assert script.read_text() == f"#!{tmp_path}/env/bin/python\nx\n"
    assert script.stat().st_mode & 0o777 == 0o755
    assert (place / "x.pth").read_text() == f"{tmp_path}/env/src\n"
    rows = list(csv.reader(record.read_text().splitlines()))
    assert rows == [
        ["../../../bin/x,y", _hash(script.read_bytes()), str(script.stat().st_size)],
        ["x.pth", _hash((place / "x.pth").read_bytes()), str((place / "x.pth").stat().st_size)],
        ["x.py", "sha256=C", "1"],
    ]


def _hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def test_a_parent_with_the_same_beginning_is_left_alone(tmp_path: Path) -> None:
    env = tmp_path / ".envsync-x" / ".envsync-env.1-0a1b2c3d"
    (env / "bin").mkdir(parents=True)
    (env / "bin" / "x").write_text(f"VIRTUAL_ENV='{env}'\n")
    relocate(env, staged_as=env, target=env.parent / "env")
    assert (env / "bin" / "x").read_text() == f"VIRTUAL_ENV='{env.parent}/env'\n"


@given(st.binary(max_size=300), st.dictionaries(st.text(min_size=1, max_size=5), st.binary(max_size=5), max_size=3))
def test_any_record_can_be_corrected(record: bytes, contents: dict[str, bytes]) -> None:
    new = correct_record(record, contents)
    assert correct_record(record, {}) == record
    assert correct_record(new, contents) == new


# --- marker -----------------------------------------------------------------------------------------------


IDENTITY = LockIdentity(
    reference="a:1", digest=DIGEST, config_digest=DIGEST, snapshot=DIGEST, directory="lockfiles/a/1"
)
MARKER = Marker(
    environment="/x/.venv",
    lock=IDENTITY,
    python="3.9.18",
    backend="uv",
    not_reproducible=(NotReproducible(name="x", version="1", reason="y"),),
)


def test_a_marker_survives_writing_and_reading(tmp_path: Path) -> None:
    (tmp_path / "envsync.json").write_bytes(encode_marker(MARKER))
    assert read_marker(tmp_path) == MARKER
    written = json.loads(encode_marker(MARKER))
    assert (written["schema"], written["lock"]["digest"]) == (1, DIGEST)
    assert "envsync" in written
    assert read_marker(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "damaged: "),
        (b"[]", "damaged: Expected `object`, got `array`"),
        (b'{"schema": 1}', "damaged: Object missing required field `environment`"),
        (b'{"schema": 2, "future": 1}', r"schema 2 is newer than this envsync knows \(expected 1\)"),
        (encode_marker(MARKER).replace(b"sha256:", b"md5:"), "damaged: digest 'md5:"),
    ],
)
def test_markers_that_cannot_be_trusted(data: bytes, text: str) -> None:
    with pytest.raises(LockError, match=f"^{text}"):
        parse_marker(data)


@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(msgspec.json.encode))
def test_any_marker_is_read_or_refused(data: bytes) -> None:
    with pytest.raises(LockError):
        parse_marker(data)


def test_the_identity_of_a_lock() -> None:
    image = LockIdentity.of(snapshot(source=source(digest=DIGEST)), snapshot_json=b"{}", directory="d")
    assert (image.reference, image.digest, image.published_list) == ("acme/app:1", DIGEST, False)
    assert image.snapshot == f"sha256:{hashlib.sha256(b'{}').hexdigest()}"
    published = LockIdentity.of(lock(), snapshot_json=b"{}", directory="d")
    assert (published.published_list, published.digest, published.config_digest) == (True, None, None)
    with pytest.raises(LockError, match=r"d: describes a local environment \(expected the lock of an image\)"):
        LockIdentity.of(snapshot(source=LocalSource(path="/x")), snapshot_json=b"{}", directory="d")


# --- variables, places, tools -----------------------------------------------------------------------------


def test_the_index_configuration_stays_and_the_rest_goes() -> None:
    kept = {
        "UV_INDEX": "x",
        "UV_INDEX_CORP_PASSWORD": "x",
        "UV_DEFAULT_INDEX": "x",
        "UV_EXTRA_INDEX_URL": "x",
        "UV_FIND_LINKS": "x",
        "UV_CACHE_DIR": "x",
        "PIP_INDEX_URL": "x",
        "PIP_FIND_LINKS": "x",
        "PIP_CONFIG_FILE": "x",
        "SSL_CERT_FILE": "x",
        "HTTPS_PROXY": "x",
        "HOME": "x",
    }
    removed = ["VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PIP_TARGET", "PIP_PREFIX"]
    removed += ["UV_SYSTEM_PYTHON", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_PYTHON", "UV_EXCLUDE_NEWER", "PIP_NO_BINARY"]
    changes = tool_environment({**kept, **dict.fromkeys(removed, "x")})
    assert not set(kept) & set(changes)
    assert {name for name, value in changes.items() if value is None} == set(removed)
    assert changes["PIP_CONSTRAINT"] == os.devnull


def test_a_variable_can_be_removed_from_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVSYNC_TEST", "x")
    script = ["sh", "-c", "echo ${ENVSYNC_TEST-unset}"]
    assert run(script, timeout=10).stdout == "x\n"
    assert run(script, timeout=10, env={"ENVSYNC_TEST": None}).stdout == "unset\n"


def test_targets_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    assert absolute_target(Path(".venv")) == tmp_path / ".venv"
    assert absolute_target(Path("linked/.venv")) == tmp_path / "linked" / ".venv"
    assert absolute_target(Path("linked/../x")) == tmp_path / "x"
    assert absolute_target(Path("linked")) == tmp_path / "real"
    assert absolute_target(Path()) == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    assert absolute_target(Path("~/env")) == tmp_path / "env"


def test_build_tools_of_old_sdists() -> None:
    assert build_tools("3.7.16", ()) == ("setuptools<58", "wheel<0.46")
    assert build_tools("3.12.1", ()) == ("setuptools<81", "wheel<0.46")
    assert build_tools("3.9", (FromIndex(name="Setuptools", version="57"),)) == ("wheel<0.46",)
    assert build_tools("3.12.1", (), dated=True) == ("setuptools", "wheel")


# --- another try -------------------------------------------------------------------------------------------


def test_what_was_tried_under_other_circumstances_is_tried_again() -> None:
    absent = NotReproducible(name="a", version="1", reason="of the image itself")
    failed = NotReproducible(name="b", version="1", reason="its build failed", tried="then")
    lock_id = LockIdentity(reference="r", snapshot=DIGEST, directory="d")
    marker = Marker(environment="/e", lock=lock_id, python="3.9", backend="uv", not_reproducible=(absent, failed))
    assert parse_marker(encode_marker(marker)) == marker
    assert found_lacking(marker, lock_id, Plan(parts=()), now="then") == (absent, failed)
    assert found_lacking(marker, lock_id, Plan(parts=()), now="now") == (absent,)
    other = LockIdentity(reference="r", snapshot=Digest("sha256:" + "b" * 64), directory="d")
    assert found_lacking(marker, other, Plan(parts=()), now="then") == ()


def test_circumstances_are_what_could_make_a_build_work(tmp_path: Path) -> None:
    env, programs, settings = tmp_path / "env", tmp_path / "bin", tmp_path / "uv.toml"
    (env / "bin").mkdir(parents=True)
    programs.mkdir()
    environ = {"PATH": f"{env}/bin:{programs}:relative", "UV_INDEX_URL": "x", "HOME": "/a"}

    def now(as_of: datetime | None = None, **variables: str) -> str:
        return circumstances({**environ, **variables}, env, as_of=as_of, settings=(str(settings),))

    first = now()
    (env / "bin" / "pip").touch()
    assert now(HOME="/b", UV_DEFAULT_INDEX_URL="y") == first
    found = [now(datetime(2019, 7, 16, tzinfo=timezone.utc)), now(UV_INDEX="https://a:b@e.org/simple")]
    assert now(UV_INDEX="https://a:secret@e.org/simple") == found[1]
    settings.touch()
    found.append(now())
    (programs / "gcc").touch()
    os.utime(programs, ns=(1, 1))
    found.append(now())
    assert len({first, *found}) == 5
