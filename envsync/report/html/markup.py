"""HTML, made of elements: what is not an element already is text, and escaped."""

from __future__ import annotations

import html

from envsync.redaction import printable

_LIMIT = 2_000
_SHORT = 80
_VOID = frozenset({"meta", "input"})


class Markup(str):
    """Text that is HTML."""

    __slots__ = ()


def text(value: str) -> Markup:
    """Text from anywhere: what does not print becomes escapes, and of the endless only the beginning is kept."""
    shown = printable(value[:_LIMIT])
    if len(value) > _LIMIT:
        shown += f"… ({len(value):,} characters)"
    return Markup(html.escape(shown))


def tag(name: str, /, *children: str | None, **attributes: str | int | bool | None) -> Markup:
    """An element: https://html.spec.whatwg.org/multipage/syntax.html#elements-2.

    Args:
        name: such as ``dl``.
        children: :class:`Markup`, or text, which is escaped; ``None`` is left out.
        attributes: ``aria_label`` is written ``aria-label``, ``class_`` is ``class``. ``True`` is an attribute without
            a value, ``None`` and ``False`` are none.
    """
    opened = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{opened}>")
    return Markup(f"<{opened}>{join(*children)}</{name}>")


def join(*children: str | None) -> Markup:
    """Several, one after the other."""
    return Markup(
        "".join(child if isinstance(child, Markup) else text(child) for child in children if child is not None)
    )


def _attribute(key: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    written = key.strip("_").replace("_", "-")
    return f" {written}" if value is True else f' {written}="{text(str(value))}"'


def isolated(value: str) -> Markup:
    """A name among words: letters that are written from right to left do not move its neighbours."""
    return tag("bdi", value, class_=extent(value))


def said(value: str) -> Markup:
    """A value that stands alone."""
    return tag("span", value, class_=extent(value))


def extent(value: str) -> str | None:
    """The class of what may be too long or, by what its letters carry, too high: only of that the size is bounded.

    A browser takes a second and more to lay out a thousand rows in which every cell is.
    """
    return None if len(value) <= _SHORT and value.isascii() else "long"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 library``, ``2 libraries``."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
