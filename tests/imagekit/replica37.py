"""A replica of digdag-python:3.7: all of the published list, the distributions that only have an sdist included."""

from __future__ import annotations

from pathlib import Path

from tests.imagekit.base import install_script, interpreter, pins
from tests.imagekit.engine import Recipe
from tests.imagekit.sdists import fetch_sdists

PUBLISHED = Path(__file__).parents[2] / "lockfiles" / "digdag" / "digdag-python" / "3.7" / "constraints.txt"
BASICS = pins("pip==19.1.1 setuptools==41.0.1 wheel==0.33.4")
"""Of the official ``python:3.7`` of July 2019; the list, a ``pip freeze``, leaves them out."""
SOURCE_ONLY = pins("ephem fbprophet holidays pyrsistent pyspark retrying")
"""Of the list: the index has no wheel that Python 3.7 on Linux takes."""
LEGACY = pins("ephem retrying")
"""Of these, those that pip is told to install by ``setup.py install``; it builds a wheel of each other one."""
BUILD_REQUIREMENTS = pins("pypandoc==1.4")
"""PySpark's ``setup_requires``, as of then; only there while PySpark is built."""
LIBRARIES = pins("libgomp1")
"""What LightGBM needs of Debian."""


def published_pins() -> tuple[str, ...]:
    """The 51 of the published list."""
    lines = PUBLISHED.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if "==" in line and not line.startswith("#"))


def from_source() -> tuple[str, ...]:
    return tuple(pin for pin in published_pins() if pin.partition("==")[0] in SOURCE_ONLY)


def from_wheels() -> tuple[str, ...]:
    return tuple(pin for pin in published_pins() if pin not in from_source())


_BASICS = Recipe(
    name="replica37-basics",
    parent=interpreter("3.7"),
    python="3.7",
    wheels=BASICS,
    script=install_script("19.1.1", "setuptools==41.0.1 wheel==0.33.4"),
)
_WHEELS = Recipe(
    name="replica37-wheels",
    parent=_BASICS,
    python="3.7",
    wheels=from_wheels(),
    script=f"python -m pip install --quiet --no-deps {' '.join(from_wheels())}\n",
)
REPLICA37 = Recipe(
    name="replica37",
    parent=_WHEELS,
    network="host",
    folder=lambda: fetch_sdists(from_source() + BUILD_REQUIREMENTS),
    script=f"""
apt-get -qq update >/dev/null
apt-get -qq install -y --no-install-recommends {" ".join(LIBRARIES)} >/dev/null
apt-get -qq install -y --no-install-recommends g++ >/dev/null
printf '%s\\n' '[easy_install]' 'find_links = /boot' 'allow_hosts = None' > /root/.pydistutils.cfg
pip() {{ python -m pip install --quiet --no-deps --no-index --find-links /boot "$@"; }}
pip --no-binary={",".join(LEGACY)} {" ".join(pin for pin in from_source() if "fbprophet" not in pin)} &
pip fbprophet==0.5
wait $!
apt-get -qq purge -y --auto-remove g++ >/dev/null
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log /root/.pydistutils.cfg /tmp/*
""",
)
"""Root's, in /usr/local, for x86-64: the index has no such old wheels for other processors.

As in a Dockerfile of the time, a compiler comes and goes with the layer that needs it. fbprophet compiles its model
for less than a minute, with the optimization that is its own; meanwhile the others are installed. PySpark cannot
convert its README, for want of pandoc, and goes on.
"""
