"""What conda takes for packages of this machine."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from envsync.host import virtual_packages

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks for Linux's own virtual packages")


def test_this_machine() -> None:
    named = {text.split("=")[0]: text.split("=")[1:] for text in virtual_packages()}
    assert {"__unix", "__linux", "__archspec"} <= named.keys()
    family, version = platform.libc_ver()
    if family == "glibc":
        assert named["__glibc"] == [version, "0"]


def test_overrides_count() -> None:
    code = "from envsync.host import virtual_packages; print(*virtual_packages())"
    env = {**os.environ, "CONDA_OVERRIDE_GLIBC": "2.5", "CONDA_OVERRIDE_CUDA": "12.1"}
    told = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True).stdout
    assert {"__glibc=2.5=0", "__cuda=12.1=0"} <= set(told.split())
