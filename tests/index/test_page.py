"""Pages of projects: what is on them, and what may not be."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.index.page import JSON, IndexFile, PageError, parse_page

URL = "https://index.example/simple/foo/"
SHA = "a" * 64


def parsed(data: bytes | str, content_type: str = "text/html", *, url: str = URL, project: str | None = "foo") -> Any:
    body = data.encode() if isinstance(data, str) else data
    return parse_page(body, content_type=content_type, url=url, index="https://index.example/simple", project=project)


def as_json(*files: object, version: str = "1.1") -> bytes:
    return json.dumps({"meta": {"api-version": version}, "name": "foo", "files": files}).encode()


def test_json() -> None:
    file = {
        "filename": "foo-1.0-py3-none-any.whl",
        "url": "https://files.example/foo-1.0-py3-none-any.whl",
        "hashes": {"sha256": SHA.upper(), "odd": "1"},
        "requires-python": ">=3.7",
        "yanked": "broken \x1b[31m",
        "upload-time": "2019-03-01T10:00:00.123456Z",
        "size": 1234,
        "core-metadata": {"sha256": SHA},
        "unknown": [1, 2],
    }
    (found,) = parsed(as_json(file), JSON).files
    assert found == IndexFile(
        filename="foo-1.0-py3-none-any.whl",
        project="foo",
        url="https://files.example/foo-1.0-py3-none-any.whl",
        index="https://index.example/simple",
        hashes=(f"sha256={SHA}",),
        requires_python=">=3.7",
        yanked="broken \\x1b[31m",
        upload_time="2019-03-01T10:00:00.123456Z",
        size=1234,
        core_metadata=True,
    )
    assert (found.is_wheel, found.version, found.sha256) == (True, "1.0", SHA)


@pytest.mark.parametrize(("told", "expected"), [(False, None), (True, ""), ("", ""), ("why", "why")])
def test_yanked(told: object, expected: str | None) -> None:
    (found,) = parsed(as_json({"filename": "foo-1.0.tar.gz", "url": "foo-1.0.tar.gz", "yanked": told}), JSON).files
    assert found.yanked == expected
    assert found.url == f"{URL}foo-1.0.tar.gz"


def test_html() -> None:
    page = f"""<!DOCTYPE html><html><head><base href="../../files/"><base href="/other/"></head><body>
    <a href="foo-1.0-py3-none-any.whl#sha256={SHA}" data-requires-python="&gt;=3.7" data-yanked>foo</a>
    <a href="https://user:secret@files.example/foo-1.1.tar.gz#md5={SHA[:32]}&x=y" data-core-metadata="true">any text</a>
    <a href="foo-1.2%2Blocal.tar.gz" data-yanked="security">foo</a>
    <a>nothing</a> <a href="../">up</a> <a href="foo-1.0-py2.7.egg">egg</a>"""
    first, second, third = parsed(page).files
    assert first.url == "https://index.example/files/foo-1.0-py3-none-any.whl"
    assert (first.hashes, first.requires_python, first.yanked) == ((f"sha256={SHA}",), ">=3.7", "")
    assert (second.url, second.core_metadata) == ("https://files.example/foo-1.1.tar.gz", True)
    assert (second.hashes, second.yanked, second.sha256) == ((f"md5={SHA[:32]}",), None, None)
    assert (third.filename, third.version, third.yanked) == ("foo-1.2+local.tar.gz", "1.2+local", "security")
    assert parsed(page).passed_over == 2


@pytest.mark.parametrize(
    "file",
    [
        5,
        {"filename": "foo-1.0.tar.gz"},
        {"filename": "../foo-1.0.tar.gz", "url": "x"},
        {"filename": "bar-1.0.tar.gz", "url": "x"},
        {"filename": "foo-1.0.tar.gz", "url": "file:///etc/passwd"},
        {"filename": "foo-1.0.tar.gz", "url": "ftp://files.example/x"},
        {"filename": "foo-1.0.tar.gz", "url": "https://[::1"},
        {"filename": "foo-1.0.tar.gz", "url": "https://files.example:99999/x"},
        {"filename": "foo-1.0.tar.gz", "url": "https://files.example/a b\nc"},
        {"filename": "foo-1.0.tar.gz", "url": "https://"},
        {"filename": "foo-1.0.tar.gz", "url": "x", "size": "large"},
    ],
)
def test_entries_that_are_passed_over(file: object) -> None:
    page = parsed(as_json(file, {"filename": "foo-2.0.zip", "url": "x"}), JSON)
    assert [found.filename for found in page.files] == ["foo-2.0.zip"]
    assert page.passed_over == 1


@pytest.mark.parametrize("link", ["../foo-1.0.tar.gz", "file:///somewhere/foo-1.0.tar.gz"])
def test_a_page_of_this_machine_may_name_its_files(link: str) -> None:
    (found,) = parsed(f'<a href="{link}">', url="file:///somewhere/foo/index.html").files
    assert found.url == "file:///somewhere/foo-1.0.tar.gz"


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"size": -1}, "size"),
        ({"size": 1 << 60}, "size"),
        ({"upload-time": "yesterday"}, "upload_time"),
        ({"upload-time": "2019-03-01T10:00:00Z; rm"}, "upload_time"),
        ({"hashes": {"sha256": "abc"}}, "sha256"),
    ],
)
def test_facts_that_are_passed_over(told: dict[str, object], name: str) -> None:
    (found,) = parsed(as_json({"filename": "foo-1.0.zip", "url": "x", **told}), JSON).files
    assert getattr(found, name) is None


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"{", JSON, f"{URL}: not JSON (expected the page of a project)"),
        (b"\xff\xfe", JSON, f"{URL}: not JSON (expected the page of a project)"),
        (b"[]", JSON, f"{URL}: not the page of a project (expected its files, as PEP 691 has them)"),
        (b'{"files": 5}', JSON, f"{URL}: not the page of a project (expected its files, as PEP 691 has them)"),
        (as_json(version="2.0"), JSON, f"{URL}: version 2.0 of the API (expected 1)"),
        (b"x", "image/png\x07", f"{URL}: image/png\\x07 (expected JSON or HTML of a package index)"),
    ],
)
def test_what_is_no_page(body: bytes, content_type: str, message: str) -> None:
    with pytest.raises(PageError) as caught:
        parsed(body, content_type)
    assert caught.value.message == message


def test_a_page_without_end() -> None:
    with pytest.raises(PageError) as caught:
        parsed("<a href=x>" * 100_001)
    assert caught.value.message == f"{URL}: 100001 files (expected at most 100000)"


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_OPTIONAL = ("url", "hashes", "size", "yanked", "requires-python", "upload-time", "core-metadata")
_ENTRY = st.fixed_dictionaries(
    {"filename": st.sampled_from(["foo-1.0.tar.gz", "foo-1-py3-none-any.whl"]) | st.text(max_size=20)},
    optional=dict.fromkeys(
        ("url", "hashes", "size", "yanked", "requires-python", "upload-time", "core-metadata"), _ANYTHING
    ),
)
_LINK = st.sampled_from(
    ["//", "http://[", "#sha256=", "file:", "?", "\x00", "a:b@", ":99999/", "foo-1.0.zip", "\u2028"]
)


@given(st.binary(max_size=200), st.sampled_from([JSON, "text/html", "", "application/json"]))
def test_any_bytes(body: bytes, content_type: str) -> None:
    with contextlib.suppress(PageError):
        parsed(body, content_type)


@given(st.lists(_ENTRY | _ANYTHING, max_size=4))
def test_any_json(files: list[object]) -> None:
    try:
        page = parsed(as_json(*files), JSON)
    except PageError:
        return
    assert len(page.files) + page.passed_over == len(files)
    assert all(file.url.startswith(("https://", "http://")) for file in page.files)


@given(st.lists(_LINK, max_size=4).map("".join), st.lists(_LINK, max_size=3).map("".join))
def test_any_link(link: str, base: str) -> None:
    page = parsed(f'<base href="{base}"><a href="{link}" data-yanked="{base}">')
    for file in page.files:
        assert file.url.startswith(("https://", "http://"))
        assert "@" not in file.url.split("/")[2]
        assert (file.yanked or "").isprintable()
