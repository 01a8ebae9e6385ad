"""An image whose distributions need much of the operating system, and a machine that has none of it."""

from __future__ import annotations

from tests.imagekit.base import install_script, interpreter, pins
from tests.imagekit.engine import Recipe
from tests.imagekit.sdists import fetch_sdists

PYTHON = "3.11"

MODULES: dict[str, tuple[str, ...]] = {
    "cairocffi": ("cairocffi",),
    "GitPython": ("git",),
    "graphviz": ("graphviz",),
    "lightgbm": ("lightgbm",),
    "numpy": ("numpy", "numpy.linalg", "numpy.random"),
    "opencv-python": ("cv2",),
    "psycopg2": ("psycopg2", "psycopg2._psycopg"),
    "pycurl": ("pycurl",),
    "python-magic": ("magic",),
    "pyzbar": ("pyzbar.pyzbar",),
    "scipy": ("scipy.linalg", "scipy.sparse"),
    "MarkupSafe": ("markupsafe._speedups",),
}
"""What each distribution lets one import where its needs are met."""

NEEDY = Recipe(
    name="needy",
    parent=interpreter(PYTHON),
    python=PYTHON,
    network="host",
    folder=lambda: fetch_sdists(("psycopg2==2.9.9", "pycurl==7.45.3")),
    wheels=pins(
        """
        pip==23.2.1 setuptools==65.5.0 wheel==0.42.0 cairocffi==1.6.1 cffi==1.16.0 pycparser==2.21 gitdb==4.0.11
        GitPython==3.1.41 smmap==5.0.1 graphviz==0.20.1 lightgbm==4.3.0 MarkupSafe==2.1.5 numpy==1.26.4
        opencv-python==4.9.0.80 python-magic==0.4.27 pyzbar==0.1.9 scipy==1.12.0
        """
    ),
    script="""
apt-get -qq update >/dev/null
apt-get -qq install -y --no-install-recommends gcc libc6-dev libcurl4-openssl-dev libpq-dev libssl-dev >/dev/null
apt-get -qq install -y --no-install-recommends fonts-dejavu-core git graphviz libcairo2 libcurl4 libgl1 libglib2.0-0 \\
    libgomp1 libmagic1 libpq5 libzbar0 media-types tzdata >/dev/null
"""
    + install_script(
        "23.2.1",
        "setuptools wheel cairocffi GitPython graphviz lightgbm MarkupSafe opencv-python python-magic pyzbar scipy",
    )
    + """
export PIP_FIND_LINKS=/boot C_INCLUDE_PATH=/usr/local/include/python3.11
python -m pip install --quiet --no-deps --no-build-isolation psycopg2 pycurl
apt-get -qq purge -y --auto-remove gcc libc6-dev libcurl4-openssl-dev libpq-dev libssl-dev >/dev/null
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log /tmp/*
""",
    changes=("ENV TZ=Asia/Tokyo",),
)
"""Python 3.11 on Debian: libraries that are linked, loaded by name, and programs that are run."""

MACHINE = interpreter(PYTHON)
"""The same system and Python, with nothing of that."""
