"""Finding interpreters in a tree: names, links, PATH, and what is no CPython."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

import pytest

from envsync.catalog.interpreters import Found, describe_interpreter, find_interpreters
from envsync.errors import NoPythonError
from envsync.files import HostTree
from envsync.model import Libc
from tests.catalog.real import executables, run
from tests.catalog.trees import SearchedFolder, root_tree, write

LIBC = Libc(family="glibc", version="2.36")
MODERN = [path for path in executables() if "/3.1" in str(path)]
needs_python = pytest.mark.skipif(len(MODERN) < 2, reason="needs two interpreters of 3.10 or later under pyenv")


def find(folder: Path, path: str, chosen: Path | None = None, **env: str) -> Found:
    """``path``: folders under ``folder``, with colons between."""
    return find_interpreters(
        SearchedFolder(folder),
        env={"PATH": ":".join(f"{folder}/{part}" for part in path.split(":")), "HOME": str(folder), **env},
        user="",
        libc=LIBC,
        machine="x86_64",
        chosen=PurePosixPath(chosen) if chosen else None,
    )


def link(path: Path, target: Path | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path


def names(folder: Path, found: Found) -> list[tuple[str, ...]]:
    return [
        tuple(str(path).removeprefix(f"{folder}/") for path in (one.executable, *one.aliases) if path)
        for one in found.interpreters
    ]


@needs_python
def test_names_of_one_interpreter_are_one_and_a_venv_is_another(tmp_path: Path) -> None:
    base = MODERN[0]
    link(tmp_path / "usr/bin/python3.99", base.resolve())
    link(tmp_path / "usr/bin/python3", "python3.99")
    run([base, "-m", "venv", "--without-pip", tmp_path / "opt/venv"])
    link(tmp_path / "usr/local/bin/python2", MODERN[1])
    found = find(tmp_path, "usr/local/bin:usr/bin")
    assert names(tmp_path, found) == [
        ("usr/bin/python3", "usr/bin/python3.99"),
        ("opt/venv/bin/python", *(f"opt/venv/bin/{name}" for name in ("python3", base.resolve().name))),
        ("usr/local/bin/python2",),
    ]
    first, venv, other = found.interpreters
    assert first.version == venv.version != other.version
    assert (venv.venv is not None, first.venv) == (True, None)
    assert venv.prefix == PurePosixPath(tmp_path / "opt/venv")
    assert venv.base_prefix == first.prefix
    assert {one.platform_tag for one in found.interpreters} == {"manylinux_2_36_x86_64"}


@needs_python
def test_path_decides_and_python_comes_before_python3(tmp_path: Path) -> None:
    link(tmp_path / "a/python3", MODERN[0])
    link(tmp_path / "b/python", MODERN[1])
    assert names(tmp_path, find(tmp_path, "a:b"))[0] == ("b/python",)
    assert names(tmp_path, find(tmp_path, "a"))[0] == ("a/python3",)
    (tmp_path / "b/python").unlink()
    assert names(tmp_path, find(tmp_path, "b:a"))[0] == ("a/python3",)


@needs_python
def test_without_plain_names_on_path_the_newest_version_is_meant(tmp_path: Path) -> None:
    for base in MODERN[:2]:
        link(tmp_path / "bin" / base.resolve().name, base)
    assert names(tmp_path, find(tmp_path, "bin"))[0] == (f"bin/{MODERN[1].resolve().name}",)


@needs_python
def test_path_through_a_linked_folder(tmp_path: Path) -> None:
    link(tmp_path / "usr/bin/python3", MODERN[0])
    link(tmp_path / "bin", "usr/bin")
    assert names(tmp_path, find(tmp_path, "bin:usr/bin")) == [("bin/python3", "usr/bin/python3")]


@needs_python
def test_a_link_into_a_venv_is_the_base_interpreter(tmp_path: Path) -> None:
    run([MODERN[0], "-m", "venv", "--without-pip", tmp_path / "venv"])
    link(tmp_path / "bin/python", "../venv/bin/python")
    found = find(tmp_path, "bin")
    assert found.interpreters[0].venv is None
    assert found.interpreters[0].prefix == found.interpreters[1].base_prefix
    assert found.interpreters[1].prefix == PurePosixPath(tmp_path / "venv")


@needs_python
def test_the_chosen_one_is_the_environment_by_the_name_given(tmp_path: Path) -> None:
    link(tmp_path / "bin/python", MODERN[0])
    link(tmp_path / "opt/python3", MODERN[1])
    link(tmp_path / "opt/python", MODERN[1])
    found = find(tmp_path, "bin", chosen=tmp_path / "opt/python3")
    assert names(tmp_path, found) == [("opt/python3", "opt/python"), ("bin/python",)]


@needs_python
def test_a_wrong_choice_lists_the_candidates(tmp_path: Path) -> None:
    link(tmp_path / "bin/python", MODERN[0])
    link(tmp_path / "bin/python3", MODERN[1])
    script = write(tmp_path, "sbin/python2", "#!/bin/sh\n", 0o755)
    for wrong, reason in (
        (tmp_path / "absent", "no such file"),
        (script, "a script, not an interpreter"),
        (tmp_path / "bin", "not an executable file"),
    ):
        with pytest.raises(NoPythonError) as error:
            find(tmp_path, "bin", chosen=wrong)
        choices = f"one of {tmp_path}/bin/python, {tmp_path}/bin/python3"
        assert error.value.message == f"{wrong}: {reason} (expected {choices})"
        assert error.value.hint == "Name the interpreter with --interpreter PATH."


@needs_python
def test_several_of_which_none_is_on_path(tmp_path: Path) -> None:
    link(tmp_path / "a/bin/python", MODERN[0])
    assert names(tmp_path, find(tmp_path, "bin")) == [("a/bin/python",)]
    link(tmp_path / "b/bin/python", MODERN[1])
    with pytest.raises(NoPythonError) as error:
        find(tmp_path, "bin")
    choices = f"one of {tmp_path}/a/bin/python, {tmp_path}/b/bin/python"
    assert error.value.message == f"image: no Python interpreter is on PATH (expected {choices})"


def test_none(tmp_path: Path) -> None:
    write(tmp_path, "usr/bin/python3-config", "#!/bin/sh\n", 0o755)
    write(tmp_path, "usr/bin/python", "#!/bin/sh\n", 0o755)
    write(tmp_path, "usr/share/python3", "text")
    link(tmp_path / "usr/share/doc/python3.11", "gone")
    link(tmp_path / "usr/bin/python3", "gone")
    link(tmp_path / "opt/pypy/bin/python3", "pypy3.10")
    write(tmp_path, "opt/pypy/bin/pypy3.10", b"\x7fELF", 0o755)
    with pytest.raises(NoPythonError) as error:
        find(tmp_path, "usr/bin")
    assert error.value.message == (
        "image: no Python interpreter found (looked for python, python3, python2 and pythonX.Y in every folder; "
        f"{tmp_path}/opt/pypy/bin/pypy3.10: leads to pypy3.10: only CPython is supported; "
        f"{tmp_path}/usr/bin/python3: a link that leads nowhere; "
        f"{tmp_path}/usr/bin/python: a script that PATH finds first: what it starts cannot be known without "
        "running it)"
    )


@needs_python
def test_what_is_passed_over_is_told(tmp_path: Path) -> None:
    link(tmp_path / "bin/python3", MODERN[0])
    write(tmp_path, "bin/python", '#!/bin/sh\nexec python3 "$@"\n', 0o755)
    write(tmp_path, "opt/python3.4", b"\x7fELF\0nothing", 0o755)
    write(tmp_path, "opt/python", b"\x7fELF\0libpypy3.10-c.so\0python3.10", 0o755)
    found = find(tmp_path, "bin")
    assert names(tmp_path, found) == [("bin/python3",)]
    told = {one.place.removeprefix(f"{tmp_path}/"): one.reason for one in found.skipped}
    assert told["bin/python"].startswith("a script that PATH finds first")
    assert told["opt/python"] == "PyPy: only CPython is supported"
    assert told["opt/python3.4"] == ("its standard library was not found (looked for lib/python3.4/os.py above it)")


@needs_python
def test_conda_package_caches_hold_no_interpreters(tmp_path: Path) -> None:
    link(tmp_path / "bin/python3", MODERN[0])
    link(tmp_path / "pkgs/python-3.11-0/bin/python3.11", MODERN[1])
    write(tmp_path, "pkgs/python-3.11-0/info/index.json", "{}")
    assert names(tmp_path, find(tmp_path, "bin")) == [("bin/python3",)]


@needs_python
def test_pyenv_shims_lead_to_the_version_that_is_set(tmp_path: Path) -> None:
    root = tmp_path / ".pyenv"
    versions = {path.resolve().parents[1].name: path.resolve().parents[1] for path in MODERN[:2]}
    for version, folder in versions.items():
        link(root / "versions" / version, folder)
    shim = (
        '#!/usr/bin/env bash\nset -e\n\nprogram="${0##*/}"\n\n'
        f'export PYENV_ROOT="{root}"\nexec "{root}/libexec/pyenv" exec "$program" "$@"\n'
    )
    write(root, "shims/python", shim, 0o755)
    first, second = versions
    write(root, "version", f"{first}\n")
    assert find(tmp_path, ".pyenv/shims").interpreters[0].version == first
    chosen = find(tmp_path, ".pyenv/shims", PYENV_VERSION=f"absent:{second}")
    assert chosen.interpreters[0].version == second
    assert chosen.interpreters[0].executable == PurePosixPath(root / "versions" / second / "bin/python")


@needs_python
def test_describing_what_is_none(tmp_path: Path) -> None:
    with pytest.raises(NoPythonError, match=r"^/absent/python: no such file \(expected a CPython executable\)$"):
        describe_interpreter(
            HostTree(), PurePosixPath("/absent/python"), env={}, home=None, libc=None, machine="x86_64"
        )


def debian(root: Path, version: str, soabi: str) -> None:
    """A root file system with the few files of Debian's python3-minimal that tell of it."""
    series = ".".join(version.split(".")[:2])
    write(root, f"usr/bin/python{series}", b"\x7fELF\0\0" + version.encode() + b"\0/usr\0", 0o755)
    link(root / "usr/bin/python3", f"python{series}")
    write(root, f"usr/lib/python{series}/os.py")
    write(root, f"usr/lib/python{series}/_sysconfigdata__x.py", f"build_time_vars = {{'SOABI': '{soabi}'}}\n")
    write(root, f"usr/lib/python{series}/site.py", DEBIAN_SITE)
    write(root, f"usr/lib/python{series}/lib-dynload/_ssl.so")


DEBIAN_SITE = """
            sitepackages.append(os.path.join(prefix, "lib", "python3", "dist-packages"))
            if 'VIRTUAL_ENV' in os.environ or sys.base_prefix != sys.prefix:
"""


def test_debian_without_headers_and_with_user_site(tmp_path: Path) -> None:
    debian(tmp_path, "3.9.2", "cpython-39-x86_64-linux-gnu")
    write(tmp_path, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\ndigdag:x:1000:1000::/home/digdag:/bin/sh\n")
    (tmp_path / "usr/lib/python3/dist-packages").mkdir(parents=True)
    (tmp_path / "usr/local/lib/python3.9/dist-packages").mkdir(parents=True)
    (tmp_path / "usr/lib/python3.9/site-packages").mkdir(parents=True)
    (tmp_path / "home/digdag/.local/lib/python3.9/site-packages").mkdir(parents=True)
    write(tmp_path, "usr/lib/python3.9/EXTERNALLY-MANAGED", "[externally-managed]\n")

    def found(user: str, **env: str) -> Found:
        return find_interpreters(root_tree(tmp_path), env=env, user=user, libc=None, machine="aarch64")

    (one,) = found("1000:1000").interpreters
    assert (one.version, one.abi, one.platform_tag) == ("3.9.2", "cp39", "linux_aarch64")
    assert (one.executable, one.aliases) == (PurePosixPath("/usr/bin/python3"), (PurePosixPath("/usr/bin/python3.9"),))
    assert one.externally_managed
    ours = [str(entry) for entry in one.sys_path[3:]]
    assert ours == [
        "/home/digdag/.local/lib/python3.9/site-packages",
        "/usr/local/lib/python3.9/dist-packages",
        "/usr/lib/python3/dist-packages",
    ]
    (other,) = found("", VIRTUAL_ENV="/x").interpreters
    assert [str(entry) for entry in other.sys_path[3:]] == ["/usr/lib/python3.9/site-packages", *ours[1:]]


def test_a_library_larger_than_can_be_read_leaves_the_headers(tmp_path: Path) -> None:
    debian(tmp_path, "3.12.3", "cpython-312t")
    shutil.rmtree(tmp_path / "usr/bin")
    program = write(tmp_path, "usr/bin/python3.12", b"\x7fELF", 0o755)
    with program.open("r+b") as stream:
        stream.truncate(64 * 1024 * 1024 + 1)
    tree = root_tree(tmp_path)
    found = find_interpreters(tree, env={}, user="", libc=None, machine="x86_64")
    assert found.interpreters[0].version == "3.12"
    assert [one.reason for one in found.skipped] == ["its exact version is not in its files"]
    write(tmp_path, "usr/include/python3.12/patchlevel.h", '#define PY_VERSION      "3.12.3+"\n')
    found = find_interpreters(tree, env={}, user="", libc=None, machine="x86_64")
    assert (found.interpreters[0].version, found.skipped) == ("3.12.3+", ())
