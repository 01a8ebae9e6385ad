"""An image made only of the index's wheels, with what was installed, so that a proof can be held against it."""

from __future__ import annotations

import hashlib

from packaging.utils import canonicalize_name, parse_wheel_filename

from tests.imagekit.base import install_script, interpreter, pins
from tests.imagekit.engine import Recipe
from tests.imagekit.wheels import fetch_wheels

WHEELS = pins(
    """
    pip==24.0 annotated-types==0.6.0 anyio==4.3.0 attrs==23.2.0 blinker==1.7.0 cattrs==23.2.3
    certifi==2024.2.2 cffi==1.16.0 charset-normalizer==3.3.2 click==8.1.7 cryptography==42.0.5
    exceptiongroup==1.2.0 Flask==3.0.2 greenlet==3.0.3 h11==0.14.0 httpcore==1.0.4 httpx==0.27.0
    idna==3.6 importlib-metadata==7.0.1 itsdangerous==2.1.2 Jinja2==3.1.3 jsonschema==4.21.1
    jsonschema-specifications==2023.12.1 lxml==5.1.0 markdown-it-py==3.0.0 MarkupSafe==2.1.5 mdurl==0.1.2
    msgpack==1.0.8 numpy==1.26.4 psutil==5.9.8 pycparser==2.21 pydantic==2.6.3 pydantic-core==2.16.3
    Pygments==2.17.2 python-dateutil==2.9.0.post0 pytz==2024.1 PyYAML==6.0.1 referencing==0.33.0
    requests==2.31.0 rich==13.7.1 rpds-py==0.18.0 ruamel.yaml==0.18.6 ruamel.yaml.clib==0.2.8
    setuptools==69.1.1 simplejson==3.19.2 six==1.16.0 sniffio==1.3.1 SQLAlchemy==2.0.27 tabulate==0.9.0
    td-client==1.2.1 toml==0.10.2 tqdm==4.66.2 typing-extensions==4.10.0 urllib3==1.26.18 Werkzeug==3.0.1
    wheel==0.42.0 wrapt==1.16.0 zipp==3.17.0 zope.interface==6.2
    """
)
PROVED = Recipe(
    name="proved",
    parent=interpreter("3.9"),
    python="3.9",
    wheels=WHEELS,
    script=install_script("24.0", f"--no-deps {' '.join(WHEELS)}"),
)
"""Python 3.9 and a list that is complete; pure, compiled, with vendored libraries, with scripts and with headers."""


def installed_wheels() -> dict[str, tuple[str, str]]:
    """By normalized name: file name and SHA-256 of the wheel that pip installed in the image."""
    found = {}
    for path in fetch_wheels("3.9", WHEELS).glob("*.whl"):
        name = canonicalize_name(parse_wheel_filename(path.name)[0])
        found[str(name)] = (path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    return found
