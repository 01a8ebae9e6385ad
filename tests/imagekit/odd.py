"""One image in which nearly every distribution got there in another way; which is which, the constants tell."""

from __future__ import annotations

from tests.imagekit.base import install_script, interpreter, pins
from tests.imagekit.engine import Recipe
from tests.imagekit.odd_projects import (
    DATA,
    DEVELOPED,
    DISTUTILS,
    EDITABLE,
    EGG,
    GONE,
    NOWHERE,
    NOWHERE_VERSION,
    WRONG_RECORD,
    ZIPPED,
    files_folder,
    project_files,
)

PYTHON = "3.9"
HOME = "/home/td-user"
SITE = f"/usr/local/lib/python{PYTHON}/site-packages"
USER_SITE = f"{HOME}/.local/lib/python{PYTHON}/site-packages"
GONE_URL = "https://git.example/data/envsync-fixture-gone.git"

YANKED = "certifi"
"""2022.5.18: "Incorrectly claims to support Python 3.5."."""
PATCHED = "idna"
PATCHED_FILE = "idna/core.py"
LEGACY = "retrying"
"""From its sdist, by pip running ``setup.py install``: it has ``installed-files.txt``."""
USER = "tabulate"
"""In the user's own site."""
VENDORED = "numpy"
"""Real, compiled, with libraries in ``numpy.libs``."""
COMPILED = "MarkupSafe"
NAMESPACE = ("zope.event", "zope.interface")
"""Two that share a folder without ``__init__.py``, by an ``nspkg.pth`` each."""

MODULES: dict[str, tuple[str, ...]] = {
    NOWHERE: ("envsync_fixture_nowhere", "envsync_fixture_nowhere._lib"),
    GONE: ("envsync_fixture_gone",),
    YANKED: ("certifi",),
    PATCHED: ("idna", "idna.core"),
    EGG: ("envsync_fixture_egg",),
    ZIPPED: ("envsync_fixture_zipped",),
    LEGACY: ("retrying",),
    USER: ("tabulate",),
    VENDORED: ("numpy", "numpy.linalg"),
    COMPILED: ("markupsafe", "markupsafe._speedups"),
    DISTUTILS: ("envsync_fixture_distutils",),
    "zope.event": ("zope.event",),
    "zope.interface": ("zope.interface",),
    DATA: ("envsync_fixture_data",),
    WRONG_RECORD: ("envsync_fixture_wrong_record",),
    EDITABLE: ("envsync_fixture_editable",),
    DEVELOPED: ("envsync_fixture_developed",),
    "six": ("six",),
}
"""What each distribution lets one import; pip and setuptools are there as well."""

_WHEELS = pins(
    """
    pip==23.0.1 setuptools==58.1.0 setuptools==65.5.0 wheel==0.38.4 flit_core==3.9.0 certifi==2022.5.18 idna==3.6
    MarkupSafe==2.1.5 numpy==1.26.4 six==1.16.0 tabulate==0.9.0 zope.event==5.0 zope.interface==6.2
    """
)
_FROM_INDEX = Recipe(
    name="odd-index",
    parent=interpreter(PYTHON),
    python=PYTHON,
    wheels=_WHEELS,
    script=install_script(
        "23.0.1", "setuptools==58.1.0 certifi==2022.5.18 idna MarkupSafe numpy six zope.event zope.interface"
    )
    + f"useradd --create-home --uid 1000 td-user\nexport HOME={HOME}\ncd\n"
    + "su td-user -c 'python -m pip install --quiet --user tabulate'\n",
)
ODD = Recipe(
    name="odd",
    parent=_FROM_INDEX,
    python=PYTHON,
    network="host",
    wheels=_WHEELS,
    files=project_files(),
    folder=files_folder,
    script=f"""
apt-get -qq update >/dev/null
apt-get -qq install -y --no-install-recommends gcc libc6-dev git >/dev/null
export PIP_FIND_LINKS='/mnt /boot'
pip() {{ python -m pip "$@" --quiet --no-deps; }}
mkdir /src
cp -r /media/{EDITABLE} /media/{DEVELOPED} /src
cp -r /media /tmp/build

cd /tmp/build/{NOWHERE}
python -B pack.py /tmp
PIP_FIND_LINKS=/tmp pip install {NOWHERE}=={NOWHERE_VERSION}

cd /tmp/build/{GONE}
git init --quiet .
git add .
who='-c user.name=Fixture -c user.email=fixture@example.org'
GIT_AUTHOR_DATE=2020-02-02T00:00:00Z GIT_COMMITTER_DATE=2020-02-02T00:00:00Z git $who commit --quiet --message=Fixture
git tag v0.9
git config --global url.file:///tmp/build/{GONE}.insteadOf {GONE_URL}
pip install git+{GONE_URL}@v0.9

for name in {EGG} {ZIPPED} {DISTUTILS}; do
    cd /tmp/build/$name
    python setup.py --quiet install
done
cd /
pip install {LEGACY} --no-binary {LEGACY}
pip install {DATA} {WRONG_RECORD}
pip install -e /src/{EDITABLE}
pip install --no-use-pep517 -e /src/{DEVELOPED}
sed -i 's/^def encode(/# Patched by hand.\\n&/' {SITE}/{PATCHED_FILE}
grep -q 'Patched by hand' {SITE}/{PATCHED_FILE}

apt-get -qq purge -y --auto-remove gcc libc6-dev git >/dev/null
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log /tmp/* /root/.gitconfig
""",
    changes=(
        f"ENV PATH={HOME}/.local/bin:/usr/local/bin:/usr/bin:/bin",
        "USER td-user",
        f"WORKDIR {HOME}",
    ),
)
"""Python 3.9; the VCS install's repository was there only while the image was built."""
