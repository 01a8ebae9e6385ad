from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from envsync.errors import EngineError, EnvsyncError, NoPythonError, ProbeError
from envsync.image.engine import LABEL, Engine, EngineImage, Isolation, connect
from envsync.probe.answer import Answer
from envsync.probe.container import Limits, run
from envsync.reference import ImageName
from tests.imagekit.engine import Recipe, build, docker, pip_freeze
from tests.imagekit.machine import MissingToolError
from tests.probe import images

pytestmark = pytest.mark.engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = connect()
    yield engine
    engine.close()


def containers_of(tag: str) -> str:
    found = docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}", "--filter", f"ancestor={tag}")
    return found.strip()


@pytest.fixture
def found(engine: Engine) -> Iterator[Callable[[str | Recipe], EngineImage]]:
    """An image of the engine, by tag or recipe; of those made here no container is left at the end."""
    made: list[str] = []

    def find(image: str | Recipe) -> EngineImage:
        if isinstance(image, str):
            return engine.find(ImageName.parse(image), pull=False)
        try:
            made.append(build(image))
        except MissingToolError as error:
            pytest.skip(str(error))
        return engine.find(ImageName.parse(made[-1]), pull=False)

    yield find
    for tag in made:
        for _ in range(100):  # another worker may be at the same image
            if not containers_of(tag):
                break
            time.sleep(0.2)
        assert containers_of(tag) == ""


Find = Callable[[str | Recipe], EngineImage]


# --- what is learnt ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "version", "executable", "user"),
    [
        ("slim", "3.9.", "/usr/local/bin/python", ""),
        ("old37", "3.7.", "/usr/local/bin/python", ""),
        ("venv", "3.11.", "/opt/venv/bin/python", ""),
        ("debian_system", "3.11.", "/usr/bin/python3", ""),
        ("debian_python", "3.12.", "/usr/local/bin/python", ""),
        ("user_site", "3.9.", "/usr/local/bin/python", "td-user"),
        ("relayered", "3.10.", "/usr/local/bin/python", ""),
        ("origins", "3.10.", "/usr/local/bin/python", ""),
    ],
)
def test_pip_and_envsync_agree(
    engine: Engine, image: Callable[[str], str], found: Find, name: str, version: str, executable: str, user: str
) -> None:
    tag = image(name)
    engine_image = found(tag)
    answer = run(engine, engine_image)
    first = answer.to_interpreters()[0]
    assert first.version.startswith(version)
    assert first.executable == PurePosixPath(executable)
    assert engine_image.config.config.user == user
    assert answer.freeze_problem is None
    assert answer.freeze is not None
    assert set(answer.freeze) == {line for line in pip_freeze(tag, executable) if not line.startswith("#")}
    assert answer.freeze_disagreements == ()
    assert answer.operating_system().pretty_name == "Debian GNU/Linux 12 (bookworm)"
    assert {one.name for one in answer.os_packages() or ()} > {"libc6", "tzdata"}
    assert answer.skipped() == ()


def test_python_2(engine: Engine, found: Find, py27_image: str) -> None:
    answer = run(engine, found(py27_image))
    (first,) = answer.to_interpreters()
    assert (first.version[:4], first.abi) == ("2.7.", "cp27mu")
    assert answer.freeze is not None
    assert set(answer.freeze) == set(pip_freeze(py27_image, "python"))


def test_no_pip(engine: Engine, found: Find, nopip_image: str) -> None:
    answer = run(engine, found(nopip_image))
    assert answer.freeze is None
    assert {one.name for one in answer.to_interpreters()[0].distributions} >= {"attrs", "PyYAML", "requests"}


def test_other_interpreters_have_their_own_distributions(engine: Engine, found: Find, debian_python_image: str) -> None:
    first, second = run(engine, found(debian_python_image)).to_interpreters()
    assert second.executable == PurePosixPath("/usr/bin/python3.11")
    assert second.externally_managed
    assert not first.externally_managed
    names = {one.name: one for one in second.distributions}
    assert "requests" in names
    shadowed = [one for one in second.distributions if one.shadowed_by is not None]
    assert [(one.name, str(one.location)) for one in shadowed] == [("six", "/usr/lib/python3/dist-packages")]


def test_a_python_can_be_chosen(engine: Engine, found: Find, debian_python_image: str) -> None:
    answer = run(engine, found(debian_python_image), interpreter=PurePosixPath("/usr/bin/python3"))
    first, second = answer.to_interpreters()
    assert first.executable == PurePosixPath("/usr/bin/python3")
    assert second.executable == PurePosixPath("/usr/local/bin/python")


def test_minimal_python_and_a_user_without_a_name(engine: Engine, found: Find) -> None:
    image = found(images.MINIMAL)
    answer = run(engine, image)
    assert image.config.config.user == "12345:12345"
    assert answer.to_interpreters()[0].executable == PurePosixPath("/usr/bin/python3")
    assert answer.freeze is None


def test_no_shell_and_a_hidden_python(engine: Engine, found: Find) -> None:
    image = found(images.SHELL_LESS)
    with pytest.raises(NoPythonError) as caught:
        run(engine, image)
    assert caught.value.message == f"{image.name}: no Python on its PATH, nor in a common place"
    assert caught.value.hint == "If there is one elsewhere, name it: --interpreter /path/to/python3"
    answer = run(engine, image, interpreter=PurePosixPath("/opt/odd/place/interpreter"))
    assert answer.to_interpreters()[0].executable == PurePosixPath("/opt/odd/place/interpreter")
    assert "libc6" in {one.name for one in answer.os_packages() or ()}


def test_a_volume_is_looked_into_and_left_as_it_is(engine: Engine, found: Find) -> None:
    image = found(images.VOLUME)
    answer = run(engine, image)
    assert answer.to_interpreters()[0].executable == PurePosixPath("/data/venv/bin/python")
    code = "open('/data/written', 'w')"
    with engine.container(image, ["python", "-c", code], Isolation()) as container:
        err = b"".join(chunk[1] or b"" for chunk in container.output())
        kept = docker("volume", "ls", "--quiet", "--filter", f"label={LABEL}={container.name}-0").strip()
    assert b"Read-only file system: '/data/written'" in err
    assert kept == f"{container.name}-0"
    assert kept not in docker("volume", "ls", "--quiet").split()


# --- what goes wrong ---------------------------------------------------------------------------------


def failure(engine: Engine, image: EngineImage, limits: Limits | None = None) -> EnvsyncError:
    with pytest.raises(EnvsyncError) as caught:
        run(engine, image, limits=limits or Limits(seconds=60))
    assert caught.value.hint
    return caught.value


def test_no_python(engine: Engine, found: Find, nopython_image: str) -> None:
    error = failure(engine, found(nopython_image))
    assert isinstance(error, NoPythonError)
    with pytest.raises(NoPythonError) as caught:
        run(engine, found(nopython_image), interpreter=PurePosixPath("/opt/python3"))
    assert caught.value.message == f"{nopython_image}: no program at /opt/python3"


def test_it_hangs(engine: Engine, found: Find) -> None:
    image = found(images.HANGS)
    began = time.monotonic()
    error = failure(engine, image, Limits(seconds=2))
    assert time.monotonic() - began < 15
    assert error.message == f"{image.name}: python: no answer within 2 s; the container was ended"
    assert "--method read" in str(error.hint)


@pytest.mark.parametrize(
    ("recipe", "stream", "size"), [(images.FLOODS, "stdout", 4 << 20), (images.FLOODS_STDERR, "stderr", 1 << 20)]
)
def test_it_floods(engine: Engine, found: Find, recipe: Recipe, stream: str, size: int) -> None:
    image = found(recipe)
    error = failure(engine, image, Limits(stdout=4 << 20))
    assert error.message == f"{image.name}: python: printed more than {size} bytes on {stream}; the container was ended"


def test_it_forks(engine: Engine, found: Find) -> None:
    """The bound on processes holds; what is left for the script is too little."""
    assert isinstance(failure(engine, found(images.FORKS)), ProbeError)


def test_it_lies(engine: Engine, found: Find) -> None:
    image = found(images.LIES)
    assert failure(engine, image).message == f"{image.name}: python: answered nonsense (expected a document)"


def test_it_needs_too_much_memory(engine: Engine, found: Find) -> None:
    image = found(images.EATS_MEMORY)
    error = failure(engine, image, Limits(isolation=Isolation(memory=64 << 20)))
    assert error.message.startswith(f"{image.name}: python: ")
    assert "needs more than 64 MiB" in error.message or "MemoryError" in error.message


def test_it_crashes(engine: Engine, found: Find) -> None:
    image = found(images.CRASHES)
    assert failure(engine, image).message == (
        f"{image.name}: python: does not start: ended by signal 11 (SIGSEGV)\n  first\n  last \\x1b[31mwords"
    )


def test_it_lacks_its_library(engine: Engine, found: Find) -> None:
    image = found(images.WITHOUT_LIBRARY)
    message = failure(engine, image).message
    assert message.startswith(f"{image.name}: python: does not start: exit status 127\n")
    assert "libpython3.13.so.1.0: cannot open shared object file" in message


def test_it_is_a_text_file(engine: Engine, found: Find) -> None:
    image = found(images.TEXT)
    message = failure(engine, image).message
    assert message.startswith(f"{image.name}: python: does not start: /usr/local/bin/python is no program")


def test_it_is_made_for_another_cpu(engine: Engine, found: Find) -> None:
    image = found(images.OTHER_CPU)
    message = failure(engine, image).message
    assert message.startswith(f"{image.name}: python3: does not start: it is made for aarch64, the image for x86_64")


def test_it_meddles_in_vain(engine: Engine, found: Find) -> None:
    image = found(images.MEDDLES)
    answer: Answer = run(engine, image)
    assert answer.to_interpreters()[0].version.startswith("3.13.")
    with engine.container(image, ["python", "-c", ""], Isolation()) as container:
        out = b"".join(chunk[0] or b"" for chunk in container.output()).decode()
    assert out.splitlines() == [
        "network [Errno 101] Network is unreachable",
        "write [Errno 30] Read-only file system: '/usr/local/written'",
        "remove [Errno 30] Read-only file system: '/usr/local/bin/python'",
    ]


def test_the_engine_goes_away_meanwhile(engine: Engine, found: Find) -> None:
    image = found(images.HANGS)

    class Leaving(Engine):
        """The container is removed by somebody else as soon as it is made."""

        def container(self, *words: object) -> object:  # type: ignore[override]
            made = super().container(*words)  # type: ignore[arg-type]

            class Gone:
                def __enter__(self) -> object:
                    container = made.__enter__()
                    docker("rm", "--force", container.name)
                    return container

                def __exit__(self, *words: object) -> object:
                    return made.__exit__(*words)  # type: ignore[arg-type]

            return Gone()

    leaving = Leaving(engine._api, engine._address)
    with pytest.raises(EngineError, match="No such container"):
        run(leaving, image)


# --- interrupts --------------------------------------------------------------------------------------

PROBING = """
import sys
from envsync.image.engine import connect
from envsync.probe.container import run
from envsync.reference import ImageName
engine = connect()
image = engine.find(ImageName.parse(sys.argv[1]), pull=False)
print("ready", flush=True)
run(engine, image)
"""


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.2, 1.0])
def test_ctrl_c_leaves_no_container(found: Find, delay: float) -> None:
    tag = found(images.starting_with(f"interrupted-{int(delay * 100)}", "import time\ntime.sleep(999)\n")).name
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, "-c", PROBING, tag], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if delay == 1.0:
            for _ in range(200):
                if containers_of(tag):
                    break
                time.sleep(0.05)
            assert containers_of(tag)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in err
    assert containers_of(tag) == ""
