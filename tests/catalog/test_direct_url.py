from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.catalog.direct_url import DirectUrlError, parse_direct_url
from envsync.model import ArchiveOrigin, DirectoryOrigin, VcsOrigin


def parse(content: object) -> object:
    return parse_direct_url(json.dumps(content).encode())


def test_vcs_without_the_users_password() -> None:
    content = {
        "url": "https://user:secret@example.org/r.git",
        "vcs_info": {"vcs": "git", "commit_id": "abc", "requested_revision": "main"},
        "subdirectory": "s",
    }
    found = parse_direct_url(json.dumps(content).encode())
    assert found.origin == VcsOrigin(
        url="https://example.org/r.git",
        vcs="git",
        commit="abc",
        requested_revision="main",
        subdirectory="s",
    )


def test_archive_with_both_spellings_of_its_hash() -> None:
    info = {"hashes": {"sha512": "b", "sha256": "a"}, "hash": "sha256=a"}
    found = parse_direct_url(json.dumps({"url": "https://e.org/a.whl", "archive_info": info}).encode())
    assert found.origin == ArchiveOrigin(url="https://e.org/a.whl", hashes=("sha256=a", "sha512=b"))
    assert (found.legacy_hash, found.first_hash) == ("sha256=a", "sha512=b")


def test_editable_folder() -> None:
    found = parse_direct_url(b'{"url": "file:///src/a", "dir_info": {"editable": true}}')
    assert found.origin == DirectoryOrigin(url="file:///src/a", editable=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "direct_url.json: expected an object"),
        ({"dir_info": {}}, "direct_url.json: url is missing"),
        ({"url": 1, "dir_info": {}}, "direct_url.json: url: expected str, not int"),
        ({"url": "a"}, "direct_url.json: expected exactly one of vcs_info, archive_info and dir_info"),
        (
            {"url": "a", "vcs_info": {"vcs": "g it", "commit_id": "1"}},
            "direct_url.json: vcs_info.vcs: not the name of a version control system",
        ),
        ({"url": "a", "vcs_info": {"vcs": "git"}}, "direct_url.json: commit_id is missing"),
        (
            {"url": "a", "archive_info": {"hash": "abc"}},
            "direct_url.json: archive_info.hash: expected <algorithm>=<hash>",
        ),
        (
            {"url": "a", "archive_info": {"hashes": {"md5": 1}}},
            "direct_url.json: archive_info.hashes: expected strings",
        ),
        ({"url": "a", "dir_info": {"editable": "yes"}}, "direct_url.json: editable: expected bool, not str"),
    ],
)
def test_what_is_wrong_is_named(content: object, message: str) -> None:
    with pytest.raises(DirectUrlError) as raised:
        parse(content)
    assert raised.value.message == message


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b'{"url": ' + b"1" * 10_000 + b"}"])
def test_what_is_no_json_is_named(data: bytes) -> None:
    with pytest.raises(DirectUrlError, match=r"^direct_url\.json: "):
        parse_direct_url(data)


TEXT = st.text("a:/@=# ", max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
KEYS = ("url", "subdirectory", "vcs_info", "archive_info", "dir_info")
INFO = st.dictionaries(st.sampled_from(["vcs", "commit_id", "hash", "hashes", "editable"]), JSON)


@given(st.binary() | st.dictionaries(st.sampled_from(KEYS), JSON | INFO).map(lambda c: json.dumps(c).encode()))
def test_nothing_but_its_own_error(data: bytes) -> None:
    try:
        found = parse_direct_url(data)
    except DirectUrlError:
        return
    assert isinstance(found.origin.url, str)
