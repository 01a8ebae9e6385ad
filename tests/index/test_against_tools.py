"""Settings as pip and uv themselves read them, on this machine with its own files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import uv

from envsync.index.settings import load_settings

_ASK_PIP = """
import json
from pip._internal.commands import create_command
options, _ = create_command("install").parse_args([])
names = ("index_url", "extra_index_urls", "find_links", "trusted_hosts", "no_index")
print(json.dumps({name: getattr(options, name) for name in names}))
"""


def run(words: list[str], environ: Mapping[str, str]) -> str:
    return subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60, check=True).stdout


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"PIP_INDEX_URL": "https://v/simple", "PIP_NO_INDEX": "yes"},
        {"PIP_EXTRA_INDEX_URL": "https://v1/simple https://v2/simple", "PIP_FIND_LINKS": "https://links/"},
        {"PIP_CONFIG_FILE": "named.conf"},
        {"PIP_CONFIG_FILE": "missing.conf"},
        {"PIP_CONFIG_FILE": "/dev/null"},
        {"XDG_CONFIG_HOME": "elsewhere"},
        {"PIP_INDEX_URL": "", "PIP_TRUSTED_HOST": "v:8080"},
    ],
)
def test_pip(variables: dict[str, str], tmp_path: Path) -> None:
    files = {
        ".pip/pip.conf": "[global]\nindex-url=https://legacy/simple\ntrusted-host=legacy\n",
        ".config/pip/pip.conf": "[install]\nextra-index-url=\n  https://u1/simple\n  https://u2/simple\n[global]\n"
        "index_url=https://user/simple\nextra-index-url=https://lost/simple\nfind-links=\n",
        "elsewhere/pip/pip.conf": "[install]\nno-index=1\n",
        "named.conf": "[global]\nindex-url=https://named/simple\n[install]\nfind-links=https://a/ https://b/\n",
    }
    for name, text in files.items():
        write(tmp_path / name, text)
    paths = {key: str(tmp_path / value) for key, value in variables.items() if "CONFIG" in key}
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **variables, **paths}
    pips = json.loads(run([sys.executable, "-c", _ASK_PIP], environ))
    ours = load_settings(environ, tmp_path)
    assert [index.url for index in ours.indexes] == list(
        dict.fromkeys(url.rstrip("/") for url in (pips["index_url"], *pips["extra_index_urls"]))
    )
    assert list(ours.find_links) == [url.rstrip("/") if "file:" in url else url for url in pips["find_links"]]
    assert list(ours.trusted_hosts) == pips["trusted_hosts"]
    assert ours.no_index == bool(pips["no_index"])


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"UV_INDEX": "https://v1/simple own=https://v2/simple"},
        {"UV_DEFAULT_INDEX": "https://v/simple", "UV_EXTRA_INDEX_URL": "https://v3/simple https://v4/simple"},
        {"UV_INDEX_URL": "https://v/simple", "UV_FIND_LINKS": "https://links/,https://more/"},
    ],
)
def test_uv(variables: dict[str, str], tmp_path: Path) -> None:
    text = """
    find-links = ["https://files/"]
    extra-index-url = ["https://top/simple"]
    [[index]]
    name = "own"
    url = "https://own/simple"
    [[index]]
    url = "https://u/simple"
    [pip]
    extra-index-url = ["https://section/simple"]
    """
    write(tmp_path / ".config" / "uv" / "uv.toml", text)
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **variables}
    shown = run([uv.find_uv_bin(), "pip", "install", "--show-settings", "x"], environ)
    told = shown[shown.index("IndexLocations {") :]
    indexes, links = told[: told.index("flat_index:")], told[told.index("flat_index:") : told.index("no_index:")]
    given = re.compile(r'given: Some\(\s*"([^"]+)"')
    # uv lists the default index where it found it, and puts it last when it asks; of one name, the first counts.
    theirs = [url for url in dict.fromkeys(given.findall(indexes)) if url not in variables.values()]
    if "UV_INDEX" in variables:
        theirs.remove("https://own/simple")
    ours = load_settings(environ, tmp_path)
    default = next((url for url in variables.values() if url == "https://v/simple"), "https://pypi.org/simple")
    assert [index.url for index in ours.indexes] == [*theirs, default]
    assert sorted(ours.find_links) == sorted(given.findall(links))
