from __future__ import annotations

import contextlib
import json
import unicodedata
from pathlib import Path, PurePosixPath

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.errors import LockError
from envsync.lock.codec import decode_snapshot, encode_snapshot, escape_controls, snapshot_schema
from envsync.model import ArchiveOrigin, DirectoryOrigin, EntryPoint, Skipped, VcsOrigin, Venv
from tests.factory import distribution, snapshot

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "snapshot.schema.json"

RICH = snapshot(
    distribution("six", "1.16.0", requested=True, tags=("py2-none-any", "py3-none-any")),
    distribution("a", origin=VcsOrigin(url="https://example.com/a.git", vcs="git", commit="f" * 40)),
    distribution("b", origin=ArchiveOrigin(url="file:///wheels/b.whl", hashes=("sha256=" + "0" * 64,))),
    distribution("c", origin=DirectoryOrigin(url="file:///src/c", editable=True)),
    distribution("d", entry_points=(EntryPoint(group="console_scripts", name="d", value="d:main"),)),
    skipped=(Skipped(subject="pypy3", place="/opt/pypy3", reason="not CPython"),),
)


def test_round_trip() -> None:
    assert decode_snapshot(encode_snapshot(RICH), "x") == RICH


def test_is_deterministic_and_ends_with_a_newline() -> None:
    assert encode_snapshot(RICH) == encode_snapshot(decode_snapshot(encode_snapshot(RICH), "x"))
    assert encode_snapshot(RICH).endswith(b"}\n")


def test_what_controls_a_terminal_is_escaped_and_comes_back() -> None:
    note = Skipped(subject="a\x1b[2J\x7f\x9b\u202e\u2028\U000e0001é", place="/", reason="\ufeff")
    data = encode_snapshot(snapshot(skipped=(note,)))
    assert rb'"a\u001b[2J\u007f\u009b\u202e\u2028\udb40\udc01' + "é".encode() in data
    assert decode_snapshot(data, "x").skipped == (note,)


@given(st.text())
def test_escaping_changes_nothing_that_json_says(text: str) -> None:
    escaped = escape_controls(json.dumps(text, ensure_ascii=False).encode())
    assert json.loads(escaped) == text
    assert not {unicodedata.category(char) for char in escaped.decode()} & {"Cc", "Zl", "Zp"}


def test_published_schema_is_the_generated_one_and_accepts_what_is_written() -> None:
    published = json.loads(SCHEMA.read_text())
    assert published == json.loads(json.dumps(snapshot_schema()))
    jsonschema.validate(json.loads(encode_snapshot(RICH)), published)


def test_schema_refuses_an_unknown_field() -> None:
    document = json.loads(encode_snapshot(RICH))
    document["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.validate(document, snapshot_schema())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "L: damaged: Input data was truncated"),
        (b"[]", "L: damaged: Expected `object`, got `array`"),
        (b'{"schema": "1"}', "L: damaged: Expected `int`, got `str` - at `$.schema`"),
        (b'{"schema": 99}', "L: written by a newer envsync: schema 99 (this one reads up to 4)"),
        (b'{"schema": 1}', "L: damaged: Object missing required field `source`"),
        (b"[" * 100_000, "L: damaged: "),
    ],
)
def test_damage_is_named(data: bytes, message: str) -> None:
    with pytest.raises(LockError) as caught:
        decode_snapshot(data, "L")
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def test_a_bad_digest_is_named_by_its_key_path() -> None:
    data = encode_snapshot(RICH).replace(b"c" * 64, b"C" * 64)
    with pytest.raises(LockError, match=r"at `\$\.source\.config_digest`"):
        decode_snapshot(data, "L")


def test_no_interpreter_is_damage() -> None:
    document = json.loads(encode_snapshot(RICH))
    document["interpreters"] = []
    with pytest.raises(LockError, match=r"no interpreter - at `\$\.interpreters`"):
        decode_snapshot(json.dumps(document).encode(), "L")


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_lock_errors(data: bytes) -> None:
    with pytest.raises(LockError):
        decode_snapshot(data, "L")


@given(st.data())
def test_a_mutated_snapshot_decodes_or_raises_a_lock_error(data: st.DataObject) -> None:
    original = encode_snapshot(RICH)
    position = data.draw(st.integers(0, len(original) - 1))
    mutated = original[:position] + data.draw(st.binary(max_size=3)) + original[position + 1 :]
    with contextlib.suppress(LockError):
        decode_snapshot(mutated, "L")


def test_a_venv_keeps_its_paths_as_paths() -> None:
    import msgspec

    python = msgspec.structs.replace(RICH.python, venv=Venv(home=PurePosixPath("/usr/bin")))
    changed = msgspec.structs.replace(RICH, interpreters=(python,))
    home = decode_snapshot(encode_snapshot(changed), "x").python.venv
    assert home == Venv(home=PurePosixPath("/usr/bin"))
