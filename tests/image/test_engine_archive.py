"""What a real engine saves: an image that was imported, then changed and committed."""

from __future__ import annotations

import io
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from envsync.image.archive import open_archive
from envsync.reference import ArchiveFile
from envsync.rootfs import read_rootfs
from tests.image.layers import Folder, Link, tar_layer

pytestmark = pytest.mark.engine


def docker(*arguments: str, data: bytes | None = None) -> str:
    done = subprocess.run(["docker", *arguments], input=data, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def engine_runs() -> bool:
    return bool(shutil.which("docker")) and (
        subprocess.run(["docker", "version"], capture_output=True, timeout=60, check=False).returncode == 0
    )


@pytest.fixture
def saved(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The name of an image and what ``docker save`` makes of it."""
    if not engine_runs():
        pytest.skip("no Docker engine runs here")
    name = f"envsync-test-{secrets.token_hex(4)}"
    base = tar_layer(
        {
            "etc/": Folder(),
            "etc/os-release": b"ID=test\n",
            "etc/gone": b"",
            "opt/": Folder(),
            "opt/tool/": Folder(),
            "opt/tool/run": b"tool",
            "bin": Link("opt/tool"),
            "hard": Link("etc/os-release", hard=True),
        }
    )
    docker("import", "--change", "ENV A=1", "--change", "CMD /bin/run", "-", f"{name}:base", data=base)
    container = docker("create", f"{name}:base", "/bin/run")
    try:
        docker("cp", "-", f"{container}:/etc", data=tar_layer({"added": b"later", "os-release": b"ID=changed\n"}))
        docker("commit", "--change", "USER someone", container, f"{name}:1")
        path = tmp_path / "saved.tar"
        docker("save", "--output", str(path), f"{name}:1")
        yield f"{name}:1", path
    finally:
        docker("rm", "--force", container)
        docker("rmi", "--force", f"{name}:1", f"{name}:base")


def test_what_an_engine_saves(saved: tuple[str, Path]) -> None:
    name, path = saved
    image = open_archive(ArchiveFile(format="docker-archive", path=path), None)
    try:
        assert image.name == name
        assert image.config.digest == docker("image", "inspect", "--format", "{{.Id}}", name)
        assert image.config.config.user == "someone"
        assert [(each.name, each.value) for each in image.config.config.env if each.name == "A"] == [("A", "1")]
        rootfs = read_rootfs(image, lambda each: each.startswith("/etc/"))
        read = {str(found): rootfs.read(found) for found in rootfs.search("added|os-release|hard|run")}
    finally:
        image.close()
    assert read["/etc/added"] == b"later"
    assert read["/etc/os-release"] == b"ID=changed\n"
    assert read["/hard"] == b"ID=test\n"
    assert read["/opt/tool/run"] == b"tool"
    found = rootfs.stat(PurePosixPath("/bin/run"))
    assert found is not None
    assert (str(found.path), found.layer) == ("/opt/tool/run", image.config.diff_ids[0])
    found = rootfs.stat(PurePosixPath("/etc/added"))
    assert found is not None
    assert found.layer == image.config.diff_ids[1]


def test_an_engine_shows_the_same_files(saved: tuple[str, Path]) -> None:
    """``docker export`` of a container is what the engine itself makes of the layers."""
    import tarfile

    name, path = saved
    container = docker("create", name, "/bin/run")
    try:
        exported = subprocess.run(["docker", "export", container], capture_output=True, timeout=60, check=True).stdout
    finally:
        docker("rm", "--force", container)
    image = open_archive(ArchiveFile(format="docker-archive", path=path), None)
    rootfs = read_rootfs(image, lambda _: True)
    image.close()
    with tarfile.open(fileobj=io.BytesIO(exported)) as tar:
        members = {f"/{member.name}": member for member in tar}
        for found in rootfs.search(".*"):
            member = members[str(found)]
            assert member.issym() == (rootfs.readlink(found) is not None)
            if member.isreg():
                stream = tar.extractfile(member)
                assert stream is not None
                assert stream.read() == rootfs.read(found)
    # The engine adds what it mounts over at run time, and its mark.
    added = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/.dockerenv", "/dev/console"}
    files = {name for name, member in members.items() if not member.isdir()}
    assert files - added == {str(found) for found in rootfs.search(".*")}
