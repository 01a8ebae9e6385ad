"""``docs/official-images.md``, made from the catalogue: ``python -m tests.official.document``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from envsync.official import Citation, OfficialImage, OfficialTag, PublishedList, catalogue

PAGE = Path(__file__).parents[2] / "docs" / "official-images.md"

INTRODUCTION = """\
# Official images

What published sources say of the images that Treasure Data publishes for `py>` tasks. This page is made from
`images/*.toml` by `python -m tests.official.document`; change those files, not this one.

Nothing here was read from an image. `envsync pull` does that, and its lock then says what is really in there.
What is absent here is not known. Of none of the images was a source found for the packages of its operating system,
the Java that pyspark needs, its whole environment, its working directory or entry point, its digest or its Dockerfile.

| status | meaning |
| --- | --- |
| current | the publisher lists it as supported and does not call it deprecated |
| deprecated | the publisher calls it deprecated, or announced that it would be dropped |
| gone | it cannot be pulled any more (known of none of these) |

A tag that *moves* is pointed at newer images from time to time: what a list or a lock says of it holds for its date.
"""


def render_document(images: Iterable[OfficialImage]) -> str:
    """The whole page."""
    return INTRODUCTION + "".join("\n" + "\n".join(_image(image)) + "\n" for image in images)


def _image(image: OfficialImage) -> Iterator[str]:
    yield f"## {image.repository}"
    yield ""
    yield f"{image.description}. Kind: {image.kind}."
    yield ""
    yield from _sources(image.sources)
    for tag in image.tags:
        yield ""
        yield f"### {image.repository}:{tag.tag}"
        yield ""
        yield from _facts(tag)
        yield ""
        yield from _sources(tag.sources)
        if tag.published:
            yield ""
            yield from _published(tag.published)


def _facts(tag: OfficialTag) -> Iterator[str]:
    moves = None if tag.moving is None else "yes" if tag.moving else "no"
    yield "| | | how far to trust it |"
    yield "| --- | --- | --- |"
    for label, value, note in (
        ("Python", tag.python, tag.python_note),
        ("base OS", tag.base_os, tag.base_os_note),
        ("user", tag.user, tag.user_note),
        ("status", tag.status, tag.status_note),
        ("moves", moves, None),
    ):
        yield f"| {label} | {value or 'not known'} | {note or ''} |".replace("  |", " |")


def _sources(sources: Iterable[Citation]) -> Iterator[str]:
    for source in sources:
        facts = ", ".join(fact.replace("_", " ") for fact in source.facts)
        yield f"- {facts}: <{source.url}> ({source.date}): {source.says}"


def _published(published: PublishedList) -> Iterator[str]:
    yield f"Published list, [{published.file}](../images/published/{published.file}), from <{published.url}>"
    yield f"({published.date}). {published.completeness[:1].upper()}{published.completeness[1:]}."
    yield ""
    for note in published.notes:
        yield f"- {note}"
    for doubt in published.doubts:
        yield f"- Doubtful: {doubt.name} {doubt.value}: {doubt.note}."


if __name__ == "__main__":
    PAGE.write_text(render_document(catalogue()), encoding="utf-8")
