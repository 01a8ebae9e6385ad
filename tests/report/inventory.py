"""A snapshot with something for every section of ``envsync show``."""

from __future__ import annotations

from pathlib import PurePosixPath

from msgspec.structs import replace

from envsync.model import (
    DirectoryOrigin,
    EnvironmentVariable,
    ImageConfig,
    ImageWheel,
    IndexFile,
    NeededBy,
    NeededCommand,
    NeededLibrary,
    Needs,
    OsPackage,
    Resource,
    Skipped,
    Snapshot,
    VcsOrigin,
)
from envsync.reference import Digest
from tests.factory import LAYER, distribution, snapshot, source

UPPER = Digest("sha256:" + "2" * 64)
PROVED = IndexFile(filename="numpy-1.21.6-cp39-cp39-manylinux_2_17_x86_64.whl", sha256="a" * 64, proof="proved")
NEEDS = Needs(
    objects=31,
    libraries=(
        NeededLibrary(
            soname="libgomp.so.1",
            path=PurePosixPath("/usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0"),
            package="libgomp1",
            needed_by=(
                NeededBy(name="numpy", versions=("GOMP_4.0",), file=PurePosixPath("/usr/local/lib/numpy/core/_x.so")),
            ),
        ),
        NeededLibrary(soname="libxyz.so.3", needed_by=(NeededBy(name="Proj"),)),
    ),
    commands=(NeededCommand(name="git", path=PurePosixPath("/usr/bin/git"), package="git", needed_by=("Proj",)),),
    resources=(Resource(kind="locale", value="C.UTF-8"),),
)


def inventory(**fields: object) -> Snapshot:
    commit = VcsOrigin(url="https://github.com/acme/proj.git", vcs="git", commit="0123456789" * 4)
    return snapshot(
        distribution("Flask", "2.0.1", layer=UPPER, requires=("Jinja2>=3", "click", "tornado>6; python_version>'3'")),
        distribution("Jinja2", "2.11", layer=UPPER, requires=("MarkupSafe>=0.23", "babel; extra == 'i18n'")),
        distribution("MarkupSafe", "2.0.1", layer=UPPER, requested=True, patched=("markupsafe/_speedups.c",)),
        distribution("click", "8.0.1", layer=LAYER),
        distribution("numpy", "1.21.6", layer=LAYER, file=PROVED),
        distribution("Proj", "0.1", layer=UPPER, origin=commit, requires=("numpy", "ring-a[fast]>=1")),
        distribution("ring-a", "1.0", layer=UPPER, requires=("ring-b",)),
        distribution(
            "ring-b",
            "1.0",
            layer=UPPER,
            requires=("ring-a",),
            wheel=ImageWheel(
                filename="ring_b-1.0-py3-none-any.whl", sha256="b" * 64, size=99, reason="no index has it"
            ),
        ),
        distribution("mine", "0.1", layer=UPPER, origin=DirectoryOrigin(url="file:///src", editable=True)),
        **{
            "source": source(
                method="read",
                layers=(LAYER, UPPER),
                layer_sizes=(74_800_000, 5_120),
                layer_commands=("/bin/sh -c #(nop) ADD file:1 in / ", "RUN /bin/sh -c pip install . # buildkit"),
            ),
            "config": ImageConfig(
                env=(
                    EnvironmentVariable(name="LANG", value="C.UTF-8"),
                    EnvironmentVariable(name="TOKEN", value=None),
                    EnvironmentVariable(name="X", value="\x1b[2J"),
                ),
                workdir="/app",
            ),
            "os_packages": (
                OsPackage(
                    manager="dpkg", name="git", version="1:2.39", architecture="amd64", source="git", explicit=True
                ),
                OsPackage(
                    manager="dpkg", name="libgomp1", version="12.2", architecture="amd64", source="gcc", explicit=False
                ),
                OsPackage(
                    manager="dpkg", name="zlib1g", version="1.2", architecture="amd64", source="zlib", explicit=False
                ),
            ),
            "needs": NEEDS,
            "skipped": (Skipped(subject="x.pth", place="/usr/local/x.pth", reason="runs code"),),
            **fields,
        },
    )


def large() -> Snapshot:
    """More of everything than is shown at once."""
    found = inventory()
    many = tuple(distribution(f"d{number:02}") for number in range(30))
    variables = tuple(EnvironmentVariable(name=f"V{number:02}", value="x" * 300) for number in range(20))
    return replace(
        found,
        interpreters=(replace(found.python, distributions=many),),
        config=ImageConfig(env=variables, workdir="/app"),
    )
