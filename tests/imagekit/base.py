"""What all images stand on: Debian, pyenv's interpreters moved into it, and how pip gets there."""

from __future__ import annotations

from tests.imagekit.engine import Recipe

BASE = Recipe(
    name="base",
    parent=None,
    script="""
        ca-certificates libbz2-1.0 libexpat1 libffi8 libgdbm6 liblzma5 libncursesw6 libnsl2 libreadline8
        libsqlite3-0 libssl3 libuuid1 zlib1g
    """,
    changes=(
        "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        "ENV LANG=C.UTF-8",
        'CMD ["bash"]',
    ),
)
"""Debian 12, as small as it gets; no Python."""

_INTERPRETER = """
prefix={prefix} name=python{minor}
mkdir -p $prefix/bin $prefix/lib $prefix/include
cp /srv/bin/$name $prefix/bin/
cp -d /srv/lib/libpython*.so* $prefix/lib/
cp -r /srv/include/$name* $prefix/include/
tar -C /srv/lib -cf - --exclude=__pycache__ --exclude=test --exclude=tests --exclude=idlelib \\
    --exclude='config-*' --exclude='*.a' --exclude='site-packages/*' $name \\
    | tar -C $prefix/lib -xf - --no-same-owner
ln -s $name $prefix/bin/python{major}
ln -s $name $prefix/bin/python
echo $prefix/lib > /etc/ld.so.conf.d/$name.conf
ldconfig
$prefix/bin/python -B -c 'import bz2, ctypes, sqlite3, ssl, zlib'
test "$($prefix/bin/python -B -c 'import sys; print(sys.prefix)')" = $prefix
"""


def interpreter(minor: str, parent: Recipe = BASE, *, prefix: str = "/usr/local") -> Recipe:
    """A layer with pyenv's interpreter moved to ``prefix``: without pip, tests and caches."""
    return Recipe(
        name="python",
        parent=parent,
        python=minor,
        script=_INTERPRETER.format(prefix=prefix, minor=minor, major=minor[0]),
        changes=(f"ENV PYTHON_VERSION={minor}",),
    )


def pins(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def install_script(pip: str, requested: str, *, python: str = "python") -> str:
    """Install pip by the pip in its own wheel, then everything else by the pip just installed."""
    bootstrap = f"wheel=$(echo /mnt/pip-{pip}-*.whl)\n{python} $wheel/pip install --quiet pip=={pip}"
    return f"{bootstrap}\n{python} -m pip install --quiet {requested}\n"
