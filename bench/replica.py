"""The image that is measured: much like digdag-python:3.9, or, without an engine, one of this machine's Python."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.imagekit import demo, engine, recipes
from tests.imagekit.engine import Recipe
from tests.imagekit.machine import MissingToolError, pyenv_python

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "lockfiles" / "digdag" / "digdag-python" / "3.9" / "constraints.txt"
WITHOUT_WHEEL = recipes.pins(
    """
    fbprophet future holidays memory-profiler nltk prettytable PyMeeus pyperclip pyspark pystan retrying simplejson
    """
)
"""Of the published list: the index has only their source, whose build is not what is measured."""
CORRECTED = {"idna": "2.10"}
"""Published as 2.1, most likely 2.10."""
DATA = recipes.pins("numpy scipy pandas pyarrow matplotlib scikit-learn lightgbm seaborn")
MORE = recipes.pins("tensorflow-cpu==2.11.1 opencv-python-headless==4.7.0.72 catboost==1.2")
"""What makes the replica that is only read about as large as digdag-python:3.7: 634 MB compressed, 1,859 MB in all."""
BASICS = ("pip", "setuptools", "wheel")
HOME = "/home/td-user"
OLD_CERTIFI = "certifi==2019.11.28"

HERE = recipes.pins(
    """
    attrs==25.3.0 boto3==1.37.38 botocore==1.37.38 certifi==2025.1.31 charset-normalizer==3.4.1 click==8.1.8
    contourpy==1.3.2 cycler==0.12.1 fonttools==4.57.0 idna==3.10 jmespath==1.0.1 joblib==1.4.2 kiwisolver==1.4.8
    matplotlib==3.10.1 numpy==2.2.5 packaging==25.0 pandas==2.2.3 pillow==11.2.1 pip==25.0.1 pyarrow==19.0.1
    pyparsing==3.2.3 python-dateutil==2.9.0.post0 pytz==2025.2 requests==2.32.3 s3transfer==0.11.5
    scikit-learn==1.6.1 scipy==1.15.2 six==1.17.0 sqlalchemy==2.0.40 threadpoolctl==3.6.0 typing-extensions==4.13.2
    tzdata==2025.2 urllib3==1.26.20
    """
)
"""For Python 3.10 to 3.13."""
REQUESTED_HERE = recipes.pins("attrs boto3 click matplotlib pandas pip pyarrow requests scikit-learn scipy sqlalchemy")


@dataclass(frozen=True, kw_only=True, slots=True)
class Replica:
    """An archive, and the interpreter of this machine that its environment can be made with."""

    archive: Path
    large: Path
    """An archive that is only read: the same image with more in it."""
    python: Path
    what: str

    @property
    def bundled_pip(self) -> str:
        """Version of the pip that ``python -m venv`` puts into an environment."""
        return told(str(self.python), "-c", "import ensurepip; print(ensurepip.version())")


def told(*words: str) -> str:
    """What a program prints, on one line."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def published_pins() -> tuple[str, ...]:
    """The published list of digdag-python:3.9, as far as the index has wheels of it."""
    pins = []
    for line in PUBLISHED.read_text(encoding="utf-8").splitlines():
        name, separator, version = line.partition("==")
        if separator and not line.startswith("#") and name not in WITHOUT_WHEEL:
            pins.append(f"{name}=={CORRECTED.get(name, version)}")
    return tuple(pins)


def recipe(more: Sequence[str] = ()) -> Recipe:
    """Like the original: Debian, Python 3.9, a user without privileges; data stack, the rest, an upgrade."""
    pins = {pin.partition("==")[0]: pin for pin in published_pins()}
    basics = [pins.pop(name) for name in BASICS]  # pip first
    data = [pins.pop(name) for name in DATA]
    certifi = pins["certifi"]
    first = Recipe(
        name="replica-basics",
        parent=recipes.interpreter("3.9"),
        python="3.9",
        wheels=tuple(basics),
        script=recipes.install_script(basics[0].partition("==")[2], "setuptools wheel")
        + "useradd --create-home --uid 1000 td-user\n",
    )
    second = _as_user("replica-data", first, data)
    third = _as_user("replica-rest", second, [*(pins | {"certifi": OLD_CERTIFI}).values()])
    changes = (f"ENV PATH={HOME}/.local/bin:/usr/local/bin:/usr/bin:/bin", "USER td-user", f"WORKDIR {HOME}")
    if more:
        return _as_user("replica-large", third, [certifi, *more], changes=changes)
    return _as_user("replica", third, [certifi], changes=changes)


def _as_user(name: str, parent: Recipe, pins: Sequence[str], *, changes: tuple[str, ...] = ()) -> Recipe:
    """A layer of distributions in the user's own site; the list is complete, so nothing is resolved."""
    command = f"python -m pip install --quiet --user --no-deps {' '.join(pins)}"
    script = f"export HOME={HOME}\ncd\nsu td-user -c '{command}'\n"
    return Recipe(name=name, parent=parent, python="3.9", wheels=tuple(pins), script=script, changes=changes)


def make(folder: Path) -> Replica:
    """The archive, from an engine where one answers and pyenv has Python 3.9.

    Raises:
        KitError: neither way works.
    """
    if engine.engine_problem() is None:
        try:
            python = pyenv_python("3.9") / "bin" / "python3.9"
            archive = engine.save(engine.build(recipe()))
            large = engine.save(engine.build(recipe(MORE)))
        except MissingToolError:
            pass
        else:
            what = "a replica of `digdag/digdag-python:3.9`, by `docker save`"
            return Replica(archive=archive, large=large, python=python, what=what)
    archive = folder / "replica.tar"
    if not archive.exists():
        demo.write_demo(archive, requested=REQUESTED_HERE, pins=HERE)
    what = "an image of this machine's own Python, assembled without an engine"
    return Replica(archive=archive, large=archive, python=demo.base_executable(), what=what)
