from __future__ import annotations

from envsync.official import catalogue
from tests.official.document import PAGE, render_document


def test_page_agrees_with_the_catalogue() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_document(catalogue()), "run: python -m tests.official.document"


def test_page_has_every_source_and_note() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for image in catalogue():
        for tag in image.tags:
            assert f"### {image.name(tag)}\n" in page
            for said in (*(source.url for source in tag.sources), tag.python_note, tag.base_os_note, tag.user_note):
                assert said is None or said in page
            for doubt in tag.published.doubts if tag.published else ():
                assert doubt.note in page
