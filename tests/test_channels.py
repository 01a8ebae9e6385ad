"""Channel URLs and names, and that no credential stays in one."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.channels import channel_name, channel_url, split_package_url, without_credentials
from envsync.errors import UsageError


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("conda-forge", "https://conda.anaconda.org/conda-forge"),
        ("pkgs/main", "https://repo.anaconda.com/pkgs/main"),
        ("conda-forge/linux-64", "https://conda.anaconda.org/conda-forge"),
        ("https://repo.anaconda.com/pkgs/main/linux-64", "https://repo.anaconda.com/pkgs/main"),
        ("https://repo.continuum.io/pkgs/free/noarch/", "https://repo.anaconda.com/pkgs/free"),
        ("https://me:secret@conda.example/t/tk-123/private", "https://conda.example/private"),
        ("file:///srv/channel", "file:///srv/channel"),
    ],
)
def test_url_of_a_channel(text: str, url: str) -> None:
    assert channel_url(text) == url


@pytest.mark.parametrize(
    "text", ["", "a b", "http://[", "ftp://host/x", "https://", "-n", "a\nb", "https://host/\x1b[2J"]
)
def test_what_is_no_channel_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"neither the name nor the URL|not the URL of a channel"):
        channel_url(text)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://repo.anaconda.com/pkgs/r", "defaults"),
        ("https://conda.anaconda.org/conda-forge", "conda-forge"),
        ("https://conda.anaconda.org/me/label/dev", "https://conda.anaconda.org/me/label/dev"),
        ("https://conda.example/stand", "https://conda.example/stand"),
    ],
)
def test_name_of_a_channel(url: str, name: str) -> None:
    assert channel_name(url) == name


def test_package_url_is_taken_apart() -> None:
    url = "https://user:pass@conda.example/t/tk-1/stand/linux-64/six-1.16.0-py_0.tar.bz2"
    assert split_package_url(url) == ("https://conda.example/stand", "linux-64", "six-1.16.0-py_0.tar.bz2")


@pytest.mark.parametrize("url", ["", "six", "https://conda.example/six.conda", "https://h/c/mars-64/six-1-0.conda"])
def test_what_is_no_package_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not the URL of a package"):
        split_package_url(url)


@given(user=st.text("abc", min_size=1), secret=st.text("defgh", min_size=8, max_size=20))
def test_no_credential_stays(user: str, secret: str) -> None:
    for url in (
        f"https://{user}:{secret}@h.example/c",
        f"https://h.example/t/{secret}/c",
        f"https://h.example/t/{secret}",
    ):
        assert secret not in without_credentials(url)
        assert secret not in channel_url(url)


@given(st.text(max_size=40))
def test_only_the_own_error_is_raised(text: str) -> None:
    with contextlib.suppress(UsageError):
        channel_url(text)
    with contextlib.suppress(ValueError):
        split_package_url(text)
