"""What is worked out from files equals what each interpreter says when it runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from envsync.catalog.libc import find_libc
from envsync.catalog.tags import compatibility_tags, platform_tag
from envsync.files import HostTree
from tests.catalog.real import (
    MACHINE,
    SYSTEM,
    ask,
    assert_same,
    describe,
    environment,
    executables,
    interpreters,
    run,
)

EASY_INSTALL = (
    "import sys; sys.__plen = len(sys.path)\n"
    "./egg-1.0-py3.egg\n"
    "{other}\n"
    "import sys; new=sys.path[sys.__plen:]; del sys.path[sys.__plen:]; p=getattr(sys,'__egginsert',0); "
    "sys.path[p:p]=new; sys.__egginsert = p+len(new)\n"
)


def user_site(python: Path, home: Path) -> Path:
    version = ask(python, environment(home), home)["version"]
    folder = home / ".local/lib" / f"python{'.'.join(version.split('.')[:2])}" / "site-packages"
    folder.mkdir(parents=True)
    return folder


@interpreters()
def test_as_it_stands(python: Path, tmp_path: Path) -> None:
    found, _ = assert_same(python, environment(tmp_path), tmp_path)
    assert found.venv is None
    assert found.implementation == "cpython"


@interpreters()
def test_pythonpath(python: Path, tmp_path: Path) -> None:
    given = f"/absent:{tmp_path}/./here/..//there:relative:/absent:"
    assert_same(python, environment(tmp_path, PYTHONPATH=given), tmp_path)


@interpreters()
def test_user_site_and_its_path_configuration_files(python: Path, tmp_path: Path) -> None:
    site = user_site(python, tmp_path)
    for folder in ("one", "two", "three", "egg-1.0-py3.egg", "bom", "hidden", "late"):
        (site / folder).mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (site / "a.zip").write_bytes(b"")
    (site / "b.pth").write_text(
        f"# comment\n\nthree\n  two\ntwo \none\nabsent\n{elsewhere}\na.zip\nthree/../one\n../\n"
    )
    (site / "c-nspkg.pth").write_text(
        "import sys, types, os;p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('ns',));m = None\n"
    )
    (site / "bom.pth").write_bytes(b"\xef\xbb\xbfbom\n")
    (site / ".hidden.pth").write_text("hidden\n")
    (site / "easy-install.pth").write_text(EASY_INSTALL.format(other=tmp_path))
    (site / "no-end.pth").write_bytes(b"late\r\none\x0clate")
    (site / "itself.pth").write_text(".\n")
    _, skipped = assert_same(python, environment(tmp_path), tmp_path)
    assert skipped == ()


@interpreters()
def test_user_site_elsewhere_or_nowhere(python: Path, tmp_path: Path) -> None:
    site = user_site(python, tmp_path)
    other = tmp_path / "other"
    shutil.copytree(tmp_path / ".local", other)
    assert str(site) in map(str, assert_same(python, environment(tmp_path), tmp_path)[0].sys_path)
    assert_same(python, environment(tmp_path, PYTHONUSERBASE=str(other)), tmp_path)
    assert_same(python, environment(tmp_path, PYTHONNOUSERSITE="1"), tmp_path)
    assert_same(python, environment(tmp_path, PYTHONNOUSERSITE=""), tmp_path)


@interpreters()
def test_code_in_a_path_configuration_file_is_reported_not_run(python: Path, tmp_path: Path) -> None:
    site = user_site(python, tmp_path)
    (site / "trick.pth").write_text(f"import sys; open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    _, skipped = describe(python, environment(tmp_path), tmp_path)
    (one,) = (item for item in skipped if item.place.startswith(str(tmp_path)))
    assert (one.subject, one.place) == ("trick.pth", str(site / "trick.pth"))
    assert one.reason.startswith("runs code at start-up, which was not executed: import sys; open(")
    assert not (tmp_path / "ran").exists()


@interpreters(at_least=(3, 6))
@pytest.mark.parametrize("options", [[], ["--system-site-packages"], ["--copies"]], ids=lambda o: "".join(o) or "plain")
def test_venv(python: Path, options: list[str], tmp_path: Path) -> None:
    made = tmp_path / "venv"
    if subprocess.run([python, "-c", "import venv"], check=False, capture_output=True).returncode:
        pytest.skip("this Python has no venv")
    run([python, "-m", "venv", "--without-pip", *options, made])
    user_site(python, tmp_path)
    found, _ = assert_same(made / "bin/python", environment(tmp_path, VIRTUAL_ENV=str(made)), tmp_path)
    assert found.venv is not None
    assert found.venv.system_site_packages == ("--system-site-packages" in options)
    assert not found.externally_managed


@interpreters(at_least=(3, 8))
def test_uv_venv(python: Path, tmp_path: Path) -> None:
    from uv import find_uv_bin

    made = tmp_path / "venv"
    run([find_uv_bin(), "venv", "--offline", "--quiet", "--python", python, made])
    found, _ = assert_same(made / "bin/python3", environment(tmp_path), tmp_path)
    assert found.venv is not None


@pytest.mark.network
@interpreters(only=[(2, 7), (3, 6), (3, 12)])
@pytest.mark.parametrize("options", [[], ["--system-site-packages"]], ids=lambda o: "".join(o) or "plain")
def test_virtualenv(python: Path, options: list[str], tmp_path: Path, virtualenv: Path) -> None:
    made = tmp_path / "venv"
    run([virtualenv, "--quiet", "--no-seed", *options, "--python", python, "--app-data", tmp_path / "data", made])
    user_site(python, tmp_path)
    found, _ = assert_same(made / "bin/python", environment(tmp_path, PYTHONPATH="/absent"), tmp_path)
    assert found.venv is not None


@pytest.fixture(scope="session")
def virtualenv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last virtualenv that makes environments of 2.7 and 3.6 too."""
    from uv import find_uv_bin

    newer = [path for path in executables() if path != SYSTEM and "/3.1" in str(path)]
    if not newer:
        pytest.skip("virtualenv needs an interpreter to run in")
    made = tmp_path_factory.mktemp("virtualenv")
    run([find_uv_bin(), "venv", "--quiet", "--python", newer[0], made / "v"])
    done = subprocess.run(
        [
            find_uv_bin(),
            "pip",
            "install",
            "--quiet",
            "--python",
            made / "v/bin/python",
            "virtualenv==20.21.1",
            "setuptools<80",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"virtualenv cannot be installed: {done.stderr[-200:]}")
    return made / "v/bin/virtualenv"


@interpreters()
def test_called_through_links(python: Path, tmp_path: Path) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "opt/current").symlink_to(python.resolve().parents[1])
    (tmp_path / "bin/python").symlink_to(f"../opt/current/bin/{python.resolve().name}")
    assert_same(tmp_path / "bin/python", environment(tmp_path), tmp_path)
    assert_same(tmp_path / "opt/current/bin" / python.resolve().name, environment(tmp_path), tmp_path)


@interpreters()
def test_copied_away_from_its_library(python: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bin/python3"
    copy.parent.mkdir()
    shutil.copy(python.resolve(), copy)
    found, _ = assert_same(copy, environment(tmp_path), tmp_path)
    assert found.prefix == found.base_prefix != tmp_path


@interpreters()
def test_python_home(python: Path, tmp_path: Path) -> None:
    home = python.resolve().parents[1]
    assert_same(python, environment(tmp_path, PYTHONHOME=str(home)), tmp_path)
    assert_same(python, environment(tmp_path, PYTHONHOME=f"{home}:{home}"), tmp_path)


@interpreters(at_least=(3, 9))
def test_compatibility_tags(python: Path, tmp_path: Path) -> None:
    found, _ = describe(python, environment(tmp_path), tmp_path)
    question = (
        f"import json, sys; sys.path.append({sysconfig.get_path('purelib')!r})\n"
        "from packaging import tags; print(json.dumps([str(tag) for tag in tags.sys_tags()]))"
    )
    told = json.loads(run([python, "-c", question], env=environment(tmp_path)))
    libc = find_libc(HostTree(), MACHINE)
    tags = compatibility_tags(found, MACHINE, libc)
    assert sorted(tags) == sorted(told)
    # packaging 26 moved the tags that name no libc to the front
    unnamed = f"-linux_{MACHINE}"
    named = [tag for tag in told if not tag.endswith(unnamed)]
    assert [tag for tag in tags if not tag.endswith(unnamed)] == named
    assert found.platform_tag == platform_tag(MACHINE, libc) == named[0].split("-", 2)[2]


@pytest.mark.skipif(not Path("/bin").is_symlink() or not SYSTEM.exists(), reason="no merged /usr here")
def test_through_a_linked_folder_at_the_root(tmp_path: Path) -> None:
    assert_same(Path("/bin/python3"), environment(tmp_path), tmp_path)
