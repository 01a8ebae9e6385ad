"""The replica of digdag-python:3.7 has the whole published list, and all of it imports."""

from __future__ import annotations

import pytest

from tests.imagekit import replica37
from tests.imagekit.engine import pip_freeze, run_in

pytestmark = pytest.mark.engine
SITE = "/usr/local/lib/python3.7/site-packages"

# Every module and package at the top of site-packages is imported; also those that no top_level.txt names.
IMPORTS = """
import importlib, os, sys, warnings

warnings.simplefilter("ignore")
site = sys.argv[1]
found = set()
for name in os.listdir(site):
    path = os.path.join(site, name)
    if name.endswith((".py", ".so")) or os.path.exists(os.path.join(path, "__init__.py")):
        found.add(name.split(".")[0])
for name in sorted(found):
    try:
        importlib.import_module(name)
    except Exception as error:
        print(name, repr(error))
print("done", len(found))
"""


def test_the_list_is_complete(replica37_image: str) -> None:
    pins = replica37.published_pins()
    assert len(pins) == 51
    assert sorted(pip_freeze(replica37_image, "python")) == sorted([*pins, *replica37.BASICS])


def test_every_top_level_module_imports(replica37_image: str) -> None:
    """Without exception: PySpark looks for Java only when a session starts."""
    lines = run_in(replica37_image, "python", "-c", IMPORTS, SITE).splitlines()
    assert lines[:-1] == []
    assert int(lines[-1].removeprefix("done ")) > 60


def test_fbprophet_has_its_model(replica37_image: str) -> None:
    program = "from fbprophet.models import prophet_stan_model as model; print(type(model).__name__)"
    assert run_in(replica37_image, "python", "-W", "ignore", "-c", program).splitlines()[-1] == "StanModel"


@pytest.mark.parametrize("name", replica37.SOURCE_ONLY)
def test_from_source_by_setup_py_or_by_a_wheel_that_pip_built(replica37_image: str, name: str) -> None:
    info = "egg-info/installed-files.txt" if name in replica37.LEGACY else "dist-info/WHEEL"
    assert run_in(replica37_image, "sh", "-c", f"ls {SITE}/{name}-*{info}").count("\n") == 1


def test_nothing_of_the_build_is_left(replica37_image: str) -> None:
    script = (
        "command -v g++ gcc; ls -A /tmp /var/lib/apt/lists; ls -A /root; python -c 'import pypandoc' 2>&1 | tail -1"
    )
    assert run_in(replica37_image, "sh", "-c", script).split("\n") == [
        "/tmp:",
        "",
        "/var/lib/apt/lists:",
        ".bashrc",
        ".profile",
        "ModuleNotFoundError: No module named 'pypandoc'",
        "",
    ]
