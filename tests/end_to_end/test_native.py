"""What the files of real images need of their system, beside what ldd and dpkg say inside of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import PurePosixPath

import pytest

from envsync.catalog.native import closure
from envsync.catalog.owners import find_owners
from envsync.gather import read_snapshot
from envsync.image.archive import open_archive
from envsync.image_tree import read_tree
from envsync.model import ImageSource
from envsync.reference import ArchiveFile
from tests.imagekit.engine import run_in, save
from tests.test_loader import parse_ldd

pytestmark = pytest.mark.engine

LIBRARIES = "find / -xdev -type f \\( -name '*.so' -o -name '*.so.*' \\) 2>/dev/null"
LDD = f'{LIBRARIES} | while read file; do echo "== $file"; LC_ALL=C ldd "$file" 2>&1; done'
REAL = 'for name in "$@"; do readlink -f "$name"; done'
OWNERS = 'for name in "$@"; do dpkg -S "$name" "/usr$name" "${name#/usr}" 2>/dev/null; done; true'


@pytest.mark.parametrize("name", ["replica37", "odd"])
def test_what_is_found_is_what_ldd_and_dpkg_find(name: str, image: Callable[[str], str]) -> None:
    tag = image(name)
    said = run_in(tag, "bash", "-c", LDD).split("== ")[1:]
    parts = [(one.partition("\n")[0], one.partition("\n")[2]) for one in said]
    answers = {path: parse_ldd(text, real=str) for path, text in parts if "not a dynamic executable" not in text}
    found_there = sorted({path for closures in answers.values() for path in closures.values() if path})
    real = dict(zip(found_there, run_in(tag, "bash", "-c", REAL, "-", *found_there).splitlines(), strict=True))
    assert len(answers) > 500
    with closing(open_archive(ArchiveFile(format="docker-archive", path=save(tag)), None)) as opened:
        tree = read_tree(opened, None, None)
        env = {one.name: one.value or "" for one in opened.config.config.env}
        for path, expected in answers.items():
            found = closure(tree, PurePosixPath(path), env)
            told = {soname: real[place] if place else None for soname, place in expected.items()}
            assert {soname: str(place) if place else None for soname, place in found.items()} == told, path
        listed = run_in(tag, "bash", "-c", OWNERS, "-", *real.values())
        packages = {
            path.removeprefix("/usr"): name for name, path in re.findall(r"^([^:,\s]+).*: (/\S+)$", listed, re.M)
        }
        owners = find_owners(tree, [PurePosixPath(path) for path in real.values()])
        told_owners = {path: packages.get(path.removeprefix("/usr")) for path in real.values()}
        assert {path: owners.get(PurePosixPath(path)) for path in real.values()} == told_owners
        assert len(set(filter(None, told_owners.values()))) > 10
        source = ImageSource(
            reference=tag, config_digest=opened.config.digest, method="read", pulled_at="2024-01-01T00:00:00Z"
        )
        needs = read_snapshot(opened, source, interpreter=None).needs
    assert needs is not None
    own = [path for path in answers if "/python3" in path]
    assert len(own) > 50
    assert needs.objects == len(own) + 2  # the interpreter and libpython
    everything = {
        (soname, real.get(place or "")) for closures in answers.values() for soname, place in closures.items()
    }
    for library in needs.libraries:
        path = str(library.path) if library.path else None
        assert (library.soname, path) in everything
        assert library.package == (told_owners[path] if path else None)
        assert not library.lacking
        assert not library.broken
