"""Images that misbehave: one small layer each on an interpreter of the shared kit."""

from __future__ import annotations

from tests.imagekit.engine import Recipe
from tests.imagekit.recipes import BASE, interpreter

PYTHON = interpreter("3.13")
_SITE = "/usr/local/lib/python3.13/site-packages"


def starting_with(name: str, code: str) -> Recipe:
    """An image whose every Python runs ``code`` as it starts."""
    return Recipe(
        name=f"probe-{name}",
        parent=PYTHON,
        files={"sitecustomize.py": code},
        script=f"mkdir -p {_SITE}\ncp /media/sitecustomize.py {_SITE}/",
    )


HANGS = starting_with("hangs", "import time\ntime.sleep(1000)\n")
FLOODS = starting_with("floods", "import os\nwhile True: os.write(1, b'x' * 65536)\n")
FLOODS_STDERR = starting_with("floods-stderr", "import os\nwhile True: os.write(2, b'x' * 65536)\n")
FORKS = starting_with(
    "forks",
    "import os, time\n"
    "try:\n    for _ in range(10000):\n        if os.fork() == 0:\n            time.sleep(1000)\n"
    "except OSError:\n    pass\n",
)
LIES = starting_with("lies", "import os\nos.write(1, b'{\"interpreters\": []}')\nos._exit(0)\n")
EATS_MEMORY = starting_with("eats-memory", "x = b'x' * (1 << 32)\n")
CRASHES = starting_with(
    "crashes", "import os, sys\nsys.stderr.write('first\\nlast \\x1b[31mwords\\n')\nos.kill(os.getpid(), 11)\n"
)
MEDDLES = starting_with(
    "meddles",
    """
import os, socket, sys
def attempt(name, action, *words):
    try:
        action(*words)
        print(name, 'done')
    except OSError as error:
        print(name, error)
attempt('network', socket.create_connection, ('192.0.2.1', 80), 3)
attempt('write', open, '/usr/local/written', 'w')
attempt('remove', os.remove, '/usr/local/bin/python')
""",
)
"""It also prints what became of that, before the answer."""

WITHOUT_LIBRARY = Recipe(
    name="probe-without-library",
    parent=PYTHON,
    script="rm /usr/local/lib/libpython3*\nldconfig",
)
"""``python`` is there, and ends at once with the status of a command that is not there."""

TEXT = Recipe(
    name="probe-text",
    parent=BASE,
    script="echo 'hello world' > /usr/local/bin/python\nchmod 755 /usr/local/bin/python",
)

OTHER_CPU = Recipe(
    name="probe-other-cpu",
    parent=BASE,
    script=r"printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\267\0' > /usr/local/bin/python3"
    "\nhead -c 4096 /dev/zero >> /usr/local/bin/python3\nchmod 755 /usr/local/bin/python3",
)
"""The header of a program for aarch64."""

VOLUME = Recipe(
    name="probe-volume",
    parent=PYTHON,
    script="python -m venv --without-pip /data/venv",
    changes=("VOLUME /data", "ENV PATH=/data/venv/bin:/usr/local/bin:/usr/bin:/bin"),
)
"""A virtual environment in a folder that the image declares as a volume."""

MINIMAL = Recipe(
    name="probe-minimal",
    parent=BASE,
    network="host",
    script="apt-get -q update\napt-get -q install -y --no-install-recommends python3-minimal\n"
    "rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log",
    changes=("USER 12345:12345", "WORKDIR /nowhere/at/all", 'ENTRYPOINT ["/bin/false"]', "ENV HTTP_PROXY=http://x"),
)
"""Debian's python3-minimal, which lacks json; a user without a name; an entry point that fails."""

SHELL_LESS = Recipe(
    name="probe-shell-less",
    parent=PYTHON,
    script="mkdir -p /opt/odd/place\nmv /usr/local/bin/python3.13 /opt/odd/place/interpreter\n"
    "rm /usr/local/bin/python*\nrm -f /usr/bin/dash /usr/bin/bash /usr/bin/sh /usr/bin/dpkg-query",
    changes=("ENV PYTHONHOME=/usr/local",),
)
"""No shell, no dpkg-query, and a Python that only its path can name."""
