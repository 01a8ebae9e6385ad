"""The images that tests use, from Debian's packages, pyenv's interpreters and the index's distributions.

``python -m tests.imagekit.recipes [NAME...]`` builds them by hand and prints their tags.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from tests.imagekit import needy, odd, projects, proved, replica37
from tests.imagekit.base import BASE, install_script, interpreter, pins
from tests.imagekit.conda_prefixes import prefixes_folder
from tests.imagekit.engine import Recipe, build, engine_problem
from tests.imagekit.server import PORT_VARIABLE, Server

__all__ = ["BASE", "RECIPES", "image", "install_script", "interpreter", "pins"]

SLIM = Recipe(
    name="slim",
    parent=interpreter("3.9"),
    python="3.9",
    wheels=pins(
        """
        pip==23.0.1 setuptools==58.1.0 wheel==0.44.0 certifi==2024.2.2 charset-normalizer==3.3.2
        click==8.1.7 idna==3.6 Jinja2==3.1.3 MarkupSafe==2.1.5 msgpack==1.0.7 numpy==1.26.4
        python-dateutil==2.8.2 pytz==2024.1 PyYAML==6.0.1 requests==2.31.0 six==1.16.0
        td-client==1.2.1 urllib3==1.26.18
        """
    ),
    script=install_script("23.0.1", "setuptools wheel click Jinja2 numpy pytz PyYAML requests td-client"),
    changes=("ENV PYTHONUNBUFFERED=1", "ENV DIGDAG_EXAMPLE=yes", "WORKDIR /work"),
)
"""Much like digdag-python:3.9: one interpreter in /usr/local, root, some compiled distributions."""

OLD37 = Recipe(
    name="old37",
    parent=interpreter("3.7"),
    python="3.7",
    wheels=pins(
        """
        pip==19.3.1 setuptools==45.1.0 wheel==0.34.2 certifi==2019.11.28 chardet==3.0.4 idna==2.8
        prompt-toolkit==3.0.3 python-dateutil==2.8.1 requests==2.22.0 ruamel.yaml==0.16.6
        ruamel.yaml.clib==0.2.0 six==1.14.0 urllib3==1.25.8 wcwidth==0.1.8
        """
    ),
    script=install_script("19.3.1", "setuptools wheel prompt-toolkit python-dateutil requests ruamel.yaml"),
)
"""Distributions and a pip of early 2020: dotted names, a namespace package's ``nspkg.pth``."""

VENV = Recipe(
    name="venv",
    parent=interpreter("3.11"),
    python="3.11",
    wheels=pins(
        """
        pip==23.2.1 setuptools==65.5.0 attrs==23.2.0 cattrs==23.2.3 click==8.1.7 PyYAML==6.0.1
        six==1.16.0 tabulate==0.9.0
        """
    ),
    script=install_script("23.2.1", "setuptools six")
    + "python -m venv /opt/venv\n/opt/venv/bin/pip install --quiet cattrs click PyYAML tabulate\n",
    changes=("ENV VIRTUAL_ENV=/opt/venv", "ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin"),
)
"""A virtual environment first on PATH; its base interpreter has other distributions."""

DEBIAN_SYSTEM = Recipe(
    name="debian-system",
    parent=BASE,
    python="3.11",
    network="host",
    wheels=pins("six==1.17.0 click==8.1.7"),
    script="""
apt-get -q update
apt-get -q install -y --no-install-recommends \\
    python3 python3-pip python3-requests python3-yaml python3-dateutil
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log
python3 -m pip install --quiet --break-system-packages --ignore-installed six==1.17.0 click
""",
)
"""Debian's own python3, externally managed; pip put two more under /usr/local, one shadowing Debian's."""

DEBIAN_PYTHON = Recipe(
    name="debian-python",
    parent=interpreter("3.12", DEBIAN_SYSTEM),
    python="3.12",
    wheels=pins("pip==24.0 idna==3.6 packaging==24.0 python-dateutil==2.9.0.post0 six==1.16.0"),
    script=install_script("24.0", "idna packaging python-dateutil"),
)
"""The same with Python 3.12 in /usr/local, which comes first on PATH."""

USER_SITE = Recipe(
    name="user-site",
    parent=interpreter("3.9"),
    python="3.9",
    wheels=pins(
        """
        pip==20.2.4 setuptools==50.3.2 certifi==2021.10.8 charset-normalizer==2.0.12 idna==3.3
        idna==3.4 requests==2.27.1 six==1.16.0 urllib3==1.26.8 wheel==0.37.1
        """
    ),
    script=install_script("20.2.4", "setuptools wheel six==1.16.0 idna==3.3")
    + """
useradd --create-home --uid 1000 td-user
export HOME=/home/td-user
cd
su td-user -c 'python -m pip install --quiet --user requests'
su td-user -c 'python -m pip install --quiet --user --ignore-installed idna==3.4'
""",
    changes=(
        "ENV PATH=/home/td-user/.local/bin:/usr/local/bin:/usr/bin:/bin",
        "USER td-user",
        "WORKDIR /home/td-user",
    ),
)
"""A user without privileges, whose own site holds most distributions and shadows one of the system's."""

PY27 = Recipe(
    name="py27",
    parent=interpreter("2.7"),
    python="2.7",
    wheels=pins(
        """
        pip==20.3.4 setuptools==44.1.1 wheel==0.37.1 certifi==2020.12.5 chardet==4.0.0
        enum34==1.1.10 idna==2.10 PyYAML==5.4.1 requests==2.27.1 six==1.16.0 urllib3==1.26.18
        zope.interface==5.4.0
        """
    ),
    script=install_script("20.3.4", "setuptools wheel enum34 PyYAML requests six zope.interface"),
)
"""Python 2.7."""

_CONDA_RECORDS = """
cat > /tmp/records.py <<'END'
import hashlib, json, os, shutil

prefix = "/opt/conda"
meta = os.path.join(prefix, "conda-meta")
os.makedirs(meta)


def record(name, version, build, paths, subdir="linux-64", **more):
    rows = []
    for path in sorted(paths):
        place = os.path.join(prefix, path)
        kind = "softlink" if os.path.islink(place) else "hardlink"
        with open(place, "rb") as stream:
            digest = hashlib.sha256(stream.read()).hexdigest()
        rows.append({"_path": path, "path_type": kind, "sha256": digest, "sha256_in_prefix": digest})
    base = "%s-%s-%s" % (name, version, build)
    entry = {
        "name": name, "version": version, "build": build, "build_number": 0, "subdir": subdir,
        "channel": "https://conda.example/stand/" + subdir, "fn": base + ".tar.bz2",
        "url": "https://conda.example/stand/%s/%s.tar.bz2" % (subdir, base),
        "md5": hashlib.md5(base.encode()).hexdigest(), "files": sorted(paths),
        "paths_data": {"paths_version": 1, "paths": rows}, "depends": more.pop("depends", []), "constrains": [],
    }
    entry.update(more)
    with open(os.path.join(meta, base + ".json"), "w") as stream:
        json.dump(entry, stream, indent=2)


site = "lib/python3.11/site-packages"
files = [
    os.path.relpath(os.path.join(folder, name), prefix)
    for folder, _, names in os.walk(prefix) for name in names if not name.endswith(".pyc")
]
files = [path for path in files if not path.startswith("conda-meta/")]
mine = [path for path in files if not path.startswith(site + "/")]
record("python", "3.11.7", "h1234567_0_cpython", mine, depends=["__glibc >=2.17"])
six = [path for path in files if path.startswith(site + "/six")]
record("six", "1.15.0", "py_0", six, subdir="noarch", noarch="python", depends=["python"])
click = [path for path in files if path.startswith(site + "/click")]
record("click", "8.1.7", "py311_0", click, depends=["python >=3.11,<3.12.0a0"])
with open(os.path.join(meta, "history"), "w") as stream:
    stream.write("==> 2019-04-10 10:00:00 <==\\n# update specs: ['python=3.11', 'six', 'click']\\n")
    stream.write("# remove specs: ['click']\\n")
with open(os.path.join(prefix, ".condarc"), "w") as stream:
    stream.write("channels:\\n  - https://user:secret@conda.example/t/tk-secret/stand\\n  - defaults\\n")
packed = os.path.join(prefix, "pkgs", "old-1.0-0", "conda-meta")
os.makedirs(packed)
shutil.copy(os.path.join(meta, "click-8.1.7-py311_0.json"), packed)
open(os.path.join(prefix, "pkgs", "urls.txt"), "w").close()
END
python -B /tmp/records.py
rm /tmp/records.py /opt/conda/lib/python3.11/this.py
"""

CONDA = Recipe(
    name="conda",
    parent=interpreter("3.11", prefix="/opt/conda"),
    python="3.11",
    wheels=pins("pip==23.2.1 six==1.15.0 six==1.16.0 click==8.1.7 tabulate==0.9.0"),
    script="export PATH=/opt/conda/bin:$PATH\n"
    + install_script("23.2.1", "six==1.15.0 click")
    + _CONDA_RECORDS
    + "python -m pip install --quiet six==1.16.0 tabulate\n",
    changes=("ENV PATH=/opt/conda/bin:/usr/local/bin:/usr/bin:/bin",),
)
"""A prefix with conda's records of what is in it, a package cache, a lost file, and pip over one of the packages."""

CONDA_CHANNEL = Recipe(
    name="conda-channel",
    parent=BASE,
    python="3.9",
    wheels=pins("idna==3.6 MarkupSafe==2.1.5"),
    folder=prefixes_folder,
    script="""
cp -R --preserve=mode,timestamps,links --no-dereference /boot/conda /opt/
/opt/conda/bin/pip install --quiet idna markupsafe
/opt/conda/envs/other/bin/python -B -c 'import six'
""",
    changes=("ENV PATH=/opt/conda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",),
)
"""Two environments, as rattler installed them from a real channel; two distributions of pip's on top in one."""

NOPIP = Recipe(
    name="nopip",
    parent=interpreter("3.13"),
    python="3.13",
    wheels=pins(
        """
        pip==24.3.1 attrs==24.2.0 certifi==2024.8.30 charset-normalizer==3.4.0 idna==3.10
        msgpack==1.1.0 PyYAML==6.0.2 requests==2.32.3 urllib3==2.2.3
        """
    ),
    script="""
python /mnt/pip-24.3.1-py3-none-any.whl/pip install --quiet attrs msgpack PyYAML requests
rm -rf /usr/local/lib/python3.13/ensurepip
find /usr/local/lib/python3.13 -name __pycache__ -prune -exec rm -rf {} +
""",
)
"""Python 3.13 and distributions, but no pip, no ensurepip and no byte code."""

INCONSISTENT = Recipe(
    name="inconsistent",
    parent=interpreter("3.8"),
    python="3.8",
    wheels=pins(
        """
        pip==21.2.4 setuptools==57.5.0 certifi==2024.2.2 charset-normalizer==3.3.2 idna==2.4
        requests==2.31.0 python-dateutil==2.8.2
        """
    ),
    script=install_script("21.2.4", "setuptools certifi charset-normalizer")
    + "python -m pip install --quiet --no-deps requests idna python-dateutil\n",
)
"""``pip check`` fails: urllib3 and six are missing, idna is too old for requests."""

_LOWER = Recipe(
    name="relayered-lower",
    parent=interpreter("3.10"),
    python="3.10",
    wheels=pins(
        """
        pip==22.3.1 setuptools==65.5.0 attrs==21.4.0 certifi==2022.12.7 charset-normalizer==2.1.1
        idna==3.4 PyYAML==6.0 requests==2.28.2 six==1.15.0 toml==0.10.2 urllib3==1.26.14
        """
    ),
    script=install_script("22.3.1", "setuptools attrs PyYAML requests six toml"),
)

RELAYERED = Recipe(
    name="relayered",
    parent=_LOWER,
    python="3.10",
    wheels=pins("pip==23.0.1 attrs==23.2.0 urllib3==2.2.1 requests==2.31.0 toml==0.10.2"),
    script="""
python -m pip install --quiet --upgrade pip==23.0.1
python -m pip uninstall --quiet --yes six
python -m pip install --quiet --upgrade attrs urllib3 requests
rm -rf /usr/local/lib/python3.10/site-packages/toml /usr/local/lib/python3.10/site-packages/toml-*
python -m pip install --quiet toml
""",
)
"""A later layer removed one distribution, upgraded four (pip too) and made two folders anew (opaque)."""

_GIT = Recipe(
    name="git",
    parent=interpreter("3.10"),
    network="host",
    script="""
apt-get -q update
apt-get -q install -y --no-install-recommends git
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log
""",
)


def origins(port: int) -> Recipe:
    """Installs from everywhere but an index; a :class:`~tests.imagekit.server.Server` must be on ``port``."""
    url = f"http://127.0.0.1:{port}"
    return Recipe(
        name="origins",
        parent=_GIT,
        python="3.10",
        network="host",
        wheels=pins(
            """
            pip==23.0.1 pip==24.0 setuptools==65.5.0 flit_core==3.9.0 six==1.16.0 idna==3.6 click==8.1.7
            wheel==0.42.0
            """
        ),
        files=projects.origin_files(),
        script=install_script("23.0.1", "setuptools six")
        + f"""
cp -r /media /src
mkdir /wheels
cp /mnt/idna-*.whl /mnt/click-*.whl /wheels/
pip() {{ python -m pip "$@" --quiet; }}
pip install --no-use-pep517 /src/{projects.LEGACY}
pip install --upgrade pip==24.0 wheel  # a pip that records the hash of an archive
pip install --no-use-pep517 -e /src/{projects.DEVELOPED}
pip install 'git+{url}/git/{projects.VCS}.git@v3.0#subdirectory=python'
pip install {url}/files/envsync_fixture_archive-2.1.tar.gz
pip install '{projects.WHEEL} @ {url}/files/envsync_fixture_wheel-2.0-py3-none-any.whl'
pip install /src/{projects.FOLDER}
pip install -e /src/{projects.EDITABLE}
pip install /wheels/idna-3.6-py3-none-any.whl
PIP_FIND_LINKS=/wheels pip install click
""",
        changes=("WORKDIR /src",),
    )


RECIPES: dict[str, Recipe | Callable[[], Recipe]] = {
    "nopython": BASE,
    "slim": SLIM,
    "old37": OLD37,
    "venv": VENV,
    "debian_system": DEBIAN_SYSTEM,
    "debian_python": DEBIAN_PYTHON,
    "user_site": USER_SITE,
    "py27": PY27,
    "nopip": NOPIP,
    "conda": CONDA,
    "conda_channel": CONDA_CHANNEL,
    "inconsistent": INCONSISTENT,
    "relayered": RELAYERED,
    "origins": lambda: origins(int(os.environ[PORT_VARIABLE])),
    "needy": needy.NEEDY,
    "replica37": replica37.REPLICA37,
    "odd": odd.ODD,
    "proved": proved.PROVED,
}
"""``origins`` needs a :class:`tests.imagekit.server.Server` on the port that the environment names."""


def image(name: str) -> str:
    """The tag of the image called ``name``, built if need be.

    Raises:
        KitError: it cannot be made here.
    """
    recipe = RECIPES[name]
    return build(recipe if isinstance(recipe, Recipe) else recipe())


def main() -> None:
    problem = engine_problem()
    if problem:
        sys.exit(problem)
    os.environ[PORT_VARIABLE] = str(Server(projects.served_folder()).port)
    for name in sys.argv[1:] or RECIPES:
        sys.stdout.write(f"{name}\t{image(name)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
