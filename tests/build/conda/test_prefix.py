"""Real conda environments, made by rattler from a channel on the loopback device."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from hashlib import md5
from pathlib import Path

import msgspec
import pytest

from envsync.build.conda.packages import cache_folder
from envsync.build.conda.state import read_distributions, read_records
from envsync.build.events import CondaProgress, Event, InterpreterFound, Note, Waiting
from envsync.build.marker import read_marker
from envsync.errors import BuildError
from envsync.host import conda_subdir
from envsync.local import describe
from envsync.model import CondaPackage, Snapshot
from tests.build.conda.making import (
    SITE,
    install_original,
    installed,
    lock_of,
    make,
    only_md5,
    tree,
    with_packages,
)
from tests.build.making import leftovers
from tests.build.wheels import Index, sdist, wheel
from tests.imagekit.conda_channel import BASE, Served, records, serve
from tests.imagekit.conda_package import Entry, Package, write_package
from tests.imagekit.faulty import Answer, Corrupt, Drop, Script, Stall, Truncate, on

pytestmark = pytest.mark.network


def test_an_environment_is_the_images_byte_for_byte(served: Served, tmp_path: Path) -> None:
    """Prefixes in text and in binary files, entry points, links, modes, records: all as if made in place."""
    target = tmp_path / "twin of it"
    original = tmp_path / "original"
    install_original(original, served, target=str(target), requested=("python=3.9", "six"))
    lock = lock_of(original)
    events: list[Event] = []
    built = make(lock, target, served, on_event=events.append)
    assert tree(target) == tree(original)
    assert installed(target) == installed(original)
    assert leftovers(target) == []
    count = len(lock.conda[0].packages)
    assert (built.installed, built.unchanged, built.removed) == (count, 0, 0)
    assert events[0] == InterpreterFound(path=target / "bin/python", version=lock.python.version, exact=True)
    last = [event for event in events if isinstance(event, CondaProgress)][-1]
    assert (last.fetched, last.linked, last.count) == (count, count, count)
    assert last.received > 1_000_000
    marker = read_marker(target)
    assert marker is not None
    assert (marker.backend, marker.environment) == ("rattler", str(target))


def test_it_works(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    target = tmp_path / "twin"
    make(lock, target, served)
    for program in ("demo-prefix", "python -c 'import sys; print(sys.prefix)'"):
        done = subprocess.run(f"{target}/bin/{program}", shell=True, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(target)
    done = subprocess.run([target / "bin" / "tabulate", "--help"], capture_output=True, text=True, check=True)
    assert "tabulate" in done.stdout
    found = describe(target).conda[0]
    assert found.requested == ("python=3.9", "six")
    assert [p.name for p in found.packages if p.missing] == []


def test_a_second_time_nothing_is_done(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    target = tmp_path / "twin"
    make(lock, target, served)
    before, asked = target.stat().st_ino, len(served.paths)
    built = make(lock, target, served)
    assert (built.installed, built.unchanged) == (0, len(lock.conda[0].packages))
    assert (target.stat().st_ino, len(served.paths)) == (before, asked)


def test_what_the_cache_has_is_not_fetched_again(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    make(lock, tmp_path / "one", served)
    asked = len(served.paths)
    make(lock, tmp_path / "two", served)
    assert len(served.paths) == asked


def test_an_environment_that_differs_is_made_anew(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    target = tmp_path / "twin"
    make(lock, target, served)
    (target / "conda-meta").joinpath(_record(target, "six")).unlink()
    (target / "of the user's").write_text("")
    built = make(lock, target, served)
    assert built.installed == len(lock.conda[0].packages)
    assert "six" in installed(target)
    assert not (target / "of the user's").exists()


def _record(prefix: Path, name: str) -> str:
    (path,) = (prefix / "conda-meta").glob(f"{name}-[0-9]*.json")
    return path.name


# --- what the image lacks, and what pip did -----------------------------------------------------------


def test_files_that_the_image_lacks_are_taken_away(original: Path, served: Served, tmp_path: Path) -> None:
    image = tmp_path / "image"
    shutil.copytree(original, image, symlinks=True)
    (image / "bin/demo-where").unlink()
    shutil.rmtree(image / "share/demo-tool")
    lock = lock_of(image)
    make(lock, tmp_path / "twin", served)
    assert not (tmp_path / "twin/bin/demo-where").exists()
    assert not (tmp_path / "twin/share/demo-tool").exists()
    assert lock_of(tmp_path / "twin").conda[0].packages == lock.conda[0].packages


def test_nothing_else_is_taken_away(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    """A lock may say that anything is missing: what is no file of the package itself stays."""
    outside = tmp_path / "outside"
    outside.write_text("")
    claims = ("../outside", str(outside), "bin/python3.9", "conda-meta/history", f"{SITE}/six.py/../../os.py")

    def claim(package: CondaPackage) -> CondaPackage:
        return msgspec.structs.replace(package, missing=claims) if package.name == "six" else package

    make(with_packages(lock, claim), tmp_path / "twin", served)
    assert outside.exists()
    assert tree(tmp_path / "twin") == _made_at(tmp_path / "twin", lock, served)


def _made_at(target: Path, lock: Snapshot, served: Served) -> dict[str, tuple[str, int, bytes]]:
    shutil.rmtree(target)
    make(lock, target, served)
    return tree(target)


def test_what_pip_installed_is_there_and_what_it_replaced_is_not(
    original: Path, served: Served, tmp_path: Path, index: Index
) -> None:
    image = tmp_path / "image"
    shutil.copytree(original, image, symlinks=True)
    command = [image / "bin/python", "-m", "pip", "install", "--no-deps", "--no-compile", "--index-url", index.url]
    subprocess.run([*command, "apple==1.0", "berry==1.0"], check=True, capture_output=True)
    lock = lock_of(image)
    target = tmp_path / "twin"
    built = make(lock, target, served)
    assert built.names == ("apple", "berry")
    twin = lock_of(target)
    assert twin.conda[0].packages == lock.conda[0].packages
    assert [(d.name, d.version, d.conda) for d in twin.distributions] == [
        (d.name, d.version, d.conda) for d in lock.distributions
    ]
    assert (target / "bin/apple").read_text().startswith(f"#!{target}/bin/python")
    again = make(lock, target, served)
    assert again.installed == 0
    subprocess.run([target / "bin/python", "-m", "pip", "uninstall", "-qy", "berry"], check=True)
    assert make(lock, target, served).names == ("apple", "berry")
    assert (target / SITE / "berry").is_dir()


def test_pip_over_conda_of_the_same_version_is_pips_own(
    original: Path, served: Served, tmp_path: Path, index: Index
) -> None:
    image = tmp_path / "image"
    shutil.copytree(original, image, symlinks=True)
    index.add(wheel("six", "1.16.0", {"six.py": "by_pip = True\n"}))
    options = ["--no-deps", "--no-compile", "--force-reinstall", "--index-url", index.url]
    subprocess.run(
        [image / "bin/python", "-m", "pip", "install", *options, "six==1.16.0"], check=True, capture_output=True
    )
    lock = lock_of(image)
    assert next(d for d in lock.distributions if d.name == "six").conda is None
    target = tmp_path / "twin"
    make(lock, target, served)
    assert (target / SITE / "six.py").read_text() == "by_pip = True\n"
    assert lock_of(target).conda[0].packages == lock.conda[0].packages
    assert make(lock, target, served).installed == 0


def test_a_distribution_whose_cached_files_are_spoilt_is_fetched_anew(
    original: Path, served: Served, tmp_path: Path, index: Index
) -> None:
    image = tmp_path / "image"
    shutil.copytree(original, image, symlinks=True)
    command = [image / "bin/python", "-m", "pip", "install", "--no-deps", "--no-compile", "--index-url", index.url]
    subprocess.run([*command, "berry==1.0"], check=True, capture_output=True)
    lock, target = lock_of(image), tmp_path / "twin"
    make(lock, target, served)
    file = target / SITE / "berry" / "__init__.py"
    with file.open("a") as stream:  # into uv's cache as well, which it is linked to
        stream.write("edited = True\n")
    make(lock, target, served, anew=True, damaged=frozenset({"berry"}))
    assert file.read_text() == "x = 1\n"


def test_flat_metadata_of_a_conda_package_is_not_pips(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    """``X.egg-info`` as a file, and what a package vendors, as Anaconda's old packages have them."""
    target = tmp_path / "twin"
    make(lock, target, served)
    record = target / "conda-meta" / _record(target, "six")
    data = json.loads(record.read_text())
    for name in ("pycosat-0.6.3-py3.9.egg-info", "setuptools/_vendor/apple-1.0.dist-info/METADATA"):
        (target / SITE / name).parent.mkdir(parents=True, exist_ok=True)
        (target / SITE / name).write_text("")
        entry = {"_path": f"{SITE}/{name}", "path_type": "hardlink", "sha256": "0" * 64, "size_in_bytes": 0}
        data["paths_data"]["paths"].append(entry)
    record.write_text(json.dumps(data))
    (target / SITE / "apple-1.0.dist-info").mkdir()
    found = read_distributions(target, read_records(target))
    assert [one.name for one in found.by_pip] == ["apple"]
    assert "pycosat" in found.by_conda


def test_another_sha256_is_another_package(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    without = with_packages(lock, lambda package: msgspec.structs.replace(package, md5=None))
    make(without, tmp_path / "twin", served)
    assert make(without, tmp_path / "twin", served).installed == 0
    other = with_packages(without, lambda p: msgspec.structs.replace(p, sha256="1" * 64) if p.name == "six" else p)
    with pytest.raises(BuildError, match="another hash"):
        make(other, tmp_path / "twin", served)


def test_environments_inside_are_not_lost_and_variables_are_kept(
    lock: Snapshot, served: Served, tmp_path: Path
) -> None:
    target = tmp_path / "twin"
    make(lock, target, served)
    (target / "conda-meta" / "state").write_text('{"env_vars": {"A": "b"}}')
    nested = target / "envs" / "mine" / "conda-meta"
    nested.mkdir(parents=True)
    make(lock, target, served)
    with pytest.raises(BuildError) as caught:
        make(lock, target, served, anew=True)
    assert caught.value.message == (
        f"{target}: has to be made anew, and environments inside of it would be lost: envs/mine"
    )
    shutil.rmtree(target / "envs")
    make(lock, target, served, anew=True)
    assert "b" in (target / "bin" / "activate").read_text()
    assert (target / "conda-meta" / "state").exists()


def test_link_scripts_are_not_run_and_that_is_said(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    events: list[Event] = []
    make(lock, tmp_path / "twin", served, on_event=events.append)
    assert not (tmp_path / "twin/share/demo-hook/linked.txt").exists()
    text = "not run: the post-link scripts of demo-hook (--backend conda runs them)"
    assert Note(text=text) in events


def test_it_joins_the_users_environments(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    home = tmp_path / "home"
    make(lock, tmp_path / "twin", served, home=home)
    make(lock, tmp_path / "other", served, home=home)
    listed = (home / ".conda/environments.txt").read_text()
    assert listed == f"{tmp_path / 'twin'}\n{tmp_path / 'other'}\n"


# --- hashes ------------------------------------------------------------------------------------------


def test_a_package_of_which_only_the_md5_is_known_is_not_another_one_of_the_cache(
    lock: Snapshot, tmp_path: Path
) -> None:
    """rattler's cache tells packages by name, version, build and SHA-256: without the last, it would take any."""
    other = tmp_path / "other"
    false = Package(name="six", version="1.16.0", build="pyhd3eb1b0_0", files={"share/false": Entry(data=b"false")})
    path = write_package(false, other / "main")
    six = next(p for p in lock.conda[0].packages if p.name == "six")
    forged = msgspec.structs.replace(
        six,
        md5=md5(path.read_bytes()).hexdigest(),
        sha256=None,
        url=f"{BASE}/main/{path.parent.name}/{path.name}",
        subdir=path.parent.name,
        noarch=None,
    )
    only = msgspec.structs.replace(lock.conda[0], packages=(forged,))
    with serve(other) as server:
        make(msgspec.structs.replace(lock, conda=(only,)), tmp_path / "false", server)
    assert (tmp_path / "false/share/false").exists()
    with serve() as server:
        make(with_packages(lock, only_md5), tmp_path / "twin", server)
        assert server.count("six-1.16.0-pyhd3eb1b0_0.tar.bz2") == 1
        asked = len(server.paths)
        make(with_packages(lock, only_md5), tmp_path / "again", server)
        assert len(server.paths) == asked
    assert not (tmp_path / "twin/share/false").exists()
    assert (tmp_path / "twin" / SITE / "six.py").exists()


@pytest.mark.parametrize("known", ["sha256", "md5"])
def test_a_file_with_another_hash_is_refused(lock: Snapshot, served: Served, tmp_path: Path, known: str) -> None:
    def forge(package: CondaPackage) -> CondaPackage:
        if package.name != "tabulate":
            return package
        other = {"md5": "0" * 32, "sha256": None} if known == "md5" else {"sha256": "0" * 64}
        return msgspec.structs.replace(package, **other)

    with pytest.raises(BuildError) as caught:
        make(with_packages(lock, forge), tmp_path / "twin", served)
    where, url, hashes = caught.value.message.splitlines()
    assert where == "tabulate 0.9.0 pyhd3eb1b0_0: the channel has it with another hash"
    assert url == f"  {served.url}/main/noarch/tabulate-0.9.0-pyhd3eb1b0_0.conda"
    assert hashes.endswith(f", the lock says {'0' * (64 if known == 'sha256' else 32)}")
    assert caught.value.hint is not None
    assert "Do not install it" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_package_without_any_hash_is_refused(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    def forget(package: CondaPackage) -> CondaPackage:
        return msgspec.structs.replace(package, md5=None, sha256=None) if package.name[0] in "st" else package

    with pytest.raises(BuildError) as caught:
        make(with_packages(lock, forget), tmp_path / "twin", served)
    names, _, why = caught.value.message.partition(": ")
    assert names == "setuptools, six, tabulate, tzdata"
    assert why == "the lock has no hash of the package, so that nobody could tell it from another"
    assert served.paths == []


# --- channels that fail ------------------------------------------------------------------------------

WHERE = "tabulate 0.9.0 pyhd3eb1b0_0"
FILE = "tabulate-0.9.0-pyhd3eb1b0_0.conda"


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        (on(FILE, ever_after=Answer(status=404)), "the channel no longer has it"),
        (on(FILE, ever_after=Answer(status=410)), "the channel no longer has it"),
        (on(FILE, ever_after=Answer(status=403)), "refused: 403 Forbidden"),
        (on(FILE, ever_after=Answer(status=500)), "the server fails: 500 Internal Server Error"),
        (on(FILE, ever_after=Corrupt(at=20_000)), "the file is damaged: Data corruption detected"),
    ],
    ids=["404", "410", "403", "500", "corrupt"],
)
def test_a_channel_that_fails_is_named(lock: Snapshot, tmp_path: Path, script: Script, cause: str) -> None:
    with serve(script=script) as server, pytest.raises(BuildError) as caught:
        make(lock, tmp_path / "twin", server)
    where, url, *_ = caught.value.message.splitlines()
    assert where == f"{WHERE}: {cause}"
    assert url == f"  {server.url}/main/noarch/{FILE}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", [Truncate(after=5_000), Drop(after=5_000), Answer(status=503)], ids=str)
def test_a_fault_that_passes_is_overcome(lock: Snapshot, tmp_path: Path, fault: Truncate | Drop | Answer) -> None:
    with serve(script=on(FILE, fault)) as server:
        make(lock, tmp_path / "twin", server)
        assert server.count(FILE) == 2


def test_another_place_is_tried(lock: Snapshot, tmp_path: Path) -> None:
    with serve(script=on(FILE, ever_after=Answer(status=404))) as one, serve() as other:
        make(lock, tmp_path / "twin", places=lambda channel: tuple(channel.replace(BASE, s.url) for s in (one, other)))
        assert one.count(FILE) == other.count(FILE) == 1


def test_a_channel_that_nobody_answers_for(lock: Snapshot, tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        make(lock, tmp_path / "twin", places=lambda _channel: ("http://127.0.0.1:1/main",))
    where, url = caught.value.message.splitlines()
    assert "Connection refused" in where
    assert url.startswith("  http://127.0.0.1:1/main/")


def test_credentials_are_sent_and_never_shown(lock: Snapshot, tmp_path: Path) -> None:
    with serve(user="anna:s3cret", script=on(FILE, ever_after=Answer(status=404))) as server:
        place = server.url.replace("http://", "http://anna:s3cret@")
        with pytest.raises(BuildError) as caught:
            make(lock, tmp_path / "twin", places=lambda channel: (channel.replace(BASE, place),))
    assert caught.value.message.splitlines()[0] == f"{WHERE}: the channel no longer has it"
    assert "s3cret" not in caught.value.message
    with serve(user="anna:s3cret") as server, pytest.raises(BuildError) as caught:
        make(lock, tmp_path / "twin", server)
    assert "refused: 401 Unauthorized" in caught.value.message


def test_a_token_is_sent_and_never_shown_nor_recorded(lock: Snapshot, tmp_path: Path) -> None:
    with serve(token="tk-s3cret") as server:
        make(lock, tmp_path / "twin", server)
    for path in (tmp_path / "twin/conda-meta").iterdir():
        assert b"s3cret" not in path.read_bytes(), path.name
    with serve(token="tk-s3cret", script=on(FILE, ever_after=Answer(status=404))) as server:
        shutil.rmtree(cache_folder())
        with pytest.raises(BuildError) as caught:
            make(lock, tmp_path / "other", server)
    assert "s3cret" not in caught.value.message


def test_a_silent_channel_is_given_up(lock: Snapshot, tmp_path: Path) -> None:
    with serve(script=on(FILE, ever_after=Stall(after=100))) as server, pytest.raises(BuildError) as caught:
        make(lock, tmp_path / "twin", server, patience=1.5)
    assert caught.value.message == "conda packages: nothing happened for 1.5 s; waiting for tabulate"
    assert list(tmp_path.iterdir()) == []


# --- this machine ------------------------------------------------------------------------------------


def test_a_cache_that_another_program_holds_is_waited_for(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    cache = cache_folder()
    cache.mkdir(parents=True)
    events: list[Event] = []
    with (cache / ".cache.lock").open("wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)

        def release(event: Event) -> None:
            events.append(event)
            if isinstance(event, Waiting):
                fcntl.flock(stream, fcntl.LOCK_UN)

        make(lock, tmp_path / "twin", served, on_event=release)
    assert Waiting(what=f"the package cache {cache}, which another program holds") in events


def test_a_cache_that_is_none(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    cache_folder().write_text("")
    with pytest.raises(BuildError) as caught:
        make(lock, tmp_path / "twin", served)
    assert caught.value.message.startswith(f"package cache {cache_folder()}: ")
    assert caught.value.hint == "Make it a folder of yours, or name another one: RATTLER_CACHE_DIR=DIR."


def test_a_path_that_is_too_long(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        make(lock, tmp_path / "/".join(["a" * 60] * 5), served)
    package, _, why = caught.value.message.partition(": ")
    assert package.split()[0] in ("demo-lib", "demo-tool", "python")
    assert why == "the path of the environment is longer than this package has room for"
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("Name a shorter path: ")
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []


@pytest.mark.parametrize("name", ["a\nb", "a\udcff"])
def test_a_path_that_no_file_could_name(lock: Snapshot, served: Served, tmp_path: Path, name: str) -> None:
    with pytest.raises(BuildError, match="has a line break, or what is no character, in it"):
        make(lock, tmp_path / name, served)
    assert served.paths == []


def test_packages_for_another_platform(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    def move(package: CondaPackage) -> CondaPackage:
        url = package.url.replace("/linux-64/", "/linux-aarch64/")
        return msgspec.structs.replace(package, url=url, subdir=url.split("/")[-2])

    with pytest.raises(BuildError) as caught:
        make(with_packages(lock, move), tmp_path / "twin", served)
    assert caught.value.message == (
        f"the lock's conda packages are for linux-aarch64, and this machine is {conda_subdir()}"
    )
    assert caught.value.hint is not None
    assert caught.value.hint.endswith(f"envsync pull acme/conda:1 --platform {conda_subdir()}")


def test_what_was_there_stays_until_the_new_one_is_whole(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    target = tmp_path / "twin"
    make(lock, target, served)
    before = tree(target)
    other = with_packages(lock, lambda p: msgspec.structs.replace(p, sha256="1" * 64) if p.name == "six" else p)
    with pytest.raises(BuildError, match="another hash"):
        make(other, target, served, anew=True)
    assert tree(target) == before
    assert leftovers(target) == []


def test_a_damaged_file_of_the_cache_is_found_where_it_counts(lock: Snapshot, served: Served, tmp_path: Path) -> None:
    """Files of environments may be links to those of the cache: what is done to one, is done to both.

    Neither size nor time tells.
    """
    make(lock, tmp_path / "one", served)
    (unpacked,) = cache_folder().glob("six-1.16.0-pyhd3eb1b0_0/**/six.py")
    right, status = unpacked.read_bytes(), unpacked.stat()
    unpacked.write_bytes(right.replace(b"import", b"Import", 1))
    os.utime(unpacked, ns=(status.st_atime_ns, status.st_mtime_ns))
    built = make(lock, tmp_path / "two", served)
    assert built.hashed == (cache_folder(),)
    assert (tmp_path / "two" / SITE / "six.py").read_bytes() == right


def test_the_channel_has_all_that_the_tests_ask_for() -> None:
    assert {"python", "six", "tabulate", "demo-tool"} <= {one.name.normalized for one in records()}


def test_an_sdist_is_built_beside_the_environment_whose_own_tools_stay(
    original: Path, served: Served, tmp_path: Path, index: Index
) -> None:
    """It needs what it does not declare; what it is built with is neither put over conda's setuptools nor removed."""
    image, target = tmp_path / "image", tmp_path / "twin"
    shutil.copytree(original, image, symlinks=True)
    index.add(
        wheel("fig", "1.0"),
        wheel("guava", "1.0"),
        wheel("setuptools", "57.5", {"setuptools/__init__.py": "tool = 1\n"}),
    )
    command = [image / "bin/python", "-m", "pip", "install", "--no-deps", "--no-compile", "--index-url", index.url]
    subprocess.run([*command, "fig==1.0", "guava==1.0"], check=True, capture_output=True)
    lock = lock_of(image)
    for name in ("fig", "guava"):
        shutil.rmtree(index.folder / "simple" / name)
    before = "import six, setuptools; assert setuptools.tool"
    index.add(sdist("fig", "1.0", before=before), sdist("guava", "1.0", before="raise RuntimeError('no way')"))
    index.add(wheel("wheel", "0.40"))
    built = make(lock, target, served)
    assert built.names == ("fig",)
    (lacking,) = built.not_reproducible
    assert (lacking.name, lacking.reason) == ("guava", "its build failed: RuntimeError: no way")
    assert lock_of(target).conda[0].packages == lock.conda[0].packages
    tools = [(d.name, d.version) for d in lock_of(target).distributions if d.name in ("setuptools", "wheel")]
    assert tools == [(d.name, d.version) for d in lock.distributions if d.name in ("setuptools", "wheel")]
    assert make(lock, target, served).installed == 0

    shutil.rmtree(target)
    with pytest.raises(BuildError, match=r"^guava 1\.0: its build failed: RuntimeError: no way"):
        make(lock, target, served, strict=True)
    assert not target.exists()
