"""Mirrors as users write them, and the places that come of them."""

from __future__ import annotations

import pytest

from envsync.errors import ReferenceSyntaxError, UsageError
from envsync.image.registry.access import Access, Timeouts, check_mirror, parse_mirrors
from envsync.image.registry.endpoints import Endpoint, endpoints
from envsync.reference import ImageName

EXAMPLE = "For example: docker.io=https://mirror.example.com;ghcr.io=https://harbor.example.com/ghcr"


def test_defaults() -> None:
    assert Access() == Access(mirrors={}, timeouts=Timeouts(connect=10, idle=60, total=3600))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" ; ", {}),
        (
            "docker.io=https://m1,https://m2;ghcr.io=http://m3",
            {"docker.io": ("https://m1", "https://m2"), "ghcr.io": ("http://m3",)},
        ),
        (" docker.io = https://m1/ , https://m2/a/b/ ", {"docker.io": ("https://m1", "https://m2/a/b")}),
        ("index.docker.io=https://m;docker.io=https://n", {"docker.io": ("https://m", "https://n")}),
        ("registry.corp:5000=http://registry.corp:5000", {"registry.corp:5000": ("http://registry.corp:5000",)}),
        (
            "[::1]:5000=http://[::1]:5000;localhost=http://localhost",
            {"[::1]:5000": ("http://[::1]:5000",), "localhost": ("http://localhost",)},
        ),
    ],
)
def test_mirrors(text: str, expected: dict[str, tuple[str, ...]]) -> None:
    assert parse_mirrors(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("https://m", "V: 'https://m': no = in it (expected REGISTRY=URL,URL)"),
        ("docker.io", "V: 'docker.io': no = in it (expected REGISTRY=URL,URL)"),
        ("=https://m", "V: '' is not a registry host"),
        ("hub=https://m", "V: 'hub' is not a registry host"),
        ("docker.io/library=https://m", "V: 'docker.io/library' is not a registry host"),
        ("docker.io=", "V: docker.io: no URL"),
    ],
)
def test_mirrors_that_cannot_be_meant(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_mirrors(text, where="V")
    assert (caught.value.message, caught.value.hint) == (message, EXAMPLE)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("m", "'m': not a URL of http or https (expected https://HOST or https://HOST/PATH)"),
        ("ftp://m", "'ftp://m': not a URL of http or https (expected https://HOST or https://HOST/PATH)"),
        ("https://", "'https://': not a URL of http or https (expected https://HOST or https://HOST/PATH)"),
        ("https://m :1", "'https://m :1': not a URL of http or https (expected https://HOST or https://HOST/PATH)"),
        ("https://m\n", "'https://m\\\\n': not a URL of http or https (expected https://HOST or https://HOST/PATH)"),
        ("https://[::1", "'https://[::1': not a URL (expected https://HOST or https://HOST/PATH)"),
        ("https://m:99999", "'https://m:99999': not a URL (expected https://HOST or https://HOST/PATH)"),
        ("https://user:secret@m", "'https://m': holds credentials"),
        ("https://m?a=b", "'https://m?a=b': more than a host and a path (expected https://HOST or https://HOST/PATH)"),
        ("https://m/#a", "'https://m/#a': more than a host and a path (expected https://HOST or https://HOST/PATH)"),
        (
            "https://m/../a",
            "'https://m/../a': more than a host and a path (expected https://HOST or https://HOST/PATH)",
        ),
        ("https://m/a b", "'https://m/a b': not a URL of http or https (expected https://HOST or https://HOST/PATH)"),
    ],
)
def test_urls_that_are_no_mirror(url: str, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_mirror(url, where="pyproject.toml: docker.io")
    assert caught.value.message == f"pyproject.toml: docker.io: {problem}"
    assert caught.value.hint == ("Leave them to docker login m" if "credentials" in problem else None)


def places(name: str, *mirrors: str) -> list[str]:
    image = ImageName.parse(name)
    found = endpoints(image, Access(mirrors={image.registry: mirrors, "other.example": ("https://other",)}))
    return [f"{each.url('manifests', '1')} {each.host}{' mirror' if each.mirror else ''}" for each in found]


@pytest.mark.parametrize(
    ("name", "mirrors", "expected"),
    [
        ("python", (), ["https://registry-1.docker.io/v2/library/python/manifests/1 docker.io"]),
        ("ghcr.io/a/b", (), ["https://ghcr.io/v2/a/b/manifests/1 ghcr.io"]),
        (
            "localhost:5000/a",
            (),
            [
                "https://localhost:5000/v2/a/manifests/1 localhost:5000",
                "http://localhost:5000/v2/a/manifests/1 localhost:5000",
            ],
        ),
        (
            "127.1.2.3:80/a",
            (),
            ["https://127.1.2.3:80/v2/a/manifests/1 127.1.2.3:80", "http://127.1.2.3:80/v2/a/manifests/1 127.1.2.3:80"],
        ),
        (
            "[::1]:80/a",
            (),
            ["https://[::1]:80/v2/a/manifests/1 [::1]:80", "http://[::1]:80/v2/a/manifests/1 [::1]:80"],
        ),
        ("127.0.0.1.evil.example/a", (), ["https://127.0.0.1.evil.example/v2/a/manifests/1 127.0.0.1.evil.example"]),
        (
            "python",
            ("https://harbor.corp/hub", "http://mirror:5000"),
            [
                "https://harbor.corp/v2/hub/library/python/manifests/1 harbor.corp mirror",
                "http://mirror:5000/v2/library/python/manifests/1 mirror:5000 mirror",
                "https://registry-1.docker.io/v2/library/python/manifests/1 docker.io",
            ],
        ),
        (
            "registry.corp:5000/a",
            ("http://registry.corp:5000",),
            ["http://registry.corp:5000/v2/a/manifests/1 registry.corp:5000"],
        ),
        (
            "registry.corp/a",
            ("https://mirror", "http://registry.corp:80"),
            ["https://mirror/v2/a/manifests/1 mirror mirror", "http://registry.corp:80/v2/a/manifests/1 registry.corp"],
        ),
        (
            "ghcr.io/a",
            ("https://registry-1.docker.io",),
            [
                "https://registry-1.docker.io/v2/a/manifests/1 docker.io mirror",
                "https://ghcr.io/v2/a/manifests/1 ghcr.io",
            ],
        ),
        (
            "python",
            ("https://docker.io",),
            ["https://registry-1.docker.io/v2/library/python/manifests/1 docker.io"],
        ),
    ],
)
def test_places_in_their_order(name: str, mirrors: tuple[str, ...], expected: list[str]) -> None:
    assert places(name, *mirrors) == expected


def test_a_port_that_there_is_not() -> None:
    with pytest.raises(ReferenceSyntaxError) as caught:
        endpoints(ImageName.parse("host:99999/a"), Access())
    assert caught.value.message == "image 'host:99999/a:latest': 'host:99999' is not a registry host"


def test_an_endpoint_is_a_key() -> None:
    one = Endpoint(base="https://a", repository="b", host="a")
    assert {one: 1}[Endpoint(base="https://a", repository="b", host="a")] == 1
