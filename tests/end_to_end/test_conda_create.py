"""From an image with conda's packages to its twin, as a user does it: pull, create, diff, and what may go wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.program import Result, environment, envsync
from tests.imagekit.conda_channel import BASE, Served, serve
from tests.imagekit.conda_prefixes import PACKAGES, PREFIX
from tests.imagekit.faulty import Answer, Script, on

pytestmark = [pytest.mark.engine, pytest.mark.network]

SITE = "lib/python3.9/site-packages"
TWIN = f"{len(PACKAGES)} of {len(PACKAGES)} conda packages and 2 of 2 pip distributions as in the image"
COUNT = len(PACKAGES) + 2


@dataclass(frozen=True)
class User:
    """Somebody with a home, caches and a project of their own."""

    folder: Path
    locks: Path
    served: Served | None = None

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def twin(self) -> Path:
        return self.folder / "project" / ".conda"

    def run(self, *words: str | Path, **variables: str) -> Result:
        """Run ``envsync WORDS`` in the project."""
        chosen = {
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "RATTLER_CACHE_DIR": str(self.folder / "rattler"),
            "UV_CACHE_DIR": str(self.locks / "uv"),
            "COLUMNS": "80",
            **variables,
        }
        return envsync(*words, cwd=self.twin.parent, **chosen)

    def create(self, *words: str | Path, lock: Path | None = None, **variables: str) -> Result:
        """Run ``envsync create`` with the channels that are served."""
        assert self.served is not None
        channels = ("--channel", f"{self.served.url}/main", "--channel", f"{self.served.url}/extra")
        what = () if lock else ("-L", self.locks / "lockfiles")
        image = ("--image", lock) if lock else ()
        return self.run("create", *(words or (".conda",)), *what, *image, *channels, **variables)

    def diff(self, *words: str | Path) -> list[str]:
        """Kinds of findings within the environment."""
        result = self.run("diff", *(words or (".conda",)), "-L", self.locks / "lockfiles", "--verify", "--json")
        assert result.status in (0, 1), result.said
        return [one["kind"] for one in json.loads(result.out)["findings"] if one["scope"] == "python"]


@pytest.fixture(scope="module")
def locks(conda_channel_image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pulled")
    result = envsync("pull", conda_channel_image, cwd=folder)
    assert result.status == 0, result.said
    return folder


@pytest.fixture
def new_user(locks: Path, tmp_path: Path) -> Callable[[Served | None], User]:
    def make(served: Served | None) -> User:
        user = User(tmp_path, locks, served)
        user.home.mkdir()
        user.twin.parent.mkdir()
        return user

    return make


@pytest.fixture
def user(new_user: Callable[[Served | None], User]) -> Iterator[User]:
    with serve() as served:
        yield new_user(served)


def leftovers(user: User) -> list[Path]:
    return list(user.folder.rglob(".envsync-*"))


def test_the_twin_is_that_of_the_image(user: User, conda_channel_image: str) -> None:
    """Its files are those in the image, but for the prefix in them."""
    made = user.create()
    assert made.status == 0, made.said
    assert f"{TWIN}, in .conda\n  Python 3.9.18; {COUNT} installed\n" in made.err
    assert "not run: the post-link scripts of demo-hook (--backend conda runs them)\n" in made.err
    assert made.out == ".conda\n"
    assert user.diff() == []
    theirs = contents_of_image(conda_channel_image, user.folder / "image")
    ours = contents(user.twin, str(user.twin))
    assert ours.keys() - theirs.keys() == {"bin/activate", "bin/activate.fish"}
    assert theirs.keys() - ours.keys() == {".condarc", "CACHEDIR.TAG"}  # no package's, and of what made the image
    differing = sorted(path for path in ours.keys() & theirs.keys() if ours[path] != theirs[path])
    assert differing == [f"{SITE}/{name}.dist-info/INSTALLER" for name in ("MarkupSafe-2.1.5", "idna-3.6")]  # uv, pip


def contents(prefix: Path, named: str) -> dict[str, bytes]:
    """Path -> content, with the prefix written as ``PREFIX``; without byte code and records."""
    found = {}
    for path in sorted(prefix.rglob("*")):
        name = path.relative_to(prefix).as_posix()
        own = name.startswith(("conda-meta/", "envs/", "pkgs/")) or name == "envsync.json"
        if path.is_symlink() or not path.is_file() or own or "__pycache__" in name or name.endswith("/RECORD"):
            continue
        data = path.read_bytes().replace(named.encode(), b"PREFIX")
        found[name] = data if b"\0" not in data else data.replace(b"\0", b"")  # padded to the same length
    return found


def contents_of_image(image: str, folder: Path) -> dict[str, bytes]:
    name = subprocess.run(["docker", "create", image, "true"], capture_output=True, text=True, check=True)
    container = name.stdout.strip()
    try:
        subprocess.run(["docker", "cp", f"{container}:{PREFIX}", str(folder)], capture_output=True, check=True)
    finally:
        subprocess.run(["docker", "rm", container], capture_output=True, check=True)
    return contents(folder, PREFIX)


def test_a_second_time_nothing_is_asked_for_and_nothing_done(user: User) -> None:
    assert user.served is not None
    assert user.create().status == 0
    asked = len(user.served.paths)
    again = user.create()
    assert again.status == 0, again.said
    assert f"{COUNT} unchanged\n" in again.err
    assert len(user.served.paths) == asked


def test_what_was_changed_is_mended(user: User) -> None:
    """A file that is edited in place is rattler's cached one as well: both are made anew."""
    assert user.create().status == 0
    six = user.twin / SITE / "six.py"
    original = six.read_bytes()
    (record,) = (user.twin / "conda-meta").glob("six-*.json")
    for change, is_edit in (
        (record.unlink, False),
        (lambda: six.write_bytes(original + b"# mine\n"), True),
        (lambda: write_in_place(six, b"# mine\n"), True),
        (six.unlink, True),
        (lambda: shutil.rmtree(next((user.twin / SITE).glob("idna-*"))), False),
    ):
        change()
        assert user.diff() != []
        mended = user.create()
        assert mended.status == 0, mended.said
        assert TWIN in mended.err
        assert ("changed since it was installed: six; installed anew\n" in mended.err) == is_edit
        assert six.read_bytes() == original
        assert user.diff() == []
    assert leftovers(user) == []


def write_in_place(path: Path, text: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(text)


def test_by_name_it_is_where_conda_looks_and_works_in_a_shell(user: User) -> None:
    made = user.create("--name", "twin")
    assert made.status == 0, made.said
    place = user.home / ".conda/envs/twin"
    assert made.out == f"{place}\n"
    assert (user.home / ".conda/environments.txt").read_text() == f"{place}\n"
    script = (
        f"source {place}/bin/activate && echo $CONDA_DEFAULT_ENV $CONDA_PREFIX"
        " && python -c 'import idna, six, sys; print(sys.prefix, idna.__version__, six.__version__)'"
        " && demo-prefix"
    )
    done = subprocess.run(["bash", "-c", script], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"twin {place}", f"{place} 3.6 1.16.0", str(place)]


def test_the_channels_of_a_condarc(user: User) -> None:
    assert user.served is not None
    (user.home / ".condarc").write_text(
        f"mirrored_channels:\n  {BASE}/main: [{user.served.url}/main]\n  {BASE}/extra: [{user.served.url}/extra]\n"
    )
    made = user.run("create", ".conda", "-L", user.locks / "lockfiles")
    assert made.status == 0, made.said
    assert TWIN in made.err


def test_environments_and_locks_are_compared(user: User, conda_channel_image: str) -> None:
    assert user.create().status == 0
    assert user.create("other").status == 0
    assert user.diff(".conda", "other") == []
    for record in (user.twin.parent / "other/conda-meta").glob("tabulate-*.json"):
        record.unlink()
    assert user.diff(".conda", "other") == ["conda-package-missing"]
    assert user.diff(conda_channel_image, ".conda") == []


# --- what cannot be done -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("x", "--python", "3.9"),
            "error: --python: {image} has a conda environment, whose Python is one of its packages",
        ),
        (
            ("x", "--backend", "uv"),
            "error: --backend uv: makes virtual environments; {image} has a conda environment "
            "(expected rattler, conda, mamba or micromamba)",
        ),
        (("--name", "base"), "error: --name base: reserved (expected a name of its own)"),
        (("--name", "a/b"), "error: --name a/b: not the name of an environment (expected no / \\ : # or space in it)"),
        (("x", "--name", "y"), "error: create: expected one of ENV, the folder of the environment, --name NAME, and"),
        (("x", "--channel", "defaults"), "error: --channel defaults: more than one channel (expected the URL, or"),
        (("x", "--channel", "ftp://a/b"), "error: ftp://a/b: not the URL of a channel"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_words(user: User, conda_channel_image: str, words: tuple[str, ...], said: str) -> None:
    result = user.create(*words)
    assert result.status == 2, result.said
    assert said.format(image=conda_channel_image) in result.err
    assert user.served is not None
    assert user.served.paths == []
    assert list(user.twin.parent.iterdir()) == []


GONE = on("/six-1.16.0-pyhd3eb1b0_0.tar.bz2", ever_after=Answer(status=404))
DENIED = on("/six-1.16.0-pyhd3eb1b0_0.tar.bz2", ever_after=Answer(status=401))


@pytest.mark.parametrize(
    ("script", "cause"),
    [(GONE, "the channel no longer has it"), (DENIED, "refused: 401 Unauthorized")],
    ids=["gone", "denied"],
)
def test_a_channel_that_fails(new_user: Callable[[Served | None], User], script: Script, cause: str) -> None:
    with serve(script=script) as served:
        user = new_user(served)
        result = user.create()
        assert result.status == 2, result.said
        where = f"{served.url}/main/noarch/six-1.16.0-pyhd3eb1b0_0.tar.bz2"
        assert f"error: six 1.16.0 pyhd3eb1b0_0: {cause}\n  {where}\n" in result.err
        assert "Fatal Python error" not in result.err
        assert list(user.twin.parent.iterdir()) == []


def test_terms_of_service_are_the_users_to_accept(new_user: Callable[[Served | None], User]) -> None:
    result = new_user(None).run("create", "x", "--image", "digdag/digdag-anaconda3:2019.03")
    assert result.status == 2, result.said
    assert (
        "error: https://repo.anaconda.com/pkgs/main: the terms of service of Anaconda are not accepted "
        "(expected before anything is fetched)\n"
    ) in result.err
    for way in ("conda tos accept --override-channels", "CONDA_PLUGINS_AUTO_ACCEPT_TOS=yes", "--channel URL"):
        assert way in result.err


def test_a_mirror_without_the_packages(new_user: Callable[[Served | None], User]) -> None:
    with serve() as served:
        user = new_user(served)
        (user.home / ".condarc").write_text(f"default_channels: [{served.url}/main]\n")
        result = user.run("create", "x", "--image", "digdag/digdag-anaconda3:2019.03")
        assert result.status == 2, result.said
        (line,) = [line for line in result.err.splitlines() if line.startswith("error: ")]
        assert line.endswith(": the channel no longer has it")
        assert f"\n  {served.url}/main/" in result.err
        assert list(user.twin.parent.iterdir()) == []


def test_another_platform(user: User, conda_channel_image: str) -> None:
    """Solved for a Mac, a lock has both; without what is for this machine, create says what to type."""
    assert user.served is not None
    (user.home / ".condarc").write_text(
        f"mirrored_channels:\n  {BASE}/main: [{user.served.url}/main]\n  {BASE}/extra: [{user.served.url}/extra]\n"
    )
    pulled = user.run("pull", conda_channel_image, "--platform", "osx-arm64", "-L", "two")
    assert pulled.status == 1, pulled.said  # one has no counterpart there
    assert "conda packages for osx-arm64: solved by rattler" in pulled.err
    (snapshot,) = (user.twin.parent / "two").rglob("snapshot.json")
    assert platforms(snapshot.parent / "conda-lock.yml") == {"linux-64", "osx-arm64"}
    lock = json.loads(snapshot.read_text())
    for package in lock["conda"][0]["packages"]:
        package["url"] = package["url"].replace("/linux-64/", "/osx-64/")
        package["subdir"] = package["subdir"].replace("linux-64", "osx-64")
    snapshot.write_text(json.dumps(lock))
    refused = user.create("x", lock=snapshot.parent)
    assert refused.status == 2, refused.said
    assert (
        "error: the lock's conda packages are for osx-64 and osx-arm64, and this machine is linux-64\n" in refused.err
    )
    assert f"envsync pull {conda_channel_image} --platform linux-64\n" in refused.err


def platforms(conda_lock: Path) -> set[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what conda-lock brings along
        from conda_lock.lockfile import parse_conda_lock_file

    return {package.platform for package in parse_conda_lock_file(conda_lock).package}
