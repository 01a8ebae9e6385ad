"""What the code determines in docs/ and lockfiles/ is up to date (``make golden`` writes it)."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert _spec is not None
assert _spec.loader is not None
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_schemas() -> None:
    for path, text in generate.schemas().items():
        assert path.read_text(encoding="utf-8") == text, path


def test_command_line_reference() -> None:
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == generate.cli_reference()


def test_locks_of_published_lists(tmp_path: Path) -> None:
    generate.write_published_locks(tmp_path)
    for path in sorted(p for p in tmp_path.rglob("*") if p.is_file()):
        shipped = ROOT / "lockfiles" / path.relative_to(tmp_path)
        if '"kind": "image"' not in (shipped.parent / "snapshot.json").read_text(encoding="utf-8"):
            assert shipped.read_bytes() == path.read_bytes(), shipped


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert "://" in target or (path.parent / target).exists(), f"{path}: {target}"
