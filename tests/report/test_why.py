"""Why something is there."""

from __future__ import annotations

from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import pytest

from envsync.errors import UsageError
from envsync.model import CondaEnvironment, CondaPackage, Needs, Resource
from envsync.names import normalized
from envsync.report.provenance import find_reasons
from envsync.report.why import render_why, shortest_paths
from tests.factory import distribution, snapshot
from tests.report.inventory import inventory


def test_a_distribution_that_others_need() -> None:
    assert render_why(inventory(), "markupsafe").splitlines() == [
        "MarkupSafe 2.0.1",
        "  why: needed by Jinja2; asked for by name",
        "    Flask 2.0.1 -> Jinja2 2.11 -> MarkupSafe 2.0.1 (wanted: >=0.23)",
        f"  brought by layer 2, sha256:{'2' * 12}, 5.1 kB",
        "    RUN pip install .",
        "  from an index, it seems: nothing else is recorded",
        "  metadata at /usr/local/lib/python3.9/site-packages/MarkupSafe-2.0.1.dist-info",
        "  files that are not as its RECORD says:",
        "    markupsafe/_speedups.c",
    ]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("Numpy", ["  from numpy-1.21.6-cp39-cp39-manylinux_2_17_x86_64.whl, a file of an index,"]),
        ("numpy", ["  needs of the system:", "    ADD file:1 in /"]),
        ("proj", ["  why: top level", "    libxyz.so.3: not found", "    command git: /usr/bin/git, of git"]),
        ("proj", [f"      git+https://github.com/acme/proj.git@{'0123456789' * 4}"]),
        ("mine", ["  from editable, from file:///src"]),
        ("ring_b", ["  from ring_b-1.0-py3-none-any.whl, repacked from the image: no index has it"]),
        ("tornado", ["tornado: not installed", '  Flask 2.0.1 requires tornado>6; python_version > "3"']),
        ("libgomp.so.1", ["  needed by numpy (/usr/local/lib/numpy/core/_x.so), with GOMP_4.0"]),
        ("libgomp1", ["OS package libgomp1 12.2 amd64 (dpkg, source gcc)", "  libgomp.so.1: needed by numpy"]),
        ("libgomp1", ["  installed because another package needs it"]),
        ("zlib1g", ["  no distribution needs it, as far as its files tell"]),
        ("locale", ["locale: C.UTF-8", "  needed by whatever asks for it"]),
        ("git", ["  asked for by name", "  git: needed by Proj", "command git: /usr/bin/git, of git"]),
    ],
)
def test_what_is_said(name: str, lines: list[str]) -> None:
    said = render_why(inventory(), name).splitlines()
    assert set(lines) <= set(said), said
    assert all(len(line) <= 80 or len(line.split()) == 1 for line in said)


def test_where_no_needs_are_known_that_is_said() -> None:
    said = render_why(inventory(needs=None), "zlib1g")
    assert "  what needs it is not known: the lock tells no native needs\n" in said


def test_where_no_needs_are_known_nothing_can_be_said_of_a_library() -> None:
    with pytest.raises(UsageError, match=r"is called 'libgomp\.so\.1'") as caught:
        render_why(inventory(needs=None), "libgomp.so.1")
    assert (caught.value.hint or "").endswith("are not known of it; a lock that pull read from layers tells them.")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"value": "libzbar.so.0.3", "path": PurePosixPath("/usr/lib/libzbar.so.0.3"), "package": "libzbar0"}, ""),
        ({}, "not found"),
    ],
)
def test_a_library_that_is_loaded_by_its_name(fields: dict[str, Any], place: str) -> None:
    library = Resource(kind="dynamic-library", name="libzbar.so.0", needed_by=("pyzbar",), **fields)
    assert render_why(inventory(needs=Needs(objects=0, resources=(library,))), "libzbar.so.0").splitlines() == [
        f"library libzbar.so.0: {place or '/usr/lib/libzbar.so.0.3, of libzbar0'}",
        "  needed by pyzbar, by its name while it runs: no file is linked with it",
    ]


def test_conda_packages() -> None:
    channel = {"build": "h1_0", "channel": "conda-forge", "subdir": "linux-64", "url": "https://x/y.conda"}
    packages = (
        CondaPackage(name="mkl", version="2019.3", **channel),
        CondaPackage(name="numpy", version="1.16", depends=("mkl >=2019", " "), **channel),
    )
    found = inventory()
    said = render_why(inventory(conda=(CondaEnvironment(prefix=found.python.prefix, packages=packages),)), "mkl")
    assert said == "conda package mkl 2019.3 h1_0\n  needed by numpy\n  from conda-forge\n"


def test_paths_are_the_shortest_ones_of_each_root_and_folded() -> None:
    wide = snapshot(
        distribution("root", requires=tuple(f"m{n:02}" for n in range(20))),
        *(distribution(f"m{n:02}", requires=("leaf",)) for n in range(20)),
        distribution("near", requires=("leaf>1",)),
        distribution("leaf", requires=()),
    )
    paths = list(shortest_paths(find_reasons(wide), normalized("leaf")))
    assert paths[0] == ("near", "leaf")
    assert paths[1:] == [("root", f"m{n:02}", "leaf") for n in range(20)]
    folded, whole = render_why(wide, "leaf"), render_why(wide, "leaf", fold=False)
    assert "    near 1.0 -> leaf 1.0 (wanted: >1)\n    root 1.0 -> m00 1.0 -> leaf 1.0\n" in folded
    assert "    … and more (--all)\n" in folded
    assert whole.count(" -> leaf 1.0") == 21


def test_more_paths_than_can_be_listed_are_cut() -> None:
    levels = [[f"l{level}n{n}" for n in range(10)] for level in range(6)]
    needs = {name: below for above, below in pairwise(levels) for name in above}
    lattice = snapshot(
        distribution("root", requires=tuple(levels[0])),
        *(distribution(name, requires=tuple(needs.get(name, ["leaf"]))) for level in levels for name in level),
        distribution("leaf"),
    )
    assert render_why(lattice, "leaf", fold=False).endswith(".dist-info\n")
    assert "    … and more\n" in render_why(lattice, "leaf", fold=False)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("markupsav", "Did you mean MarkupSafe?"),
        ("libgomp.so.2", "Did you mean libgomp.so.1"),
        ("\x1b[2Jqqqqqqqq", "All names: --all, or --json"),
        ("", "All names: --all, or --json"),
    ],
)
def test_what_is_not_there(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match="--why: no distribution, conda or OS package, needed library, com") as caught:
        render_why(inventory(), name)
    assert (caught.value.hint or "").startswith(hint)
    assert caught.value.message.isprintable()
