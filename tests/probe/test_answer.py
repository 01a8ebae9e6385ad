from __future__ import annotations

import base64
import json
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from envsync.errors import NoPythonError, ProbeError
from envsync.files import FileReadError
from envsync.model import Libc, OsPackage, Skipped, Venv
from envsync.probe.answer import Answer, parse_answer
from envsync.probe.answered import AnsweredTree, Described, Document, Note, decode


def described(version: str = "3.9.18", prefix: str = "/usr/local", **changes: Any) -> dict[str, Any]:
    return {
        "executable": f"{prefix}/bin/python",
        "version": version,
        "implementation": "cpython",
        "soabi": f"cpython-{''.join(version.split('.')[:2])}-x86_64-linux-gnu",
        "debug": False,
        "free_threaded": False,
        "pymalloc": True,
        "wide_unicode": True,
        "libc": "glibc 2.36",
        "prefix": prefix,
        "base_prefix": prefix,
        "real_prefix": prefix,
        "real_base_prefix": prefix,
        "externally_managed": False,
        "path": [f"{prefix}/lib/python39.zip", f"{prefix}/lib/site-packages"],
        "files": {},
        "pip": None,
        **changes,
    }


def asked(*names: str, told: dict[str, Any] | None = None, problem: str | None = None) -> dict[str, Any]:
    text = json.dumps(told) if told else None
    return {"names": names, "real": names[0], "text": text, "problem": problem}


def command(path: str, leads_to: str | None = "") -> dict[str, Any]:
    return {"name": PurePosixPath(path).name, "path": path, "leads_to": path if leads_to == "" else leads_to}


def document(
    *interpreters: dict[str, Any], commands: tuple[dict[str, Any], ...] = (), **changes: Any
) -> dict[str, Any]:
    system = {
        "files": {},
        "dpkg": None,
        "rpm": None,
        "apk": None,
        "musl": None,
        "machine": "x86_64",
        "path": "/usr/local/bin",
        "home": "/root",
        **changes.pop("system", {}),
    }
    return {
        "interpreters": interpreters,
        "commands": commands,
        "chosen": None,
        "main": "/usr/local/bin/python",
        "system": system,
        **changes,
    }


def answer(*interpreters: dict[str, Any], **changes: Any) -> Answer:
    data = json.dumps(document(*interpreters, **changes)).encode()
    return parse_answer(data, image="example", machine="x86_64")


def file(content: str) -> dict[str, Any]:
    return {"kind": "file", "real": "/x", "size": len(content), "data": base64.b64encode(content.encode()).decode()}


def folder(*names: str) -> dict[str, Any]:
    return {"kind": "directory", "real": "/x", "names": names}


PYTHON = asked("/usr/local/bin/python3.9", "/usr/local/bin/python", "/usr/local/bin/python3", told=described())


# --- nonsense ----------------------------------------------------------------------------------------


@given(st.binary())
@example(b"[" * 100_000)
@example(b'{"interpreters": []}')
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ProbeError, match="example: answered nonsense: "):
        parse_answer(data, image="example", machine="x86_64")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.sampled_from(sorted(described())), JSON)
def test_any_description_is_taken_or_noted(key: str, value: Any) -> None:
    told = {**described(), key: value}
    other = asked("/opt/python", told=json.loads(json.dumps(told)))
    found = answer(PYTHON, other, commands=(command("/usr/local/bin/python"),))
    known = {str(one.executable) for one in found.to_interpreters()} | {
        str(alias) for one in found.to_interpreters() for alias in one.aliases
    }
    assert ("/opt/python" in known) != any(one.place == "/opt/python" for one in found.skipped())


def test_a_key_is_named() -> None:
    with pytest.raises(ProbeError) as caught:
        answer({**PYTHON, "names": ["relative"]})
    assert caught.value.message.startswith("example: answered nonsense: Expected `str` matching regex ")
    assert caught.value.message.endswith("at `$.interpreters[0].names[0]`")
    assert "--method read" in str(caught.value.hint)


# --- which interpreters ------------------------------------------------------------------------------


def test_one_interpreter() -> None:
    (found,) = answer(PYTHON, commands=(command("/usr/local/bin/python"),)).to_interpreters()
    assert found.version == "3.9.18"
    assert found.executable == PurePosixPath("/usr/local/bin/python")
    assert found.aliases == (PurePosixPath("/usr/local/bin/python3"), PurePosixPath("/usr/local/bin/python3.9"))
    assert found.abi == "cp39"
    assert found.platform_tag == "manylinux_2_36_x86_64"
    assert found.venv is None
    assert found.sys_path == (
        PurePosixPath("/usr/local/lib/python39.zip"),
        PurePosixPath("/usr/local/lib/site-packages"),
    )


@pytest.mark.parametrize(
    ("told", "abi"),
    [
        (described("3.7.16", soabi="cpython-37m-x86_64-linux-gnu"), "cp37m"),
        (described("3.13.0", soabi="cpython-313t-x86_64-linux-gnu", free_threaded=True), "cp313t"),
        (described("3.13.0", soabi=None, free_threaded=True), "cp313t"),
        (described("2.7.18", soabi=None), "cp27mu"),
        (described("2.7.18", soabi=None, wide_unicode=False), "cp27m"),
        (described("2.7.18", soabi=None, pymalloc=False, debug=True), "cp27du"),
        (described("3.14.0rc1", soabi="cpython-314-aarch64-linux-gnu"), "cp314"),
    ],
)
def test_abi(told: dict[str, Any], abi: str) -> None:
    (found,) = answer(asked("/usr/bin/python", told=told)).to_interpreters()
    assert (found.version, found.abi) == (told["version"], abi)


def test_path_decides_and_the_others_follow_by_name() -> None:
    found = answer(
        asked("/z/python3.8", told=described("3.8.18", "/z")),
        asked("/a/python3", "/a/python3.10", told=described("3.10.13", "/a")),
        PYTHON,
        commands=(command("/a/python3.10"), command("/a/python3"), command("/usr/local/bin/python3")),
    ).to_interpreters()
    assert [str(one.executable) for one in found] == ["/a/python3", "/usr/local/bin/python3", "/z/python3.8"]


def test_python_goes_before_python3_and_the_newest_name_last() -> None:
    three, two = (
        asked("/b/python3", told=described("3.9.18", "/b")),
        asked("/b/python2", told=described("2.7.18", "/c")),
    )
    commands = (command("/b/python2"), command("/b/python3"))
    assert answer(two, three, commands=commands).to_interpreters()[0].version == "3.9.18"
    versioned = (command("/b/python3.9"), command("/b/python3.10"))
    nine, ten = (asked(f"/b/python3.{n}", told=described(f"3.{n}.1", f"/{n}")) for n in (9, 10))
    assert answer(nine, ten, commands=versioned).to_interpreters()[0].version == "3.10.1"


def test_copies_with_one_prefix_are_one_interpreter() -> None:
    (found,) = answer(
        asked("/sdk/bin/python3.12", told=described("3.12.1", "/sdk")),
        asked("/sdk/bin/python3", told=described("3.12.1", "/sdk")),
    ).to_interpreters()
    assert found.executable == PurePosixPath("/sdk/bin/python3")
    assert found.aliases == (PurePosixPath("/sdk/bin/python3.12"),)


def test_a_virtual_environment() -> None:
    told = described(
        prefix="/venv",
        base_prefix="/usr/local",
        real_base_prefix="/usr/local",
        externally_managed=True,
        files={"/venv/pyvenv.cfg": file("home = /usr/local/bin\ninclude-system-site-packages = true\n")},
    )
    venv, base = answer(
        PYTHON, asked("/venv/bin/python", told=told), commands=(command("/venv/bin/python"),)
    ).to_interpreters()
    assert venv.venv == Venv(home=PurePosixPath("/usr/local/bin"), system_site_packages=True)
    assert (venv.prefix, venv.base_prefix) == (PurePosixPath("/venv"), PurePosixPath("/usr/local"))
    assert not venv.externally_managed
    assert base.venv is None


def test_the_chosen_one_is_the_environment_by_the_name_chosen() -> None:
    other = asked("/opt/python3.8", "/opt/python", told=described("3.8.18", "/opt"))
    first, _ = answer(
        other, PYTHON, commands=(command("/usr/local/bin/python"),), chosen="/opt/python3.8"
    ).to_interpreters()
    assert first.executable == PurePosixPath("/opt/python3.8")
    assert first.aliases == (PurePosixPath("/opt/python"),)


def test_the_only_one_needs_no_path() -> None:
    assert answer(PYTHON).to_interpreters()[0].executable == PurePosixPath("/usr/local/bin/python")


def test_path_decides_for_none_of_several() -> None:
    with pytest.raises(NoPythonError) as caught:
        answer(PYTHON, asked("/opt/python", told=described("3.8.18", "/opt")))
    assert caught.value.message == (
        "example: no Python interpreter is on PATH (expected one of /usr/local/bin/python, /opt/python)"
    )
    assert caught.value.hint == "Name the interpreter with --interpreter PATH."


def test_the_one_on_path_does_not_start() -> None:
    broken = asked("/usr/bin/python", problem="exit status 1: no module named encodings\x1b[31m")
    with pytest.raises(ProbeError) as caught:
        answer(broken, PYTHON, commands=(command("/usr/bin/python"),))
    assert caught.value.message == r"example: /usr/bin/python: exit status 1: no module named encodings\x1b[31m"


def test_none_starts() -> None:
    with pytest.raises(ProbeError, match="example: /usr/bin/python: still running after 5 s"):
        answer(asked("/usr/bin/python", problem="still running after 5 s"))


def test_another_that_does_not_start_is_noted() -> None:
    found = answer(
        asked("/opt/python3", problem="still running after 5 s"), PYTHON, commands=(command(PYTHON["names"][0]),)
    )
    assert found.skipped() == (Skipped(subject="python3", place="/opt/python3", reason="still running after 5 s"),)


def test_only_cpython_is_described() -> None:
    other = asked("/opt/python3", told=described(implementation="pypy"))
    found = answer(other, PYTHON, commands=(command("/opt/python3"), command("/usr/local/bin/python3.9")))
    assert len(found.to_interpreters()) == 1
    assert found.skipped() == (
        Skipped(subject="python3", place="/opt/python3", reason="pypy: only CPython is supported"),
    )


def test_scripts_on_path_are_noted() -> None:
    found = answer(PYTHON, commands=(command("/shims/python", None), command("/usr/local/bin/python3")))
    assert found.to_interpreters()[0].executable == PurePosixPath("/usr/local/bin/python3")
    (skipped,) = found.skipped()
    assert (skipped.subject, skipped.place) == ("python", "/shims/python")


# --- distributions and pip ---------------------------------------------------------------------------

SITE = "/usr/local/lib/site-packages"
FILES = {
    SITE: folder("Six-1.16.0.dist-info", "denied-1.dist-info"),
    f"{SITE}/Six-1.16.0.dist-info": folder("METADATA", "RECORD"),
    f"{SITE}/Six-1.16.0.dist-info/METADATA": file("Name: Six\nVersion: 1.16.0\n"),
    f"{SITE}/Six-1.16.0.dist-info/RECORD": file("six.py,,\n"),
    f"{SITE}/denied-1.dist-info": folder("METADATA"),
    f"{SITE}/denied-1.dist-info/METADATA": {"kind": "file", "real": "/x", "size": 5, "error": "Permission denied"},
}


def pip(freeze: str, problem: str | None = None) -> dict[str, Any]:
    return {
        "freeze": {"output": freeze, "problem": problem},
        "version": {"output": "pip 20.3.4 from /x (python 3.9)\n", "problem": None},
    }


def with_pip(freeze: str, problem: str | None = None) -> Answer:
    return answer(asked("/usr/bin/python", told=described(files=FILES, pip=pip(freeze, problem))))


def test_distributions_come_from_the_files_sent() -> None:
    found = with_pip("")
    six = next(one for one in found.to_interpreters()[0].distributions if one.name == "Six")
    assert six.version == "1.16.0"
    assert six.record is not None
    assert any("Permission denied" in one.reason for one in found.skipped())


def test_freeze_lines() -> None:
    found = with_pip(
        "# Editable install with no version control (a==1)\n-e /src/a\n-f /wheels\n--extra-index-url https://x\n"
        "Six==1.16.0\n\nb @ https://me:secret@example.com/b.whl\n"
    )
    assert found.freeze == ("-e /src/a", "Six==1.16.0", "b @ https://example.com/b.whl")
    assert found.freeze_problem is None
    assert found.pip_version == "20.3.4"


def test_pip_and_envsync_disagree() -> None:
    found = with_pip("six==1.15.0\n")
    assert "pip only: six==1.15.0" in found.freeze_disagreements
    assert "envsync only: Six==1.16.0" in found.freeze_disagreements


def test_pip_fails() -> None:
    found = with_pip("half of it\n", "exit status 2: no such option: --all")
    assert found.freeze is None
    assert found.freeze_problem == "exit status 2: no such option: --all"
    assert found.freeze_disagreements == ()


def test_no_pip() -> None:
    found = answer(PYTHON)
    assert (found.freeze, found.freeze_problem, found.pip_version, found.freeze_disagreements) == (None, None, None, ())


# --- the system --------------------------------------------------------------------------------------


def test_operating_system() -> None:
    system = {"files": {"/etc/os-release": file('ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\n')}}
    found = answer(PYTHON, system=system).operating_system()
    assert (found.id, found.version_id, found.pretty_name) == ("debian", "12", "Debian 12")
    assert found.libc == Libc(family="glibc", version="2.36")


def test_no_operating_system_is_known() -> None:
    found = answer(asked("/usr/bin/python", told=described(libc=None)))
    assert found.operating_system().libc is None
    assert found.operating_system().id == ""
    assert found.os_packages() is None
    assert found.to_interpreters()[0].platform_tag == "linux_x86_64"


def test_musl() -> None:
    told = described(libc=None)
    words = "musl libc (x86_64)\nVersion 1.2.4\nDynamic Program Loader\n"
    found = answer(asked("/usr/bin/python", told=told), system={"musl": words})
    assert found.operating_system().libc == Libc(family="musl", version="1.2.4")
    assert found.to_interpreters()[0].platform_tag == "musllinux_1_2_x86_64"


STATUS = "Package: tzdata\nStatus: install ok installed\nVersion: 2024a\nArchitecture: all\n"
TZDATA = OsPackage(manager="dpkg", name="tzdata", version="2024a", architecture="all", source="tzdata")


@pytest.mark.parametrize(
    "system",
    [
        {"dpkg": "tzdata\t2024a\tall\ttzdata\tii \n"},
        {"files": {"/var/lib/dpkg/status": file(STATUS)}},
        {
            "files": {
                "/var/lib/dpkg/status.d": folder("tzdata", "tzdata.md5sums"),
                "/var/lib/dpkg/status.d/tzdata": {**file(STATUS), "real": "/var/lib/dpkg/status.d/tzdata"},
            }
        },
    ],
)
def test_os_packages_from_the_tool_or_its_database(system: dict[str, Any]) -> None:
    found = answer(PYTHON, system=system)
    assert found.os_packages() == (TZDATA,)
    assert found.skipped() == ()


def test_a_damaged_list_of_packages_is_noted() -> None:
    found = answer(PYTHON, system={"apk": "musl-1.2.4-r2 x86_64 {musl} (MIT) [installed]\nwhat?\n"})
    assert [one.name for one in found.os_packages() or ()] == ["musl"]
    assert found.skipped()[0].reason == "a line that makes no sense: what?"


# --- the files sent ----------------------------------------------------------------------------------


def test_files_sent() -> None:
    notes = {
        "/site//": Note(kind="directory", real="/real/site", names=("a",)),
        "/site/a": Note(kind="file", real="/real/site/a", size=3, mode=0o644, data=b"abc"),
        "/site/denied": Note(kind="file", real="/x", error="Permission denied\x1b"),
    }
    tree = AnsweredTree(notes)
    assert tree.list(PurePosixPath("/site")) == ("a",)
    assert tree.list(PurePosixPath("/site/a")) == ()
    info = tree.stat(PurePosixPath("/site/a"))
    assert info is not None
    assert (info.path, info.kind, info.size, info.mode) == (PurePosixPath("/real/site/a"), "file", 3, 0o644)
    assert tree.stat(PurePosixPath("/none")) is None
    assert tree.readlink(PurePosixPath("/site/a")) is None
    assert tree.read(PurePosixPath("/site/a")) == b"abc"
    for path, reason in {
        "/none": "/none: no such file",
        "/site": "/site: cannot be read: not a regular file",
        "/site/denied": r"/site/denied: cannot be read: Permission denied\x1b",
    }.items():
        with pytest.raises(FileReadError) as caught:
            tree.read(PurePosixPath(path))
        assert caught.value.message == reason
    with pytest.raises(FileReadError, match="larger than 2 bytes"):
        tree.read(PurePosixPath("/site/a"), limit=2)


def test_documents_decode_to_types() -> None:
    assert isinstance(decode(json.dumps(described()), Described, where="x"), Described)
    assert isinstance(decode(json.dumps(document(PYTHON)), Document, where="x"), Document)
