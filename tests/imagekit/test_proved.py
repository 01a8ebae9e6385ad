"""The image of which it is known what was installed."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable

import pytest
from packaging.utils import canonicalize_name

from tests.imagekit import proved
from tests.imagekit.engine import pip_freeze, run_in
from tests.imagekit.wheels import fetch_wheels

pytestmark = [pytest.mark.engine, pytest.mark.network]


def normalized(pins: Iterable[str]) -> list[str]:
    parts = (pin.partition("==") for pin in pins)
    return sorted(canonicalize_name(name) + separator + version for name, separator, version in parts)


def test_the_image_has_the_wheels_that_are_named_and_nothing_else(proved_image: str) -> None:
    assert normalized(pip_freeze(proved_image)) == normalized(proved.WHEELS)
    assert sorted(proved.installed_wheels()) == sorted(
        canonicalize_name(pin.partition("==")[0]) for pin in proved.WHEELS
    )


def test_what_is_named_is_the_file_that_was_installed(proved_image: str) -> None:
    filename, digest = proved.installed_wheels()["pyyaml"]
    path = fetch_wheels("3.9", proved.WHEELS) / filename
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    with zipfile.ZipFile(path) as wheel:
        module = hashlib.sha256(wheel.read("yaml/__init__.py")).hexdigest()
    program = "import hashlib, yaml; print(hashlib.sha256(open(yaml.__file__, 'rb').read()).hexdigest())"
    assert run_in(proved_image, "python", "-c", program).strip() == module


def test_nothing_of_the_list_is_at_odds(proved_image: str) -> None:
    assert run_in(proved_image, "python", "-m", "pip", "check").strip() == "No broken requirements found."
