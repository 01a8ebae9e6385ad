from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.errors import ReferenceSyntaxError
from envsync.reference import (
    ArchiveFile,
    Digest,
    ImageName,
    LayoutFolder,
    NamedImage,
    Platform,
    parse_reference,
)

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "shown"),
    [
        ("digdag/digdag-python:3.7", "docker.io", "digdag/digdag-python", "3.7", "digdag/digdag-python:3.7"),
        ("python", "docker.io", "library/python", "latest", "python:latest"),
        ("docker.io/python:3", "docker.io", "library/python", "3", "python:3"),
        ("index.docker.io/acme/app", "docker.io", "acme/app", "latest", "acme/app:latest"),
        ("ghcr.io/acme/app:1.0", "ghcr.io", "acme/app", "1.0", "ghcr.io/acme/app:1.0"),
        ("localhost/app", "localhost", "app", "latest", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000", "app", "latest", "localhost:5000/app:latest"),
        ("[::1]:5000/app:x", "[::1]:5000", "app", "x", "[::1]:5000/app:x"),
        ("a__b/c-d.e:T_1", "docker.io", "a__b/c-d.e", "T_1", "a__b/c-d.e:T_1"),
    ],
)
def test_names(text: str, registry: str, repository: str, tag: str, shown: str) -> None:
    name = ImageName.parse(text)
    assert (name.registry, name.repository, name.tag, str(name)) == (registry, repository, tag, shown)
    assert parse_reference(text) == NamedImage(name=name)


def test_a_digest_needs_no_tag() -> None:
    name = ImageName.parse(f"acme/app@sha256:{HEX}")
    assert (name.tag, name.digest, str(name)) == (None, f"sha256:{HEX}", f"acme/app@sha256:{HEX}")
    assert ImageName.parse(f"acme/app:1@sha256:{HEX}").tag == "1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("docker-archive:/tmp/x.tar", ArchiveFile(format="docker-archive", path=Path("/tmp/x.tar"))),
        (
            "docker-archive:x.tar:acme/app:1",
            ArchiveFile(format="docker-archive", path=Path("x.tar"), name="acme/app:1"),
        ),
        ("oci-archive:x.tar", ArchiveFile(format="oci-archive", path=Path("x.tar"))),
        ("oci:folder", LayoutFolder(path=Path("folder"))),
        ("oci:folder:tag", LayoutFolder(path=Path("folder"), tag="tag")),
        ("docker:acme/app", NamedImage(name=ImageName.parse("acme/app"), transport="docker")),
        ("registry:acme/app", NamedImage(name=ImageName.parse("acme/app"), transport="registry")),
    ],
)
def test_transports(text: str, expected: object) -> None:
    assert parse_reference(text) == expected
    assert str(parse_reference(text)).startswith(text)


def test_a_file_whose_name_has_a_colon_is_found(tmp_path: Path) -> None:
    odd = tmp_path / "a:b.tar"
    odd.write_bytes(b"")
    assert parse_reference(f"docker-archive:{odd}") == ArchiveFile(format="docker-archive", path=odd)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "image: the name is empty"),
        ("Acme/App", "'App' is not a repository name"),
        ("acme/App:1", "'acme/App' is not a repository name"),
        ("acme/app:", "'' is not a tag"),
        ("acme/app:-x", "'-x' is not a tag"),
        ("acme/app@sha256:12", "not of the form sha256:<64 lower-case hex digits>"),
        ("bad_host.:5/app", "'bad_host.:5' is not a registry host"),
        ("docker-archive:", "nothing follows docker-archive:"),
        ("../up", "'..' is not a registry host"),
        ("a" * 300, "is not a repository name"),
    ],
)
def test_what_is_no_name(text: str, message: str) -> None:
    with pytest.raises(ReferenceSyntaxError) as caught:
        parse_reference(text)
    assert message in caught.value.message


@given(st.text(max_size=60))
def test_any_text_parses_or_raises_its_own_error(text: str) -> None:
    try:
        reference = parse_reference(text)
    except ReferenceSyntaxError:
        return
    assert parse_reference(str(reference)) == reference


def test_platforms() -> None:
    assert str(Platform.parse("linux/x86_64")) == "linux/amd64"
    assert Platform.parse("linux/arm64/v8").machine == "aarch64"
    assert Platform.parse("linux/arm64").accepts(Platform.parse("linux/arm64/v8"))
    assert not Platform.parse("linux/arm/v6").accepts(Platform.parse("linux/arm/v7"))
    for wrong in ("linux", "linux/", "linux/a/b/c", "linux/a b", ""):
        with pytest.raises(ReferenceSyntaxError, match=r"expected os/architecture\[/variant\]"):
            Platform.parse(wrong)


def test_digests() -> None:
    digest = Digest(f"sha256:{HEX}")
    assert (digest.algorithm, digest.hex, digest.short) == ("sha256", HEX, "sha256:0123456789ab")
    for wrong in ("", HEX, f"sha256:{HEX.upper()}", f"md5:{HEX}", f"sha256:{HEX}0", f"sha256:{HEX}\n"):
        with pytest.raises(ReferenceSyntaxError):
            Digest(wrong)
