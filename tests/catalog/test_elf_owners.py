"""Which distribution a shared object belongs to, and what is read for that."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from envsync.catalog.elf_owners import Owners
from envsync.files import READ_LIMIT, HostTree
from envsync.image_tree import wanted
from envsync.model import Distribution, Interpreter

SITE = PurePosixPath("/lib/python3.9/site-packages")


class Noting(HostTree):
    """Notes what is read."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        self.texts: list[str] = []

    def read(self, path: PurePosixPath, *, limit: int = READ_LIMIT) -> bytes:
        data = super().read(path, limit=limit)
        self.texts.append(str(path))
        return data


def owners(root: Path, files: dict[str, str]) -> tuple[Owners, list[str]]:
    for name, text in files.items():
        path = Path(f"{root}{SITE}", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    infos = sorted({name.split("/")[0] for name in files if "-info/" in name})
    distributions = tuple(
        Distribution(name=info.split("-")[0], version="1", location=SITE, metadata=SITE / info) for info in infos
    )
    tree = Noting(root)
    found = Owners(tree, Interpreter(version="3.9.1", sys_path=(SITE,), distributions=distributions), system=())
    return found, tree.texts


@pytest.mark.parametrize("record", ["a/__init__.py,,\n", "a/_x.so,,\n"])
def test_what_has_a_record_is_not_asked_for_its_top_level(record: str, tmp_path: Path) -> None:
    """Of an image it is not kept: each such file would have its layer received once more."""
    _, texts = owners(tmp_path, {"a-1.dist-info/RECORD": record, "a-1.dist-info/top_level.txt": "a\n"})
    assert texts == [f"{SITE}/a-1.dist-info/RECORD"]
    assert all(wanted()(text) for text in texts)


def test_what_has_no_record_is_known_by_files_that_are_kept(tmp_path: Path) -> None:
    found, texts = owners(
        tmp_path,
        {
            "a-1.egg-info/installed-files.txt": "../_x.so\n",
            "b-1.egg-info/top_level.txt": "other\n",
            "other/_y.so": "",
        },
    )
    assert all(wanted()(text) for text in texts)
    assert found.owner(SITE / "_x.so") == "a"
    assert found.owner(SITE / "other/_y.so") == "b"
