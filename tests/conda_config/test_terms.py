"""Terms of service: what ``conda tos`` recorded counts, and nothing else accepts them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envsync.conda_config.terms import terms_error, unaccepted

MAIN = "https://repo.anaconda.com/pkgs/main"
R = "https://repo.anaconda.com/pkgs/r"
FORGE = "https://conda.anaconda.org/conda-forge"


def record(folder: Path, channel: str, accepted: bool, version: str = "2025-07-15T00:00:00Z") -> None:
    """As ``conda tos accept`` and ``conda tos reject`` of conda-anaconda-tos write it."""
    name = hashlib.sha256(channel.removeprefix("https://").replace("/", "", 1).encode()).hexdigest()
    file = folder / name / f"{datetime.fromisoformat(version.replace('Z', '+00:00')).timestamp()}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "version": version,
        "text": "TERMS OF SERVICE",
        "support": "https://www.anaconda.com/support",
        "base_url": channel,
        "tos_accepted": accepted,
        "acceptance_timestamp": "2026-01-02T03:04:05.678901Z",
    }
    file.write_text(json.dumps(content))


def asked(
    tmp_path: Path, *urls: str, accept_terms: bool = False, environ: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    return unaccepted(urls, environ or {}, tmp_path / "home", accept_terms=accept_terms, root=tmp_path)


def test_only_channels_of_anaconda_ask(tmp_path: Path) -> None:
    urls = (MAIN, FORGE, "https://corp/pkgs/main", f"{MAIN}/", "https://u:p@repo.anaconda.com/pkgs/r", "no URL")

    assert asked(tmp_path, *urls) == (MAIN, R)
    assert asked(tmp_path, FORGE) == ()
    assert asked(tmp_path, "https://repo.continuum.io/pkgs/free") == ("https://repo.anaconda.com/pkgs/free",)


FREE = "https://repo.anaconda.com/pkgs/free"


@pytest.mark.parametrize(
    "url",
    [
        "http://repo.continuum.io/pkgs/free",
        "https://repo.continuum.io:443/pkgs/free",
        "http://repo.anaconda.com/pkgs/free",
        "https://repo.anaconda.com:443/pkgs/free",
        "http://repo.anaconda.com:8080/pkgs/free",
        "https://repo.anaconda.com:99999/pkgs/free",
        "https://REPO.Anaconda.com/pkgs/free",
        "https://repo.anaconda.com./pkgs/free",
        "https://repo.anaconda.com..:443/pkgs/free",
        "https://repo%2eanaconda.com/pkgs/free",
        "https://repo%E3%80%82anaconda.com/pkgs/free",
        "https://repo%C2%AD.anaconda.com/pkgs/free",
        "https://repo.anaconda.com//pkgs/free",
        "https://repo.anaconda.com/pkgs//free/",
        "https://repo.anaconda.com/pkgs%2Ffree",
        "https://repo.anaconda.com/%70kgs/free",
        "https://repo.anaconda.com/x/../pkgs/./free",
        "https://repo.anaconda.com/x/%2e%2E/pkgs/free",
        "https://repo.anaconda.com/x%2F..%2Fpkgs/free",
        "https://repo.anaconda.com/%74/tk/pkgs/free",
        "https://repo.anaconda.com/x/../t//tk/pkgs/free",
        "https://repo.anaconda.com\\pkgs\\free",
        "https://repo.anaconda.com\\@x/../pkgs/free",
        "https://u:p@repo.anaconda.com:443/t/tk/pkgs/free/linux-64",
    ],
)
def test_no_other_spelling_slips_past(tmp_path: Path, url: str) -> None:
    assert asked(tmp_path, url) == (FREE,)
    record(tmp_path / "home/.conda/tos", FREE, True)
    assert asked(tmp_path, url) == ()


def test_what_is_told_is_fit_for_terminals_and_shells(tmp_path: Path) -> None:
    url = "https://repo.anaconda.com/pkgs/%1b%5b2J%3brm%20x%0a$(y)"
    assert asked(tmp_path, url) == ("https://repo.anaconda.com/pkgs/%1B%5B2J%3Brm%20x%0A%24%28y%29",)


@pytest.mark.parametrize(
    "url",
    [
        "https://repo.anaconda.com.corp/pkgs/free",
        "https://corp/repo.anaconda.com/pkgs/free",
        "https://repo.anaconda.com@corp/pkgs/free",
        "https://repo.anaconda.com/miniconda",
        "https://repo.anaconda.com/pkgs/../miniconda",
        "https://repo.anaconda.com/mirror/pkgs/free",
        "https://xn--repo.anaconda.com/pkgs/free",
        "",
    ],
)
def test_who_else_is_not_asked(tmp_path: Path, url: str) -> None:
    assert asked(tmp_path, url) == ()


@given(st.text(max_size=40) | st.text("repo.anaconda/pkgs%2f:@\\#?", max_size=40).map("https://{}".format))
def test_any_text(text: str) -> None:
    assert unaccepted([text], {}, Path("/none"), accept_terms=True) == ()


def test_a_recorded_acceptance_counts_for_its_channel(tmp_path: Path) -> None:
    record(tmp_path / "home/.conda/tos", MAIN, True)

    assert asked(tmp_path, MAIN, R) == (R,)


def test_each_folder_of_the_search_path_counts(tmp_path: Path) -> None:
    (tmp_path / "miniconda/bin").mkdir(parents=True)
    (tmp_path / "miniconda/bin/conda").touch()
    folders: dict[str, dict[str, str]] = {
        "etc/conda/tos": {},
        "var/lib/conda/tos": {},
        "miniconda/conda-meta/tos": {"CONDA_EXE": str(tmp_path / "miniconda/bin/conda")},
        "xdg/conda/tos": {"XDG_CONFIG_HOME": str(tmp_path / "xdg")},
        "home/.config/conda/tos": {},
        "active/conda-meta/tos": {"CONDA_PREFIX": str(tmp_path / "active")},
        "own": {"CONDATOS": str(tmp_path / "own")},
        "home/own": {"CONDATOS": "~/own"},
    }
    for number, (folder, environ) in enumerate(folders.items()):
        channel = f"https://repo.anaconda.com/pkgs/c{number}"
        record(tmp_path / folder, channel, True)
        assert asked(tmp_path, channel, environ=environ) == (), folder
        if environ:
            assert asked(tmp_path, channel) == (channel,), folder


def test_the_answer_to_the_newest_terms_counts(tmp_path: Path) -> None:
    folder = tmp_path / "home/.conda/tos"
    record(folder, MAIN, True, "2025-07-15T00:00:00Z")
    record(folder, MAIN, False, "2026-01-01T00:00:00")
    record(folder, R, False, "2025-07-15T00:00:00Z")
    record(folder, R, True, "2026-01-01T00:00:00+00:00")

    assert asked(tmp_path, MAIN, R) == (MAIN,)


def test_of_two_answers_that_of_the_administrator_counts(tmp_path: Path) -> None:
    record(tmp_path / "home/.conda/tos", MAIN, True)
    record(tmp_path / "etc/conda/tos", MAIN, False)

    assert asked(tmp_path, MAIN) == (MAIN,)


def test_who_accepts_all_terms_may_have_refused_some(tmp_path: Path) -> None:
    record(tmp_path / "home/.conda/tos", R, False)

    assert asked(tmp_path, MAIN, R, accept_terms=True) == (R,)


def test_what_cannot_be_read_accepts_nothing(tmp_path: Path) -> None:
    record(tmp_path / "home/.conda/tos", MAIN, True)
    (file,) = (tmp_path / "home/.conda/tos").glob("*/*.json")
    for content in ("", "[]", '{"tos_accepted": true}', file.read_text().replace("true", '"yes"')):
        file.write_text(content)
        assert asked(tmp_path, MAIN) == (MAIN,), content
    file.unlink()
    file.mkdir()
    assert asked(tmp_path, MAIN) == (MAIN,)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_no_bytes_accept_anything(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "home/.conda/tos/x/1.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)

    assert asked(tmp_path, MAIN) == (MAIN,)


def test_nothing_is_written(tmp_path: Path) -> None:
    asked(tmp_path, MAIN, accept_terms=True)

    assert list(tmp_path.iterdir()) == []


def test_the_error_names_the_choices() -> None:
    error = terms_error([MAIN, R])

    assert error.message == (
        f"{MAIN}, {R}: the terms of service of Anaconda are not accepted (expected before anything is fetched)"
    )
    assert error.hint == (
        "Read https://www.anaconda.com/legal, then accept them, as envsync never does by itself:\n"
        f"  conda tos accept --override-channels --channel {MAIN} --channel {R}\n"
        "  or, without conda: CONDA_PLUGINS_AUTO_ACCEPT_TOS=yes\n"
        "Or take the packages from a mirror: --channel URL, or default_channels in ~/.condarc"
    )
