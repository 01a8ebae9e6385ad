"""Configs: what they tell, what is withheld, and what is no config."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.errors import CorruptImageError, ImageError
from envsync.image.manifest import parse_config, parse_docker_manifest, parse_env, parse_manifest
from envsync.model import ImageConfig
from envsync.reference import Platform
from tests.image.layers import as_json, sha

DIFF_ID = sha(b"layer")


def test_the_last_of_several_variables_wins_and_credentials_are_withheld() -> None:
    lines = [
        "B=1",
        "A=x=y",
        "B=2",
        "PIP_INDEX_URL=https://user:pass@pypi.example/simple",
        "API_TOKEN=abc",
        "=C:=x",
        "D",
    ]
    assert [(each.name, each.value) for each in parse_env(lines)] == [
        ("A", "x=y"),
        ("API_TOKEN", None),
        ("B", "2"),
        ("PIP_INDEX_URL", "https://pypi.example/simple"),
    ]


def test_a_config_with_little_in_it() -> None:
    data = as_json({"architecture": "arm", "os": "linux", "variant": "v7", "rootfs": {"diff_ids": [DIFF_ID]}})
    config = parse_config(data, where="config")
    assert config.platform == Platform(os="linux", architecture="arm", variant="v7")
    assert (config.created, config.config, config.diff_ids) == (None, ImageConfig(), (DIFF_ID,))
    assert config.digest == sha(data)


def test_nulls_are_what_go_writes_for_nothing() -> None:
    process = {"Env": None, "User": None, "WorkingDir": None}
    raw = {"architecture": "amd64", "os": "linux", "created": None, "config": process, "rootfs": {"diff_ids": []}}
    assert parse_config(as_json(raw), where="config").config == ImageConfig()
    assert parse_config(as_json({**raw, "config": None}), where="config").config == ImageConfig()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"os": "linux"}', "config: no rootfs.diff_ids (expected the digests of the layers)"),
        (b'{"rootfs": {}}', "config: no rootfs.diff_ids (expected the digests of the layers)"),
        (b'{"rootfs": {"diff_ids": ["md5:1"]}}', "config: rootfs.diff_ids[0]: digest 'md5:1': not of the form"),
        (b'{"os": "a/b c", "rootfs": {"diff_ids": []}}', "config: platform: platform 'a/b c/unknown': expected"),
        (b'{"rootfs": 5}', "config: Expected `object | null`, got `int` - at `$.rootfs`"),
        (b'{"config": {"Env": "A=1"}}', "config: Expected `array | null`, got `str` - at `$.config.Env`"),
        (b'{"created": "\xff"}', "config: 'utf-8' codec can't decode"),
        (b'{"a": ' + b"[" * 100_000, "config: maximum recursion depth exceeded"),
        (
            as_json({"config": {"Env": ["A=1", "A=" + "x" * 131_071]}, "rootfs": {"diff_ids": []}}),
            "config: config.Env: a variable of 131073 characters (expected at most 131072)",
        ),
        (
            as_json({"config": {"WorkingDir": "/a" * 2049}, "rootfs": {"diff_ids": []}}),
            "config: config.WorkingDir: 4098 characters (expected at most 4096)",
        ),
        (
            as_json({"config": {"User": "a" * 4097}, "rootfs": {"diff_ids": []}}),
            "config: config.User: 4097 characters (expected at most 4096)",
        ),
        (b"not json", "config: JSON is malformed: "),
        (b"", "config: Input data was truncated"),
    ],
)
def test_what_is_no_config(data: bytes, message: str) -> None:
    with pytest.raises(CorruptImageError) as caught:
        parse_config(data, where="config")
    assert caught.value.message.startswith(message)


def test_more_images_than_any_archive_has() -> None:
    with pytest.raises(CorruptImageError) as caught:
        parse_docker_manifest(as_json([{"Config": "a"}] * 1001), where="manifest.json")
    assert caught.value.message == "manifest.json: 1001 images (expected at most 1000)"


KEYS = ["schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size", "platform", "os", "rootfs"]
KEYS += ["architecture", "diff_ids", "Env", "Config", "Layers", "RepoTags", "annotations"]

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(DIFF_ID),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(json.map(as_json) | st.binary(max_size=50))
def test_any_json_is_parsed_or_refused(data: bytes) -> None:
    for parse in (parse_config, parse_manifest, parse_docker_manifest):
        with contextlib.suppress(ImageError):
            parse(data, where="it")


@pytest.mark.parametrize(
    ("created", "history", "expected"),
    [
        ("2019-07-16T10:20:30.5Z", ["2019-07-16T10:20:30Z", None], "2019-07-16T10:20:30.5Z"),
        ("1970-01-01T00:00:00Z", ["2019-07-16T12:00:00+02:00", "2019-07-16T09:00:00Z"], "2019-07-16T12:00:00+02:00"),
        (None, ["2019-07-16T10:20:30Z"], "2019-07-16T10:20:30Z"),
        ("of old", ["\x1b[2J"], "of old"),
        (None, [], None),
    ],
)
def test_an_image_is_as_old_as_its_newest_layer(
    created: str | None, history: list[str | None], expected: str | None
) -> None:
    raw = {"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": []}}
    data = as_json({**raw, "created": created, "history": [{"created": one} for one in history]})
    assert parse_config(data, where="config").created == expected


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (
            [
                {"created_by": "/bin/sh -c #(nop) ADD file:1 in / "},
                {"created_by": "ENV A=1", "empty_layer": True},
                {"created_by": "RUN  |1 API_TOKEN=abc\n pip install https://me:pass@host/x.whl"},
            ],
            (
                "/bin/sh -c #(nop) ADD file:1 in /",
                "RUN |1 API_TOKEN=withheld pip install https://host/x.whl",
            ),
        ),
        ([{"created_by": "ADD"}, {}], ("ADD", "")),
        ([{"created_by": "x" * 501}, {"created_by": "y" * 500}], ("x" * 500 + "…", "y" * 500)),
        ([{"created_by": "ADD"}], ()),
        ([{}, {}], ()),
        (None, ()),
    ],
)
def test_what_made_each_layer_is_told_where_the_history_is_of_these_layers(
    history: list[dict[str, object]] | None, expected: tuple[str, ...]
) -> None:
    raw = {"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": [DIFF_ID, sha(b"2")]}, "history": history}
    assert parse_config(as_json(raw), where="config").layer_commands == expected
