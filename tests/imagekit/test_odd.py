"""The image in which every distribution got there in another way is what its constants say."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence

import pytest

from tests.imagekit import odd
from tests.imagekit.engine import pip_freeze, run_in
from tests.imagekit.machine import KitError
from tests.imagekit.odd_projects import WRONG_FILE, data_wheel, files_folder, project_files, wrong_record_wheel

pytestmark = pytest.mark.engine


def shell(tag: str, script: str) -> list[str]:
    return run_in(tag, "sh", "-ec", script).splitlines()


def listing(tag: str, folder: str) -> set[str]:
    return set(shell(tag, f"ls {folder}"))


def recorded_hash(tag: str, info: str, path: str) -> str:
    """What RECORD says of a file."""
    lines = shell(tag, f"cat {odd.SITE}/{info}/RECORD")
    return next(line.split(",")[1] for line in lines if line.startswith(f"{path},"))


def actual_hash(tag: str, path: str) -> str:
    program = f"import hashlib; print(hashlib.sha256(open('{odd.SITE}/{path}', 'rb').read()).hexdigest())"
    digest = bytes.fromhex(run_in(tag, "python", "-c", program).strip())
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_what_it_is_made_from_is_the_same_each_time() -> None:
    assert (data_wheel(), wrong_record_wheel(), project_files()) == (
        data_wheel(),
        wrong_record_wheel(),
        project_files(),
    )


@pytest.mark.network
def test_what_is_installed_from_files_is_in_the_folder() -> None:
    names = {path.name for path in files_folder().iterdir()}
    assert names == {
        "envsync_fixture_data-0.5-py3-none-any.whl",
        "envsync_fixture_wrong_record-0.6-py3-none-any.whl",
        "retrying-1.3.3.tar.gz",
    }


def test_every_distribution_is_listed_and_imports(odd_image: str) -> None:
    lines = pip_freeze(odd_image)
    names = {line.partition("==")[0].partition(" @ ")[0] for line in lines if not line.startswith(("#", "-e"))}
    editable = {line.removeprefix("-e /src/") for line in lines if line.startswith("-e")}
    assert names | editable == {*odd.MODULES, "pip", "setuptools"}
    assert editable == {odd.EDITABLE, odd.DEVELOPED}
    program = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    modules = [module for several in odd.MODULES.values() for module in several]
    assert run_in(odd_image, "python", "-c", program, *modules) == ""


def test_the_library_that_exists_nowhere_is_found_beside_its_extension(odd_image: str) -> None:
    program = (
        "import envsync_fixture_nowhere as n; print(n.answer())\n"
        "print(*{line.split()[-1] for line in open('/proc/self/maps') if 'envsync_fixture_nowhere.libs' in line})"
    )
    answer, loaded = run_in(odd_image, "python", "-c", program).splitlines()
    assert (answer, loaded) == (
        "42",
        f"{odd.SITE}/envsync_fixture_nowhere.libs/libenvsync_fixture-5b3e1c0a.so.310",
    )
    assert {"numpy.libs"} <= listing(odd_image, odd.SITE)


def test_the_repository_is_gone_and_so_are_git_and_the_compiler(odd_image: str) -> None:
    told = json.loads("".join(shell(odd_image, f"cat {odd.SITE}/envsync_fixture_gone-0.9.dist-info/direct_url.json")))
    assert told["url"] == odd.GONE_URL
    assert told["vcs_info"]["requested_revision"] == "v0.9"
    assert shell(odd_image, "command -v git gcc || echo none") == ["none"]


def test_patched_and_wrongly_recorded_files_differ_from_record(odd_image: str) -> None:
    wrong = recorded_hash(odd_image, "envsync_fixture_wrong_record-0.6.dist-info", WRONG_FILE)
    promised = base64.urlsafe_b64encode(hashlib.sha256(b"VERSION = '0.5'\n").digest()).rstrip(b"=").decode()
    assert wrong == f"sha256={promised}" != actual_hash(odd_image, WRONG_FILE)
    patched = recorded_hash(odd_image, "idna-3.6.dist-info", odd.PATCHED_FILE)
    assert patched != actual_hash(odd_image, odd.PATCHED_FILE)
    assert recorded_hash(odd_image, "idna-3.6.dist-info", "idna/__init__.py") == actual_hash(
        odd_image, "idna/__init__.py"
    )


@pytest.mark.parametrize(
    ("path", "test"),
    [
        ("envsync_fixture_egg-0.2-py3.9.egg/EGG-INFO/PKG-INFO", "-f"),
        ("envsync_fixture_zipped-0.3-py3.9.egg", "-f"),
        ("retrying-1.3.3-py3.9.egg-info/installed-files.txt", "-f"),
        ("envsync_fixture_distutils-0.4-py3.9.egg-info", "-f"),
        ("envsync-fixture-developed.egg-link", "-f"),
        ("envsync_fixture_editable.pth", "-f"),
        ("zope.event-5.0-py3.11-nspkg.pth", "-f"),
        ("zope.interface-6.2-py3.9-nspkg.pth", "-f"),
        ("zope/__init__.py", "! -e"),
    ],
)
def test_each_way_of_installing_leaves_its_traces(odd_image: str, path: str, test: str) -> None:
    assert shell(odd_image, f"test {test} {odd.SITE}/{path} && echo yes") == ["yes"]


def test_one_is_only_in_the_users_own_site(odd_image: str) -> None:
    assert shell(odd_image, "id -un") == ["td-user"]
    program = "import tabulate; print(tabulate.__file__)"
    assert run_in(odd_image, "python", "-c", program).startswith(odd.USER_SITE)
    with pytest.raises(KitError, match="No module named 'tabulate'"):
        run_in(odd_image, "python", "-s", "-c", program)


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["fixture-python"], "0.5"),
        (["fixture-pythonw"], "0.5"),
        (["fixture-shell"], "0.5"),
        (["fixture-entry"], "0.5"),
        (["fixture-distutils"], "42"),
        (["envsync-fixture-egg"], "0.2"),
        (["envsync-fixture-zipped"], "0.3"),
        (["cat", "/usr/local/share/fixture-data/notes.txt"], "A note."),
        (["cat", "/usr/local/share/fixture/notes.txt"], "A note."),
        (["cat", "/usr/local/etc/fixture-data.conf"], "key = value"),
        (["cat", f"/usr/local/include/python3.9/{odd.DATA}/fixture.h"], "#define FIXTURE 5"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else None,
)
def test_commands_data_and_headers_are_in_place(odd_image: str, words: Sequence[str], printed: str) -> None:
    assert run_in(odd_image, *words).strip() == printed
