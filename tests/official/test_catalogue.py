from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.official import CatalogueError, OfficialTag, catalogue
from envsync.official.catalogue import parse_image

GOOD = """\
repository = "some/image"
description = "An image"
kind = "pip"
sources = [{facts = ["kind", "description"], url = "https://example.org/a", date = "2020", says = "so"}]

[[tags]]
tag = "1.0"
python = "3.9"
sources = [{facts = ["tag", "python"], url = "https://example.org/b", date = "undated", says = "so too"}]
"""


def tags() -> dict[str, OfficialTag]:
    return {str(image.name(tag)): tag for image in catalogue() for tag in image.tags}


def refused(text: str) -> str:
    with pytest.raises(CatalogueError) as caught:
        parse_image(text.encode(), "x.toml")
    return caught.value.message


def test_own_catalogue_has_every_known_tag():
    assert list(tags()) == [
        "digdag/digdag-anaconda3:2019.03",
        "digdag/digdag-python:3.10.1",
        "digdag/digdag-python:3.10",
        "digdag/digdag-python:3.9.22-td1",
        "digdag/digdag-python:3.9.2",
        "digdag/digdag-python:3.9",
        "digdag/digdag-python:3.9.1",
        "digdag/digdag-python:3.7",
        "digdag/digdag-python:3.7.3-stretch",
        "digdag/digdag-python:3.6.8-stretch",
        "treasuredata/customscript-python:3.12.11-td1",
        "treasuredata/customscript-python:3.12.11-td0",
    ]


def test_own_catalogue_says_no_more_than_its_sources():
    known = tags()
    nothing = known["digdag/digdag-anaconda3:2019.03"]
    assert (nothing.python, nothing.base_os, nothing.user, nothing.status, nothing.moving) == (None,) * 5
    assert {name for name, tag in known.items() if tag.moving} == {"digdag/digdag-python:3.9"}
    assert {name for name, tag in known.items() if tag.status == "current"} == {
        "digdag/digdag-python:3.10.1",
        "digdag/digdag-python:3.9.22-td1",
        "treasuredata/customscript-python:3.12.11-td0",
    }
    assert {name for name, tag in known.items() if tag.published} == {
        "digdag/digdag-anaconda3:2019.03",
        "digdag/digdag-python:3.7",
        "digdag/digdag-python:3.9",
    }
    assert not [name for name, tag in known.items() if tag.status == "gone"]


def test_values_that_are_inferred_have_a_note():
    assert all(
        tag.user_note for name, tag in tags().items() if tag.user and name != "digdag/digdag-python:3.7.3-stretch"
    )
    assert all(tag.python_note for name, tag in tags().items() if tag.python in ("3.7", "3.9", "3.10"))


def test_good_file():
    image = parse_image(GOOD.encode(), "x.toml")
    assert (image.repository, image.tags[0].python, image.tags[0].base_os) == ("some/image", "3.9", None)
    assert str(image.name(image.tags[0])) == "some/image:1.0"


def test_malformed_toml():
    assert refused("tags = [") == "x.toml: not TOML: Invalid value (at end of document)"


def test_not_utf_8():
    with pytest.raises(CatalogueError, match=r"^x\.toml: not TOML: 'utf-8' codec can't decode"):
        parse_image(b"description = '\xff'", "x.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('python = "3.9"', 'status = "old"', "tags[0].status: Invalid enum value 'old'"),
        ('python = "3.9"', "python = 3.9", "tags[0].python: Expected `str | null`, got `float`"),
        ('python = "3.9"', 'pyhton = "3.9"', "tags[0]: Object contains unknown field `pyhton`"),
        ('kind = "pip"', "", "Object missing required field `kind`"),
        ('kind = "pip"', 'kind = "gem"', "kind: Invalid enum value 'gem'"),
        ('facts = ["tag", "python"]', 'facts = ["tag"]', "tags[0].python: no source names it in its facts"),
        ('python = "3.9"', "", "tags[0].sources[0].facts: 'python' has no value here"),
        (
            '["kind", "description"]',
            '["kind", "description", "user"]',
            "sources[0].facts: 'user' is no fact of this (expected one of kind, description)",
        ),
        ('tag = "1.0"', 'tag = "1 0"', "tags[0].tag: image 'some/image:1 0': '1 0' is not a tag"),
    ],
)
def test_refused(old: str, new: str, message: str):
    assert old in GOOD
    assert refused(GOOD.replace(old, new)) == f"x.toml: {message}"


def test_no_source_at_all():
    message = refused(GOOD[: GOOD.index("[[tags]]")] + '[[tags]]\ntag = "1.0"\nsources = []\n')
    assert message == "x.toml: tags[0].sources: Expected `array` of length >= 1"


def test_url_that_is_none():
    message = refused(GOOD.replace("https://example.org/b", "javascript:alert(1)"))
    assert message.startswith("x.toml: tags[0].sources[0].url: Expected `str` matching regex")


def test_duplicate_tag_and_other_problems_are_reported_at_once():
    again = GOOD[GOOD.index("[[tags]]") :].replace(', "python"]', "]")
    assert refused(GOOD + again).splitlines() == [
        "x.toml: tags: '1.0' is there more than once",
        "x.toml: tags[1].python: no source names it in its facts",
    ]


def test_file_is_named_after_its_repository(tmp_path: Path):
    (tmp_path / "other.toml").write_text(GOOD)
    with pytest.raises(CatalogueError) as caught:
        catalogue(tmp_path)
    assert caught.value.message == (
        f"{tmp_path}/other.toml: repository: 'some/image' (expected one that ends in 'other')"
    )


@given(st.text() | st.sampled_from(GOOD.splitlines()).map(lambda line: GOOD.replace(line, "")))
def test_never_raises_anything_else(text: str):
    with contextlib.suppress(CatalogueError):
        parse_image(text.encode(errors="surrogatepass"), "x.toml")


def test_records_belong_to_conda_images_only():
    published = (
        'published = {file = "a.txt", records = "a.tsv", url = "https://example.org/c", date = "2020", '
        'completeness = "all"}\n'
    )
    message = "x.toml: tags[0].published.records: belongs to the list of a conda image, and to no other"
    assert refused(GOOD + published) == message
    conda = GOOD.replace('kind = "pip"', 'kind = "conda"')
    assert refused(conda + published.replace('records = "a.tsv", ', "")) == message
    assert parse_image((conda + published).encode(), "x.toml").tags[0].published is not None
