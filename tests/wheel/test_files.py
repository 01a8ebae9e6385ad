"""Which files are told, of installations as they should be and as nobody's installer leaves them."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from envsync.model import DirectoryOrigin
from envsync.wheel.parts import RepackError
from tests.wheel.trees import SITE, contents, look, made, row, targets, told, wheel_tree, write

PKG_INFO = b"Metadata-Version: 1.1\nName: six\nVersion: 1.0\n"
INFO = "six-1.0.dist-info"


def test_what_installers_generate_is_left_out(tmp_path: Path) -> None:
    files = {
        f"{INFO}/INSTALLER": b"pip\n",
        f"{INFO}/REQUESTED": b"",
        f"{INFO}/entry_points.txt": b"[console_scripts]\nsix = six:main\n",
        f"{INFO}/licenses/LICENSE": b"MIT\n",
        "__pycache__/six.cpython-39.pyc": b"made",
        "only.pyc": b"has no source",
        "six.pyc": b"made by Python 2",
        "../../../bin/six": b"#!/usr/bin/python3\n",
        "../../../bin/six3.9": b"#!/usr/bin/python3\n",
        "../../../bin/sixth": b"#!/usr/bin/python3\n",
    }
    assert targets(told(wheel_tree(tmp_path, files))) == [
        "only.pyc",
        "six-1.0.data/scripts/sixth",
        "six-1.0.dist-info/METADATA",
        "six-1.0.dist-info/entry_points.txt",
        "six-1.0.dist-info/licenses/LICENSE",
        "six.py",
    ]


def test_each_folder_below_the_prefix_has_its_place(tmp_path: Path) -> None:
    files = {
        "../../../include/python3.9/six/six.h": b"h",
        "../../../include/site/python3.9/six/deep/er.h": b"h",
        "../../../include/python3.9/other/other.h": b"h",
        "../../../etc/six.conf": b"c",
        "../../../bin/folder/tool": b"t",
        "../../../lib64/python3.9/site-packages/_six.py": b"p",
    }
    found = told(wheel_tree(tmp_path, files))
    assert found.notes == ()
    assert targets(found) == [
        "_six.py",
        "six-1.0.data/data/bin/folder/tool",
        "six-1.0.data/data/etc/six.conf",
        "six-1.0.data/data/include/python3.9/other/other.h",
        "six-1.0.data/headers/deep/er.h",
        "six-1.0.data/headers/six.h",
        "six-1.0.dist-info/METADATA",
        "six.py",
    ]


def test_a_record_that_leads_out(tmp_path: Path) -> None:
    record = "../../../../../etc/passwd,,\n/etc/shadow,,\n../../../../../../../../root/.ssh/id_rsa,,\n"
    tree = wheel_tree(tmp_path, {"/etc/passwd": b"root", "/etc/shadow": b"root", "/root/.ssh/id_rsa": b"key"}, record)
    found = told(tree)
    assert targets(found) == [f"{INFO}/METADATA", "six.py"]
    assert found.notes == (
        "/etc/passwd: outside of /usr: left out",
        "/etc/shadow: outside of /usr: left out",
        "/root/.ssh/id_rsa: outside of /usr: left out",
    )


def test_a_record_that_is_too_long(tmp_path: Path) -> None:
    tree = wheel_tree(tmp_path, record="".join(f"{n},,\n" for n in range(1_000_000)))
    with pytest.raises(RepackError) as caught:
        told(tree)
    where = f"{SITE}/{INFO}/RECORD"
    assert caught.value.message == f"{where}: more than 500000 lines (expected at most 200000 files)"


def test_a_record_that_names_too_many_files(tmp_path: Path) -> None:
    tree = wheel_tree(tmp_path, record="".join(f"{n},,\n" for n in range(450_000)))
    with pytest.raises(RepackError) as caught:
        told(tree)
    assert caught.value.message == f"{SITE}/{INFO}: more than 200000 files"


def test_names_that_no_wheel_can_have(tmp_path: Path) -> None:
    names = ["new\nline.py", "esc\x1b[2J.py", "back\\slash.py", "\udcff.py"]
    tree = wheel_tree(tmp_path, record="".join(f'"{name}",,\n' for name in names))
    for name in names:
        (tmp_path / SITE.lstrip("/") / name).write_bytes(b"")
    found = told(tree)
    assert targets(found) == [f"{INFO}/METADATA", "six.py"]
    assert len(found.notes) == len(names)
    assert all(
        note.isprintable() and note.endswith("not a name that a wheel can have: left out") for note in found.notes
    )


def test_links(tmp_path: Path) -> None:
    tree = wheel_tree(tmp_path, {"real.so": b"so"}, "link.so,,\nloop.py,,\ndangling.py,,\nfolder/six.py,,\n")
    site = tmp_path / SITE.lstrip("/")
    (site / "link.so").symlink_to("real.so")
    (site / "loop.py").symlink_to("loop.py")
    (site / "dangling.py").symlink_to("nowhere")
    (site / "folder").symlink_to(".")
    found = told(tree)
    assert targets(found) == ["folder/six.py", "link.so", "real.so", f"{INFO}/METADATA", "six.py"]
    assert found.notes == (
        f"{SITE}/link.so: a link: its place is taken by the file it leads to, {SITE}/real.so",
        f"{SITE}/loop.py: not in the image",
        f"{SITE}/dangling.py: not in the image",
        f"{SITE}/folder/six.py: a link: its place is taken by the file it leads to, {SITE}/six.py",
    )


def test_a_folder_that_leads_back_to_itself(tmp_path: Path) -> None:
    tree = write(
        tmp_path, {"six/__init__.py": b"", "six.egg-info/PKG-INFO": PKG_INFO, "six.egg-info/top_level.txt": b"six"}
    )
    (tmp_path / SITE.lstrip("/") / "six/again").symlink_to("..")
    assert "six/__init__.py" in targets(told(tree))


def test_no_regular_file(tmp_path: Path) -> None:
    tree = wheel_tree(tmp_path, record="pipe,,\n")
    os.mkfifo(tmp_path / SITE.lstrip("/") / "pipe")
    found = told(tree)
    assert found.notes == (f"{SITE}/pipe: no regular file: left out",)


def test_nothing_of_the_image_stands_where_installers_look(tmp_path: Path) -> None:
    """A folder named as the wheel's own would be installed as scripts, or be its RECORD."""
    tree = wheel_tree(
        tmp_path,
        {
            "six-1.0.data/scripts/python": b"evil",
            f"{INFO}/RECORD.jws": b"{}",
            f"{INFO}/envsync.json": b"{}",
            "six-1.0.dist-info/deep/RECORD": b"kept",
        },
    )
    assert targets(told(tree)) == [f"{INFO}/METADATA", f"{INFO}/deep/RECORD", "six.py"]
    wheel = made(tree, tmp_path / "wheels")
    assert contents(wheel)[f"{INFO}/envsync.json"] == b'{\n  "how": "record",\n  "patched": [],\n  "schema": 1\n}\n'


def test_an_egg_info_with_files_of_a_dist_info(tmp_path: Path) -> None:
    info = {"PKG-INFO": PKG_INFO, "top_level.txt": b"six\n", "RECORD": b"", "INSTALLER": b"no"}
    tree = write(tmp_path, {"six.py": b"", **{f"six-1.0.egg-info/{name}": data for name, data in info.items()}})
    names = list(contents(made(tree, tmp_path / "wheels")))
    assert names == [f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "top_level.txt", "envsync.json", "RECORD")]


def test_installed_files(tmp_path: Path) -> None:
    listed = b"../six.py\n../__pycache__/six.cpython-39.pyc\nPKG-INFO\n../../../../bin/run6\n../gone.py\n"
    tree = write(
        tmp_path,
        {
            "six.py": b"x = 1\n",
            "six-1.0-py3.9.egg-info/PKG-INFO": PKG_INFO + b"\nAll of it.\n",
            "six-1.0-py3.9.egg-info/installed-files.txt": listed,
            "six-1.0-py3.9.egg-info/requires.txt": b"a>1\n\n[test]\nb\n",
            "six-1.0-py3.9.egg-info/entry_points.txt": b"[x]\ny = six\n",
            "/usr/bin/run6": b"#!/usr/bin/python3.9\nimport six\n",
        },
    )
    wheel = made(tree, tmp_path / "wheels")
    assert (wheel.filename, wheel.how) == ("six-1.0-py3-none-any.whl", "installed-files")
    assert wheel.notes == (f"{SITE}/gone.py: not in the image",)
    files = contents(wheel)
    assert files["six-1.0.data/scripts/run6"] == b"#!python\nimport six\n"
    assert files[f"{INFO}/METADATA"] == (
        b"Metadata-Version: 2.1\nProvides-Extra: test\nRequires-Dist: a>1\n"
        b'Requires-Dist: b; extra == "test"\nName: six\nVersion: 1.0\n\nAll of it.\n'
    )
    assert list(files) == [
        "six-1.0.data/scripts/run6",
        "six.py",
        *(f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "entry_points.txt", "envsync.json", "RECORD")),
    ]


def test_modules_of_another_name_that_begins_alike(tmp_path: Path) -> None:
    tree = write(
        tmp_path,
        {
            "six.py": b"",
            "six.cpython-39-x86_64-linux-gnu.so": b"",
            "six.pyi": b"",
            "sixty.py": b"",
            "six_more/__init__.py": b"",
            "six.other.txt": b"",
            "six-1.0.egg-info": PKG_INFO,
        },
    )
    found = told(tree)
    assert found.how == "name"
    assert targets(found) == ["six.cpython-39-x86_64-linux-gnu.so", "six.py", "six.pyi"]
    assert found.made["METADATA"] == PKG_INFO


def test_a_namespace_that_is_shared(tmp_path: Path) -> None:
    other = row("zope/other/__init__.py", b"")
    info = "zope.mine-1.0-py3.9.egg-info"
    tree = write(
        tmp_path,
        {
            "zope/mine/__init__.py": b"",
            "zope/other/__init__.py": b"",
            "zope.mine-1.0-py3.9-nspkg.pth": b"import types\n",
            f"{info}/PKG-INFO": PKG_INFO.replace(b"six", b"zope.mine"),
            f"{info}/top_level.txt": b"zope\n",
            f"{info}/namespace_packages.txt": b"zope\n",
            "zope.other-1.0.dist-info/METADATA": PKG_INFO.replace(b"six", b"zope.other"),
            "zope.other-1.0.dist-info/RECORD": other.encode(),
        },
    )
    found = targets(told(tree, name="zope.mine"))
    assert [name for name in found if ".dist-info/" not in name] == [
        "zope.mine-1.0-py3.9-nspkg.pth",
        "zope/mine/__init__.py",
    ]


def test_where_nothing_tells(tmp_path: Path) -> None:
    tree = write(tmp_path, {"other.py": b"", "six-1.0.egg-info": PKG_INFO})
    with pytest.raises(RepackError) as caught:
        told(tree)
    assert caught.value.message == (
        f"{SITE}/six-1.0.egg-info: nothing tells which files are of six (expected RECORD, installed-files.txt or "
        "top_level.txt)"
    )


def test_an_editable_installation(tmp_path: Path) -> None:
    origin = DirectoryOrigin(url="file:///src/six", editable=True)
    with pytest.raises(RepackError, match=r"^six: installed editable: its files are those of file:///src/six$"):
        told(wheel_tree(tmp_path), origin=origin)


def test_a_folder_that_names_another_version(tmp_path: Path) -> None:
    tree = wheel_tree(tmp_path, {f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: Six\nVersion: 1.0-2\n"})
    with pytest.raises(RepackError) as caught:
        told(tree)
    where = f"{SITE}/{INFO}/METADATA"
    assert caught.value.message == f"{where}: version 1.0-2 (expected 1.0, as its folder's name)"


def test_an_egg_info_that_names_another_version(tmp_path: Path) -> None:
    pkg_info = PKG_INFO.replace(b"1.0", b"0.0.0")
    tree = write(tmp_path, {"six.py": b"", "six-1.0.egg-info/PKG-INFO": pkg_info})
    with pytest.raises(RepackError) as caught:
        told(tree, version="1.0")
    assert caught.value.message.endswith("PKG-INFO: version 0.0.0 (expected 1.0, as its folder's name)")


def test_a_version_that_no_wheel_can_have(tmp_path: Path) -> None:
    tree = write(tmp_path, {"six.py": b"", "six.egg-info": PKG_INFO.replace(b"1.0", b"last")})
    with pytest.raises(RepackError) as caught:
        told(tree, version="last")
    assert caught.value.message == "six: version last is none of PEP 440: no wheel can have it"


@pytest.mark.parametrize(
    ("origin", "note"),
    [
        (b'{"url": "https://example.org/six.zip", "archive_info": {}}', None),
        (b"{", "direct_url.json: not understood: left out"),
        (
            b'{"url": "https://u:secret@example.org/six.zip", "archive_info": {}}',
            "direct_url.json: holds credentials: left out",
        ),
    ],
)
def test_where_it_came_from(origin: bytes, note: str | None, tmp_path: Path) -> None:
    found = told(wheel_tree(tmp_path, {f"{INFO}/direct_url.json": origin}))
    assert found.notes == ((note,) if note else ())
    assert (f"{INFO}/direct_url.json" in targets(found)) is (note is None)


def _egg(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("EGG-INFO/PKG-INFO", PKG_INFO)
        archive.writestr("EGG-INFO/requires.txt", b"a\n")
        archive.writestr("EGG-INFO/scripts/run6", b"#!/usr/bin/python3\nimport six\n")
        archive.writestr("EGG-INFO/RECORD", b"no")
        archive.writestr("six.py", b"x = 1\n")
        archive.writestr("six.pyc", b"made")
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def test_a_zipped_egg(tmp_path: Path) -> None:
    egg = "six-1.0-py3.9.egg"
    members = {"../../evil.py": b"", "/etc/evil": b"", "six-1.0.data/scripts/python": b"evil"}
    tree = write(tmp_path, {egg: _egg(**members), "easy-install.pth": b"./six-1.0-py3.9.egg\n"})
    wheel = made(tree, tmp_path / "wheels", egg)
    assert wheel.how == "top-level"
    assert wheel.notes == tuple(
        f"{SITE}/{egg}/{name}: not a name that a wheel can have: left out" for name in list(members)[:2]
    )
    files = contents(wheel)
    assert list(files) == [
        "six-1.0.data/scripts/run6",
        "six.py",
        *(f"{INFO}/{name}" for name in ("METADATA", "WHEEL", "envsync.json", "RECORD")),
    ]
    assert files["six-1.0.data/scripts/run6"].startswith(b"#!python\n")
    assert b"Requires-Dist: a\n" in files[f"{INFO}/METADATA"]


def test_a_zipped_egg_that_is_damaged(tmp_path: Path) -> None:
    egg = "six-1.0-py3.9.egg"
    data = _egg()
    place = data.index(b"six.py") + len("six.py")
    tree = write(tmp_path, {egg: data[:place] + b"\xff" * 4 + data[place + 4 :]})
    with pytest.raises(RepackError) as caught:
        made(tree, tmp_path / "wheels", egg)
    assert caught.value.message == f"{SITE}/{egg}: six.py: damaged"
    assert list((tmp_path / "wheels").iterdir()) == []


def test_an_egg_that_is_a_folder(tmp_path: Path) -> None:
    egg = "six-1.0-py3.9.egg"
    tree = write(
        tmp_path, {f"{egg}/EGG-INFO/PKG-INFO": PKG_INFO, f"{egg}/six.py": b"", f"{egg}/EGG-INFO/zip-safe": b"\n"}
    )
    assert look(tree, egg).distributions[0].name == "six"
    assert targets(told(tree, egg)) == ["six.py"]
