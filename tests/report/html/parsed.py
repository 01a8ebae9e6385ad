"""A page, as a parser of HTML that knows nothing of us sees it."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "input"}


class Parsed(HTMLParser):
    """Elements in the order in which they begin, with their attributes; raises where they do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}>: an attribute twice: {attrs}"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.elements]

    def attribute(self, key: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(key)) is not None]
