from __future__ import annotations

import hashlib
import shutil
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from msgspec.structs import replace

from envsync.contents import digest_of
from envsync.exact.fidelity import Fidelity, Grade, Verdict, host_digests, measure, other_builds
from envsync.exact.listing import Contents, ListingError, read_contents, with_contents
from envsync.files import HostTree
from envsync.model import Distribution, Snapshot
from envsync.reference import Platform
from envsync.standard_library import standard_library
from tests.factory import distribution, snapshot

INFO = "acme-1.0.dist-info"


def installed(prefix: Path, *, script: str = "#!/usr/bin/python3\n") -> Distribution:
    """A distribution as installers leave one."""
    site = prefix / "lib" / "python3.9" / "site-packages"
    files = {
        f"{INFO}/METADATA": "Name: acme\nVersion: 1.0\n",
        f"{INFO}/INSTALLER": f"{prefix.name}\n",
        "acme.py": "VERSION = '1.0'\n",
        "../../../bin/tool": f"{script}import acme\n",
    }
    lines = []
    for name, text in files.items():
        path = (site / name).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        digest = urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(text)}")
    (site / INFO / "RECORD").write_text(
        "\n".join([*lines, "__pycache__/acme.cpython-39.pyc,,", f"{INFO}/RECORD,,", ""])
    )
    return distribution("acme", location=PurePosixPath(site), metadata=PurePosixPath(site / INFO))


def contents(one: Distribution, *, trusting: bool = False) -> Contents:
    found = read_contents([one], HostTree(), host_digests, trusting=trusting)[0]
    assert isinstance(found, Contents)
    return found


@pytest.fixture
def lock(tmp_path: Path) -> Distribution:
    """As the image has it."""
    one = installed(tmp_path / "image")
    return with_contents(one, contents(one))


def compare(lock: Distribution, *here: Distribution, verify: bool = True, **words: object) -> tuple[Grade, str]:
    found = measure(snapshot(lock), snapshot(*here), verify=verify, **words)  # type: ignore[arg-type]
    assert found is not None
    (verdict,) = found.verdicts
    return verdict.grade, verdict.reason


# --- listing -----------------------------------------------------------------------------------------


def test_contents_are_without_what_installers_write(tmp_path: Path) -> None:
    found = contents(installed(tmp_path))
    assert sorted(found.actual) == [f"{INFO}/METADATA", "acme.py", "bin/tool"]
    assert (found.missing, found.patched) == ((), ())
    assert found.actual["bin/tool"] == hashlib.sha256(b"#!python\nimport acme\n").digest()


def test_what_was_changed_or_is_missing(tmp_path: Path) -> None:
    one = installed(tmp_path)
    site = Path(str(one.location))
    (site / "acme.py").write_text("VERSION = '2.0'\n")
    (site / INFO / "METADATA").unlink()
    assert contents(one).patched == (f"{INFO}/METADATA", "acme.py")
    assert contents(one, trusting=True).patched == ()


def test_without_a_record(tmp_path: Path) -> None:
    one = installed(tmp_path)
    (Path(str(one.metadata)) / "RECORD").unlink()
    found = read_contents([one, replace(one, metadata=None)], HostTree(), host_digests)
    assert all(isinstance(each, ListingError) for each in found.values())
    assert str(found[1]) == "acme: nothing tells where it is"


# --- verdicts ----------------------------------------------------------------------------------------


def test_the_same_files_elsewhere_are_identical(lock: Distribution, tmp_path: Path) -> None:
    here = installed(tmp_path / "here", script="#!/other/place/bin/python3.9\n")
    assert compare(lock, here) == ("identical", "")
    assert compare(lock, here, verify=False) == ("identical", "")
    found = measure(snapshot(lock), snapshot(here), verify=True)
    assert found is not None
    assert (found.is_exact, found.known, found.count("identical")) == (True, 1, 1)


def test_a_file_that_was_tampered_with_is_named(lock: Distribution, tmp_path: Path) -> None:
    here = installed(tmp_path / "here")
    (Path(str(here.location)) / "acme.py").write_text("VERSION = '1.0'  \n")
    assert compare(lock, here) == ("same-release", "changed here: acme.py")


def test_a_script_that_was_tampered_with_is_seen_though_its_first_line_may_differ(
    lock: Distribution, tmp_path: Path
) -> None:
    here = installed(tmp_path / "here")
    (tmp_path / "here/bin/tool").write_text("#!/usr/bin/python3\nimport evil\n")
    assert compare(lock, here)[0] == "same-release"
    assert compare(lock, here, verify=False)[0] == "same-release"


def test_a_lost_file(lock: Distribution, tmp_path: Path) -> None:
    here = installed(tmp_path / "here")
    (Path(str(here.location)) / "acme.py").unlink()
    assert compare(lock, here) == ("same-release", "changed here: acme.py")


def test_another_build_and_why(lock: Distribution, tmp_path: Path) -> None:
    other = replace(lock, contents=digest_of({"acme.py": b"0" * 32}))
    here = installed(tmp_path / "here")
    assert compare(other, here) == ("same-release", "another build of this release")
    reasons = {"acme": "no wheel fits this machine"}
    assert compare(other, here, reasons=reasons) == ("same-release", "no wheel fits this machine")
    patched = replace(other, patched=("acme.py",))
    assert compare(patched, here) == ("same-release", "the image's is not as its RECORD says: acme.py")


def test_another_version_and_none(lock: Distribution, tmp_path: Path) -> None:
    here = replace(installed(tmp_path / "here"), version="1.1")
    assert compare(lock, here) == ("differs", "1.1 here")
    assert compare(lock, reasons={"acme": "an editable project"}) == ("missing", "an editable project")


def test_what_is_known_to_be_changed_is_not_identical(lock: Distribution, tmp_path: Path) -> None:
    here = installed(tmp_path / "here")
    assert compare(lock, here, changed={"acme": "acme.py is changed"}) == ("same-release", "acme.py is changed")


def test_what_cannot_be_compared_is_not_counted(lock: Distribution, tmp_path: Path) -> None:
    here = installed(tmp_path / "here")
    (Path(str(here.metadata)) / "RECORD").unlink()
    assert compare(lock, here) == ("unknown", "nothing tells which files here are its")
    unknown = distribution("other")
    found = measure(snapshot(lock, unknown), snapshot(installed(tmp_path / "there"), unknown), verify=True)
    assert found is not None
    assert [(v.name, v.grade) for v in found.verdicts] == [("acme", "identical"), ("other", "unknown")]
    assert (found.known, found.is_exact) == (1, True)
    assert measure(snapshot(unknown), snapshot(unknown), verify=True) is None


def test_what_had_an_egg_info_is_compared_without_metadata(lock: Distribution, tmp_path: Path) -> None:
    files = {path: digest for path, digest in contents(lock).actual.items() if not path.startswith(INFO)}
    legacy = replace(lock, contents=digest_of(files), metadata=PurePosixPath("/site/acme-1.0-py3.9.egg-info"))
    assert compare(legacy, installed(tmp_path / "here")) == ("identical", "")


def test_conda_verifies_its_own(lock: Distribution) -> None:
    of_conda = distribution("numpy", conda="numpy-1.0-0", contents=lock.contents)
    assert measure(snapshot(of_conda), snapshot(of_conda), verify=True) is None


def test_on_another_platform_the_same_release_is_all_one_can_have(lock: Distribution, tmp_path: Path) -> None:
    other = replace(lock, contents=digest_of({}))
    here = snapshot(installed(tmp_path / "here"))
    foreign = replace(here, platform=Platform(os="darwin", architecture="arm64"))
    for side, exact, findings in ((here, False, 1), (foreign, True, 0)):
        found = measure(snapshot(other), side, verify=True)
        assert found is not None
        assert found.is_exact is exact
        assert len(list(other_builds(found, ()))) == findings
        assert list(other_builds(found, {"acme"})) == []


# --- the standard library ----------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path: Path) -> Callable[[str], PurePosixPath]:
    def make(name: str) -> PurePosixPath:
        folder = tmp_path / name / "lib" / "python3.9"
        for path in ("os.py", "json/__init__.py", "json/decoder.py", "test/x.py", "site-packages/six.py", "a.txt"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(path)
        (folder / "lib-dynload").mkdir()
        (folder / "lib-dynload/_ssl.cpython-39-x86_64-linux-gnu.so").write_text("x")
        return PurePosixPath(folder)

    return make


def modules(folder: PurePosixPath) -> dict[str, str] | None:
    return standard_library(HostTree(), [PurePosixPath("/nowhere.zip"), folder], host_digests)


def test_modules_of_the_standard_library(library: Callable[[str], PurePosixPath]) -> None:
    here, there = library("a"), library("b")
    found = modules(here)
    assert found is not None
    assert sorted(found) == ["json", "lib-dynload/_ssl", "os"]
    assert modules(there) == found
    (Path(str(there)) / "json/decoder.py").write_text("changed")
    changed = modules(there)
    assert changed is not None
    assert {name for name in found if found[name] != changed[name]} == {"json"}
    (Path(str(there)) / "json/decoder.py").rename(Path(str(there)) / "json/other.py")
    assert modules(there) != changed


def test_no_standard_library() -> None:
    assert standard_library(HostTree(), [PurePosixPath("/nowhere/python3.9")], host_digests) is None
    assert standard_library(HostTree(), [], host_digests) is None


def test_many_links_that_lead_back_end(library: Callable[[str], PurePosixPath]) -> None:
    """A folder of a hundred links to itself has a hundred to the eighth paths of eight names."""
    folder = Path(str(library("a")))
    before = modules(PurePosixPath(folder))
    for number in range(100):
        (folder / "json" / f"again{number}").symlink_to(folder)
        (folder / f"more{number}").symlink_to(folder)
    assert modules(PurePosixPath(folder)) == before


def test_the_library_is_part_of_the_comparison(
    lock: Distribution, library: Callable[[str], PurePosixPath], tmp_path: Path
) -> None:
    def side(one: Distribution, folder: PurePosixPath) -> Snapshot:
        made = snapshot(one)
        python = replace(made.python, sys_path=(folder,), standard_library=modules(folder))
        return replace(made, interpreters=(python,))

    here = library("here")
    expected = side(lock, library("there"))
    shutil.rmtree(str(here / "json"))
    found = measure(expected, side(installed(tmp_path / "env"), here), verify=True)
    assert found == Fidelity(
        verdicts=found.verdicts if found else (), modules=3, differing_modules=("json",), is_foreign=False
    )


def test_what_was_rebuilt_has_needs_of_its_own() -> None:
    verdicts = tuple(
        Verdict(name=name, version="1", grade=grade)
        for name, grade in (("A_b", "identical"), ("C.d", "same-release"), ("e", "differs"), ("f", "missing"))
    )
    assert Fidelity(verdicts=verdicts, modules=2).rebuilt == ("c-d", "e")
