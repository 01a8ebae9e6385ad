"""The engine's images are what their recipes say."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.imagekit import engine, recipes
from tests.imagekit.machine import KitError

pytestmark = pytest.mark.engine
Images = Callable[[str], str]


def test_a_tag_changes_with_its_recipe_and_with_its_parent() -> None:
    base = recipes.BASE
    child = engine.Recipe(name="child", parent=base, script="true")
    assert child.tag == replace(child).tag
    tags = {
        child.tag,
        replace(child, script="false").tag,
        replace(child, files={"a": "b"}).tag,
        replace(child, changes=("USER nobody",)).tag,
        replace(child, parent=replace(base, script="perl")).tag,
    }
    assert len(tags) == 5


def test_a_tag_changes_with_the_folder_that_is_mounted(tmp_path: Path) -> None:
    def tag(folder: Path) -> str:
        return engine.Recipe(name="child", parent=recipes.BASE, script="true", folder=lambda: folder).tag

    assert tag(tmp_path / "one") != tag(tmp_path / "other")


def test_nothing_of_the_build_is_in_the_config(slim_image: str) -> None:
    config = json.loads(engine.docker("image", "inspect", "--format", "{{json .Config}}", slim_image))
    assert config["Env"] == [
        "PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG=C.UTF-8",
        "PYTHON_VERSION=3.9",
        "PYTHONUNBUFFERED=1",
        "DIGDAG_EXAMPLE=yes",
    ]
    assert (config.get("User", ""), config["WorkingDir"], config["Cmd"]) == ("", "/work", ["python3"])


def test_pip_freeze_lists_what_the_recipe_installs(slim_image: str) -> None:
    assert sorted(engine.pip_freeze(slim_image)) == sorted(recipes.SLIM.wheels)


def test_pip_freeze_works_without_pip(nopip_image: str) -> None:
    expected = [pin for pin in recipes.NOPIP.wheels if not pin.startswith("pip==")]
    assert sorted(engine.pip_freeze(nopip_image)) == sorted(expected)
    with pytest.raises(KitError, match="No module named pip"):
        engine.run_in(nopip_image, "python", "-m", "pip", "--version")


def test_inconsistent_image_fails_pip_check(inconsistent_image: str) -> None:
    with pytest.raises(KitError, match=r"requests 2\.31\.0 requires urllib3, which is not installed"):
        engine.run_in(inconsistent_image, "python", "-m", "pip", "check")


def test_user_site_image_runs_as_its_user(user_site_image: str) -> None:
    program = "import idna, os, requests; print(os.getuid(), os.path.expanduser('~'), idna.__file__)"
    told = engine.run_in(user_site_image, "python", "-c", program).strip()
    assert told == "1000 /home/td-user /home/td-user/.local/lib/python3.9/site-packages/idna/__init__.py"


def test_relayered_image_has_whiteouts_and_opaque_folders(relayered_image: str) -> None:
    site = "usr/local/lib/python3.10/site-packages"
    with tarfile.open(engine.save(relayered_image)) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        top = archive.extractfile(json.load(manifest)[0]["Layers"][-1])
        assert top is not None
        with tarfile.open(fileobj=top) as layer:
            names = set(layer.getnames())
    assert {f"{site}/.wh.six.py", f"{site}/.wh.urllib3-1.26.14.dist-info", f"{site}/toml/.wh..wh..opq"} <= names


def test_origins_image_records_every_kind_of_origin(origins_image: str) -> None:
    lines = engine.pip_freeze(origins_image)
    kinds = ("envsync-fixture-vcs @ git+http://127.0.0.1:", "-e /src/", "idna @ file:///wheels/", "click==8.1.7")
    assert [kind for kind in kinds if not any(line.startswith(kind) for line in lines)] == []
    assert any(line.startswith("envsync-fixture-archive @ http://127.0.0.1:") and "#sha256=" in line for line in lines)


@pytest.mark.parametrize("name", ["old37", "venv", "debian_system", "debian_python", "py27"])
def test_images_start_their_python(image: Images, name: str) -> None:
    versions = {"old37": "3.7", "venv": "3.11", "debian_system": "3.11", "debian_python": "3.12", "py27": "2.7"}
    program = "import ssl, sys; print('%d.%d' % sys.version_info[:2])"
    interpreter = "python" if name == "py27" else "python3"
    assert engine.run_in(image(name), interpreter, "-c", program).strip() == versions[name]


def test_conda_channel_image_has_two_environments_and_what_pip_added(conda_channel_image: str) -> None:
    program = "import ssl, sys; print(sys.prefix)"
    assert engine.run_in(conda_channel_image, "python", "-c", program).strip() == "/opt/conda"
    other = "/opt/conda/envs/other"
    assert engine.run_in(conda_channel_image, f"{other}/bin/python", "-c", program).strip() == other
    assert engine.run_in(conda_channel_image, "demo-prefix").strip() == "/opt/conda"
    assert engine.run_in(conda_channel_image, "demo-where").strip() == "/opt/conda/share/demo-tool"
    listed = engine.pip_freeze(conda_channel_image, "python")
    assert {"idna==3.6", "MarkupSafe==2.1.5", "six==1.16.0", "tabulate==0.9.0"} < set(listed)


def test_nopython_image_has_none(nopython_image: str) -> None:
    assert engine.run_in(nopython_image, "sh", "-c", "command -v python python3 python2 || echo none").strip() == "none"
