"""Which OS package owns a file: of an image's layers, and by ``dpkg-query -S`` inside a container of it."""

from __future__ import annotations

import re
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from envsync.catalog.owners import find_owners
from envsync.image.archive import open_archive
from envsync.image_tree import read_tree
from envsync.reference import ArchiveFile

pytestmark = pytest.mark.engine

_PLACES = re.compile(r"/usr/(?:s?bin|lib)/(?!.*python3)")
"""Nobody asks whose a Python's own files are."""
_ASK = "sed 'p;s,^/usr,,' | xargs -n 500 dpkg-query -S 2>/dev/null"
"""Where the folders are merged, packages may have a file under either name."""


def test_reading_an_image_and_dpkg_in_it_say_the_same(debian_python_image: str, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    subprocess.run(["docker", "save", "--output", archive, debian_python_image], check=True)
    with closing(open_archive(ArchiveFile(format="docker-archive", path=archive), None)) as image:
        tree = read_tree(image, None, None)
        infos = map(tree.stat, tree.search(r".*\.so(?:\..*)?|[^.]+"))
        found = {info.path for info in infos if info and info.kind == "file"}
        files = sorted(path for path in found if _PLACES.match(str(path)))
        owners = find_owners(tree, files)
    command = ["docker", "run", "--rm", "-i", "--network=none", "--entrypoint=sh", debian_python_image, "-c", _ASK]
    asked = "".join(f"{path}\n" for path in files)
    told: dict[str, set[str]] = {}
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        packages, _, path = line.rpartition(": ")
        if not packages.startswith("diversion "):
            names = {package.partition(":")[0] for package in packages.split(", ")}
            told.setdefault(path if path.startswith("/usr/") else f"/usr{path}", set()).update(names)
    assert len(told) > 500
    assert {str(path): {package} for path, package in owners.items()} == told
