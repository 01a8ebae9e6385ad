"""What envsync reads from files is what real pips print: old and new ones, on both of their backends."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from envsync.model import ArchiveOrigin, DirectoryOrigin
from tests.catalog.installed import describe, dist_info, egg_info, install, interpreter, lines, real_freeze

PIPS = [
    ("9.0.3", "2.7"),
    ("18.1", "3.6"),
    ("19.3.1", "3.7"),
    ("20.0.2", "3.7"),
    ("20.3.4", "2.7"),
    ("21.1", "3.8"),
    ("21.2.4", "3.6"),
    ("22.0.4", "3.9"),
    ("22.3.1", "3.11"),
    ("23.2.1", "3.10"),
    ("24.0", "3.12"),
    ("24.1", "3.12"),
    ("25.3", "3.13"),
    ("26.1", "3.10"),
    ("26.1", "3.13"),
]

INDEX = (
    "ruamel.yaml==0.18.6",
    "prompt_toolkit==2.0.9",
    "jaraco.classes==3.4.0",
    "zope.interface==7.2",
    "backports.functools-lru-cache==1.6.4",
    "PyYAML==6.0.2",
    "Flask==3.0.3",
    "pytz==2019.3",
    "typing_extensions==4.12.2",
)

SETUP = """
from setuptools import setup
setup(name={name!r}, version={version!r}, py_modules=[{module!r}], zip_safe={zip_safe})
"""


def release(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


@pytest.fixture(scope="session")
def pips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Real pips, each in a folder of its own."""
    root = tmp_path_factory.mktemp("pips")
    for pip in {pip for pip, _ in PIPS}:
        install(root / pip, f"pip=={pip}")
    return {pip: root / pip for pip, _ in PIPS}


@pytest.fixture(scope="session")
def from_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Distributions whose names are spelt in all ways."""
    site = tmp_path_factory.mktemp("index") / "site"
    install(site, *INDEX)
    return site


@pytest.fixture(scope="session")
def from_setuptools(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """What an old setuptools makes: a folder of ``.egg-info`` and ``.egg-link``, and what its ``.pth`` adds."""
    python = interpreter("3.7")
    root = tmp_path_factory.mktemp("setuptools")
    site = root / "site"
    site.mkdir()
    made = (
        ("Dev_elop.ed", "0.1", ["develop", "--install-dir", site]),
        ("Folder_egg.info", "2.0.post1", ["install_egg_info", "--install-dir", site]),
        ("Zipped_egg", "1.5", ["bdist_egg", "--dist-dir", site]),
        ("Unzipped_egg", "1.6", ["easy_install", "--no-deps", "--install-dir", site, "--always-unzip", "."]),
    )
    for name, version, arguments in made:
        project = root / f"project of {name}"
        project.mkdir()
        module = name.lower().replace(".", "_")
        (project / f"{module}.py").write_text("")
        zip_safe = name.startswith("Zipped")
        text = SETUP.format(name=name, version=version, module=module, zip_safe=zip_safe)
        (project / "setup.py").write_text(text)
        subprocess.run(
            [python, "setup.py", "--quiet", *arguments],
            cwd=project,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(site)},
            check=True,
            capture_output=True,
        )
    pth = (site / "easy-install.pth").read_text().splitlines()
    added = [site / line for line in pth if line and not line.startswith("import")]
    eggs = [path for path in sorted(site.glob("Zipped*.egg")) if path not in added]
    assert len(added) == 2
    assert len(eggs) == 1
    assert zipfile.is_zipfile(eggs[0])
    return site, [*added, *eggs]


def odd_distributions(site: Path, pip: str, modern: bool) -> None:
    dist_info(site, "Handmade_1-2019.03", "Name: Handmade_1\nVersion: 2019.03\n")
    dist_info(site, "post_release-1.0_1", "Name: post-release\nVersion: 1.0-1\n")
    dist_info(site, "local.version-1.0+Ubuntu_1", "Name: local.version\nVersion: 1.0+Ubuntu-1\n")
    dist_info(site, "epoch-1!2.0", "Name: epoch\nVersion: 1!2.0\n")
    dist_info(site, "candidate-1.0.0rc1", "name: Candidate\r\nVERSION:1.0.0-rc.1\r\n\r\nName: body\r\n")
    dist_info(site, "Legacy_A-1.0.custom", "Name: Legacy_A\nVersion: 1.0.custom\n")
    dist_info(site, "~eftover-20.0", "Name: leftover\nVersion: 20.0\n")
    if release(pip) >= (21, 2):  # older ones call it Unknown
        dist_info(site, "-orse-20.0", "Name: worse\nVersion: 20.0\n")
    dist_info(site, "No_Metadata-1.0", None, INSTALLER="pip\n")
    dist_info(site, "Empty-1.0", None)
    dist_info(site, "no_name-1.0", "Version: 1.0\nSummary: x\n")
    dist_info(site, "folded-1.0", "Summary: a\n        Name: wrong\n\tb\nName: folded\nVersion: 1.0\n")
    dist_info(site, "header_like-1.0", "Author: x\nThis ends the headers\nName: body\nVersion: 9\n")
    egg_info(site, "Distutils_made-1.10-py3.7", "Name: Distutils_made\nVersion: 1.10\n", lone=True)
    egg_info(site, "Old.legacy-1.0_custom-py2.7", "Name: Old.legacy\nVersion: 1.0-custom\n")
    egg_info(site, "mangled-1.11.0.dev0_2329eae-py3.7", "Name: mangled\nVersion: 1.11.0.dev0+2329eae\n")
    origins: dict[str, object] = {
        "From_wheel-1.0": {"url": "file:///wheels/From_wheel-1.0-py3-none-any.whl", "archive_info": {}},
        "hashed-1.0": {
            "url": "https://example.org/h.tar.gz",
            "archive_info": {"hash": "sha256=" + "c" * 64, "hashes": {"sha256": "c" * 64}},
            "subdirectory": "python",
        },
        "only_hashes-1.0": {
            "url": "https://example.org/o.zip",
            "archive_info": {"hashes": {"sha512": "d" * 128, "sha256": "e" * 64}},
        },
        "From.git-1.0": {
            "url": "ssh://git@example.org/a/b.git",
            "vcs_info": {"vcs": "git", "requested_revision": "v1", "commit_id": "0" * 40},
            "subdirectory": "sub/dir",
        },
        "from_folder-1.0": {"url": "file:///src/from%20folder", "dir_info": {}},
        "not_editable-1.0": {"url": "file:///src/x", "dir_info": {"editable": False}},
        "two_infos-1.0": {"url": "file:///x", "dir_info": {}, "archive_info": {}},
        "wrong_type-1.0": {"url": 1, "dir_info": {}},
    }
    if release(pip) < (26, 1):  # newer ones fail with an AttributeError
        origins["no_object-1.0"] = []
    if release(pip) < (20, 1) or release(pip) >= (21, 3):  # those between fail with an AssertionError
        origins["Edited_660-1.0"] = {"url": "file:///src/Edited%20660", "dir_info": {"editable": True}}
    for stem, direct_url in origins.items():
        name, _, version = stem.partition("-")
        dist_info(site, stem, f"Name: {name}\nVersion: {version}\n", direct_url=direct_url)
    broken = dist_info(site, "broken_json-1.0", "Name: broken_json\nVersion: 1.0\n")
    (broken / "direct_url.json").write_bytes(b'{"url": ')
    if not modern:  # the order of the file system decides
        dist_info(site, "twice-1.0", "Name: twice\nVersion: 1.0\n")
        dist_info(site, "twice-10.0", "Name: twice\nVersion: 10.0\n")
        dist_info(site, "twice-9.0", "Name: twice\nVersion: 9.0\n")
    if release(pip) < (21, 2):  # newer ones fail with a UnicodeDecodeError
        dist_info(site, "latin-1.0", "Author: Jürgen\nName: latin\nVersion: 1.0\n".encode("latin-1"))


@pytest.mark.network
@pytest.mark.parametrize(("pip", "python"), PIPS)
def test_the_lines_are_those_of_pip_freeze(
    pip: str,
    python: str,
    pips: dict[str, Path],
    from_index: Path,
    from_setuptools: tuple[Path, list[Path]],
    tmp_path: Path,
) -> None:
    executable = interpreter(python)
    modern = release(pip) >= (22, 2) and release(python) >= (3, 11)
    user, site, odd = tmp_path / "user", tmp_path / "site", tmp_path / "odd"
    dist_info(user, "Shadow.ing-2.0", "Name: Shadow.ing\nVersion: 2.0\n")
    dist_info(site, "Shadow.ing-1.0", "Name: Shadow.ing\nVersion: 1.0\n")
    odd_distributions(odd, pip, modern)
    develop, added = from_setuptools
    first = [user, pips[pip], site, odd]
    last = [from_index, develop, *added]

    expected = real_freeze(executable, tmp_path / "cwd", first, last)
    found = describe(*first, *last, python=python)

    assert lines(found) == expected
    assert f"pip=={pip}" in expected
    assert {d.shadowed_by for d in found[0] if "hadow" in d.name} == {None, PurePosixPath(user)}


BACKEND = """
import base64, zipfile
FILES = {
    "homemade-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: Homemade\\nVersion: 1.0\\n",
    "homemade-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "homemade-1.0.dist-info/RECORD": "",
    "homemade.py": "",
}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(folder + "/homemade-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in FILES.items():
            wheel.writestr(name, text)
    return "homemade-1.0-py3-none-any.whl"
build_editable = build_wheel
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def test_the_lines_are_those_of_a_venv_that_pip_filled(tmp_path: Path) -> None:
    base = interpreter("3.12")
    subprocess.run([base, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    site = tmp_path / "venv/lib/python3.12/site-packages"
    project = tmp_path / "a project"
    project.mkdir()
    (project / "backend.py").write_text(BACKEND)
    (project / "pyproject.toml").write_text(PYPROJECT)
    wheel = tmp_path / "homemade-1.0-py3-none-any.whl"
    subprocess.run([python, "-c", f"import backend; backend.build_wheel({str(tmp_path)!r})"], cwd=project, check=True)
    asked = (["-e", str(project)], [str(project)], [str(wheel)])

    kinds = []
    for arguments in asked:
        command = [python, "-m", "pip", "install", "--quiet", "--no-index", "--force-reinstall", *arguments]
        subprocess.run([*command, "--disable-pip-version-check"], check=True, capture_output=True)
        printed = subprocess.run(
            [python, "-m", "pip", "freeze", "--all"], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        found = describe(site, python="3.12.1")
        assert lines(found) == {line for line in printed if not line.startswith("#")}
        assert found[1] == ()
        (homemade,) = (item for item in found[0] if item.name == "Homemade")
        assert homemade.requested
        assert homemade.installer == "pip"
        assert homemade.tags == ("py3-none-any",)
        record = (site / "homemade-1.0.dist-info/RECORD").read_bytes()
        assert homemade.record == "sha256:" + hashlib.sha256(record).hexdigest()
        kinds.append(homemade.origin)

    url = project.as_uri()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert kinds == [
        DirectoryOrigin(url=url, editable=True),
        DirectoryOrigin(url=url),
        ArchiveOrigin(url=wheel.as_uri(), hashes=(f"sha256={digest}",)),
    ]
