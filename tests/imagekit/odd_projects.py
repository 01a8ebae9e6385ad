"""The projects that only the ``odd`` image has, and the files that it installs them from."""

from __future__ import annotations

import hashlib
import io
import secrets
import shutil
import zipfile
from pathlib import Path

from tests.imagekit.machine import cache_folder, locked
from tests.imagekit.projects import DEVELOPED, EDITABLE, flit_project, setup_project
from tests.imagekit.sdists import fetch_sdists
from tests.imagekit.wheels import make_wheel

NOWHERE = "envsync-fixture-nowhere"
NOWHERE_VERSION = "3.1.0.dev98"
"""No index has it; compiled, with a library of its own in ``envsync_fixture_nowhere.libs``."""
GONE = "envsync-fixture-gone"
"""From a Git repository that is gone."""
EGG = "envsync-fixture-egg"
ZIPPED = "envsync-fixture-zipped"
"""These two by ``python setup.py install``: an egg that is a folder, an egg that is a file."""
DISTUTILS = "envsync-fixture-distutils"
"""By distutils alone: its egg-info is a file, and no list of files is kept."""
DATA = "envsync-fixture-data"
"""A wheel with scripts, data and headers."""
WRONG_RECORD = "envsync-fixture-wrong-record"
WRONG_FILE = "envsync_fixture_wrong_record.py"
"""The wheel's RECORD has another hash of this file; pip installs it all the same, and writes that hash down."""
_SDISTS = ("retrying==1.3.3",)

_LIBRARY = "int envsync_fixture_answer(void) { return 42; }\n"
_EXTENSION = r"""
#define PY_SSIZE_T_CLEAN
#include <Python.h>
extern int envsync_fixture_answer(void);
static PyObject *answer(PyObject *self, PyObject *nothing) { return PyLong_FromLong(envsync_fixture_answer()); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, "42."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_lib", NULL, -1, methods};
PyMODINIT_FUNC PyInit__lib(void) { return PyModule_Create(&module); }
"""
_PACK = r'''
"""Compile, and pack as auditwheel leaves a wheel: the library renamed, found by an RPATH relative to the extension."""

import base64, hashlib, os, platform, subprocess, sys, sysconfig, zipfile

name, version, machine = "envsync_fixture_nowhere", "VERSION", platform.machine()
library = "libenvsync_fixture-5b3e1c0a.so.310"
extension = "_lib" + sysconfig.get_config_var("EXT_SUFFIX")
include = sysconfig.get_path("include")
gcc = ["gcc", "-O1", "-fPIC", "-shared"]
subprocess.check_call(gcc + ["library.c", "-o", library, "-Wl,-soname," + library])
rpath = "-Wl,--disable-new-dtags,-rpath,$ORIGIN/../%s.libs" % name
subprocess.check_call(gcc + ["extension.c", "-o", extension, "-I" + include, library, rpath])
info = "%s-%s.dist-info" % (name, version)
tags = ["cp39-cp39-manylinux_2_17_" + machine, "cp39-cp39-manylinux2014_" + machine]
wheel = ["Wheel-Version: 1.0", "Generator: bdist_wheel (0.36.2)", "Root-Is-Purelib: false"]
files = {
    name + "/__init__.py": b"from ._lib import answer\n",
    name + "/" + extension: open(extension, "rb").read(),
    name + ".libs/" + library: open(library, "rb").read(),
    info + "/METADATA": ("Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name.replace("_", "-"), version)).encode(),
    info + "/WHEEL": "".join(line + "\n" for line in wheel + ["Tag: " + tag for tag in tags]).encode(),
    info + "/top_level.txt": (name + "\n").encode(),
}
lines = []
for path, data in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    lines.append("%s,sha256=%s,%d\n" % (path, digest, len(data)))
files[info + "/RECORD"] = "".join(lines + [info + "/RECORD,,\n"]).encode()
filename = "%s-%s-cp39-cp39-manylinux_2_17_%s.manylinux2014_%s.whl" % (name, version, machine, machine)
with zipfile.ZipFile(os.path.join(sys.argv[1], filename), "w", zipfile.ZIP_DEFLATED) as archive:
    for path, data in files.items():
        member = zipfile.ZipInfo(path, (2021, 2, 3, 0, 0, 0))
        member.external_attr = (0o100755 if ".so" in path else 0o100644) << 16
        archive.writestr(member, data, zipfile.ZIP_DEFLATED)
'''


def _egg_project(name: str, version: str, *, zip_safe: bool) -> dict[str, str]:
    """A package with data and a command."""
    module = name.replace("-", "_")
    call = (
        f'setup(name="{name}", version="{version}", packages=["{module}"], package_data={{"{module}": ["*.txt"]}},\n'
        f'      install_requires=["six"], zip_safe={zip_safe},\n'
        f'      entry_points={{"console_scripts": ["{name} = {module}:main"]}})\n'
    )
    code = f'"""A fixture."""\n\nVERSION = "{version}"\n\n\ndef main():\n    print(VERSION)\n'
    return {
        "setup.py": "from setuptools import setup\n" + call,
        f"{module}/__init__.py": code,
        f"{module}/words.txt": "one two\n",
    }


_DISTUTILS_FILES = {
    "setup.py": f"""
from distutils.core import Extension, setup

setup(name="{DISTUTILS}", version="0.4", py_modules=["envsync_fixture_distutils"], scripts=["fixture-distutils"],
      ext_modules=[Extension("_envsync_fixture_distutils", ["module.c"])],
      data_files=[("share/fixture", ["notes.txt"])])
""",
    "module.c": _EXTENSION.replace("_lib", "_envsync_fixture_distutils")
    .replace("extern int envsync_fixture_answer(void);", "")
    .replace("envsync_fixture_answer()", "42"),
    "envsync_fixture_distutils.py": "from _envsync_fixture_distutils import answer\n",
    "fixture-distutils": "#!/usr/bin/python\nfrom envsync_fixture_distutils import answer\n\nprint(answer())\n",
    "notes.txt": "A note.\n",
}


def project_files() -> dict[str, str]:
    """The folders of projects, by path."""
    projects = {
        NOWHERE: {
            "library.c": _LIBRARY,
            "extension.c": _EXTENSION,
            "pack.py": _PACK.replace("VERSION", NOWHERE_VERSION, 1),
        },
        GONE: flit_project(GONE, "0.9"),
        EGG: _egg_project(EGG, "0.2", zip_safe=False),
        ZIPPED: _egg_project(ZIPPED, "0.3", zip_safe=True),
        DISTUTILS: _DISTUTILS_FILES,
        EDITABLE: flit_project(EDITABLE, "1.1"),
        DEVELOPED: setup_project(DEVELOPED, "1.2"),
    }
    return {f"{name}/{path}": text for name, files in projects.items() for path, text in files.items()}


def data_wheel() -> tuple[str, bytes]:
    """Everything that a wheel may have beside its modules."""
    data = "envsync_fixture_data-0.5.data"
    return make_wheel(
        DATA,
        "0.5",
        {
            "envsync_fixture_data.py": "VERSION = '0.5'\n\n\ndef main():\n    print(VERSION)\n",
            f"{data}/scripts/fixture-python": "#!python\nimport envsync_fixture_data as it\n\nit.main()\n",
            f"{data}/scripts/fixture-pythonw": "#!pythonw\nimport envsync_fixture_data as it\n\nit.main()\n",
            f"{data}/scripts/fixture-shell": "#!/bin/sh\necho 0.5\n",
            f"{data}/data/share/fixture-data/notes.txt": "A note.\n",
            f"{data}/data/etc/fixture-data.conf": "key = value\n",
            f"{data}/headers/fixture.h": "#define FIXTURE 5\n",
            f"{data}/platlib/envsync_fixture_platlib.py": "VERSION = '0.5'\n",
            "envsync_fixture_data-0.5.dist-info/entry_points.txt": "[console_scripts]\n"
            "fixture-entry = envsync_fixture_data:main\n",
        },
    )


def wrong_record_wheel() -> tuple[str, bytes]:
    """A wheel whose RECORD was made before one of its files."""
    filename, good = make_wheel(WRONG_RECORD, "0.6", {WRONG_FILE: "VERSION = '0.6'\n"})
    _, other = make_wheel(WRONG_RECORD, "0.6", {WRONG_FILE: "VERSION = '0.5'\n"})
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(good)) as source,
        zipfile.ZipFile(io.BytesIO(other)) as another,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for member in source.infolist():
            archive.writestr(member, (another if member.filename.endswith("/RECORD") else source).read(member.filename))
    return filename, out.getvalue()


def files_folder() -> Path:
    """The wheels and sdists that the index lacks or that must be built; made once, named by what is in it."""
    wheels = (data_wheel(), wrong_record_wheel())
    key = hashlib.sha256(b"".join(data for _, data in wheels) + "".join(_SDISTS).encode()).hexdigest()[:12]
    folder = cache_folder() / f"odd-{key}"
    with locked(folder.name):
        if not folder.exists():
            staging = folder.with_name(f"{folder.name}-{secrets.token_hex(4)}")
            shutil.copytree(fetch_sdists(_SDISTS), staging)
            for name, data in wheels:
                (staging / name).write_bytes(data)
            staging.rename(folder)
    return folder
