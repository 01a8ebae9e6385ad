from __future__ import annotations

import io
import json
import struct
import time
from collections.abc import Iterator
from pathlib import PurePosixPath
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.errors import EngineError
from envsync.image.engine import LABEL, Engine, EngineImage, Isolation, connect
from envsync.image.engine_container import Container, read_frames
from envsync.reference import ImageName
from tests.imagekit.engine import docker

FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=50)))


def packed(frames: list[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack(">BxxxL", stream, len(data)) + data for stream, data in frames)


@given(FRAMES)
def test_frames_are_told_apart(frames: list[tuple[int, bytes]]) -> None:
    found = list(read_frames(io.BytesIO(packed(frames)).read))
    assert b"".join(out or b"" for out, _ in found) == b"".join(data for stream, data in frames if stream == 1)
    assert b"".join(err or b"" for _, err in found) == b"".join(data for stream, data in frames if stream == 2)


@given(st.binary(max_size=200))
def test_any_stream_has_an_end(data: bytes) -> None:
    assert sum(len(out or err or b"") for out, err in read_frames(io.BytesIO(data).read)) <= len(data)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = connect()
    yield engine
    engine.close()


@pytest.fixture
def nopip(engine: Engine, nopip_image: str) -> EngineImage:
    return engine.find(ImageName.parse(nopip_image), pull=False)


def output(container: Container) -> tuple[str, str]:
    chunks = list(container.output())
    return tuple(b"".join(chunk[side] or b"" for chunk in chunks).decode() for side in (0, 1))  # type: ignore[return-value]


def python(code: str) -> list[str]:
    return ["python", "-B", "-c", code]


def names() -> str:
    return docker("ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}}")


@pytest.mark.engine
def test_what_the_engine_was_told(engine: Engine, nopip: EngineImage) -> None:
    isolation = Isolation(memory=300 << 20, pids=50, cpus=0.5, scratch=2 << 20, open_files=200)
    with engine.container(nopip, python("import time; time.sleep(60)"), isolation) as container:
        reader = Thread(target=list, args=(container.output(),))
        reader.start()
        for _ in range(100):
            (found,) = json.loads(docker("inspect", container.name))
            if found["State"]["Running"]:
                break
            time.sleep(0.1)
        container.kill()
        reader.join(30)
        assert not reader.is_alive()
        container.kill()  # what has ended stays so
        assert container.wait().status == 137
    assert container.name not in names()
    host: dict[str, Any] = found["HostConfig"]
    assert found["State"]["Running"]
    assert found["Config"]["Labels"][LABEL] == container.name
    assert found["Config"]["Entrypoint"] == ["python"]
    assert found["Config"]["Healthcheck"] == {"Test": ["NONE"]}
    assert found["Config"]["NetworkDisabled"] is True
    assert not found["Config"]["OpenStdin"]
    assert not found["Config"]["Tty"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["Tmpfs"] == {"/tmp": "rw,noexec,nosuid,nodev,mode=1777,size=2097152"}
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert not host["Binds"]
    assert not host["Devices"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Memory"] == host["MemorySwap"] == 300 << 20
    assert host["PidsLimit"] == 50
    assert (host["CpuQuota"], host["CpuPeriod"]) == (50_000, 100_000)
    assert host["ShmSize"] == 16 << 20
    assert host["Init"] is True
    assert host["LogConfig"]["Type"] == "none"
    assert host["RestartPolicy"]["Name"] == "no"
    assert {limit["Name"]: (limit["Soft"], limit["Hard"]) for limit in host["Ulimits"]} == {
        "nofile": (200, 200),
        "core": (0, 0),
    }


SEEN_FROM_INSIDE = """
import errno, json, os, resource, socket
def attempt(action, *words):
    try:
        return repr(action(*words))
    except OSError as error:
        return errno.errorcode[error.errno]
with open('/proc/self/status') as stream:
    status = dict(line.rstrip().split(':\\t', 1) for line in stream)
def fork():
    children = []
    try:
        while True:
            child = os.fork()
            if not child:
                os.read(0, 1); os.kill(os.getpid(), 9)
            children.append(child)
    except OSError as error:
        return len(children), errno.errorcode[error.errno]
    finally:
        for child in children:
            os.waitpid(child, 0)
def fill():
    try:
        with open('/tmp/full', 'wb') as stream:
            stream.write(b'x' * (3 << 20))
    finally:
        os.unlink('/tmp/full')
def execute():
    with open('/tmp/program', 'wb') as stream:
        stream.write(b'#!/bin/true')
    os.chmod('/tmp/program', 0o755)
    os.execv('/tmp/program', ['program'])
print(json.dumps({
    'root': attempt(open, '/written', 'w'),
    'usr': attempt(open, '/usr/written', 'w'),
    'network': attempt(socket.create_connection, ('192.0.2.1', 80), 3),
    'interfaces': sorted(name for _, name in socket.if_nameindex()),
    'fill': attempt(fill),
    'execute': attempt(execute),
    'chown': attempt(os.chown, '/tmp/program', 5, 5),
    'capabilities': [status[key] for key in ('CapPrm', 'CapEff', 'CapBnd', 'CapAmb')],
    'privileges': status['NoNewPrivs'],
    'seccomp': status['Seccomp'],
    'files': resource.getrlimit(resource.RLIMIT_NOFILE),
    'core': resource.getrlimit(resource.RLIMIT_CORE),
    'proxies': [name for name in os.environ if 'proxy' in name.lower()],
    'forked': fork()[1],
}))
"""


@pytest.mark.engine
def test_what_it_means_inside(engine: Engine, nopip: EngineImage) -> None:
    isolation = Isolation(pids=20, scratch=1 << 20, open_files=100)
    with engine.container(nopip, python(SEEN_FROM_INSIDE), isolation) as container:
        out, err = output(container)
    assert err == ""
    assert json.loads(out) == {
        "root": "EROFS",
        "usr": "EROFS",
        "network": "ENETUNREACH",
        "interfaces": ["lo"],
        "fill": "ENOSPC",
        "execute": "EACCES",
        "chown": "EPERM",
        "capabilities": ["0000000000000000"] * 4,
        "privileges": "1",
        "seccomp": "2",
        "files": [100, 100],
        "core": [0, 0],
        "proxies": [],
        "forked": "EAGAIN",
    }


@pytest.mark.engine
def test_memory_is_bounded(engine: Engine, nopip: EngineImage) -> None:
    with engine.container(nopip, python("x = b'x' * (200 << 20)"), Isolation(memory=64 << 20)) as container:
        output(container)
        assert container.wait().status == 137


@pytest.mark.engine
def test_streams_are_kept_apart(engine: Engine, nopip: EngineImage) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    with engine.container(nopip, python(code), Isolation()) as container:
        assert output(container) == ("out\n", "err\n")
        end = container.wait()
    assert (end.status, end.out_of_memory) == (3, False)


@pytest.mark.engine
def test_files_can_be_found_in_it(engine: Engine, nopip: EngineImage) -> None:
    with engine.container(nopip, ["true"], Isolation()) as container:
        assert container.locate("python") == PurePosixPath("/usr/local/bin/python3.13")
        assert container.locate("/usr/local/bin/python3") == PurePosixPath("/usr/local/bin/python3.13")
        assert container.locate("/etc/passwd") is None
        assert container.locate("/usr/local") is None
        assert container.locate("nothing-like-it") is None
        assert container.head(PurePosixPath("/usr/local/bin/python3.13"), 4) == b"\x7fELF"
        assert container.head(PurePosixPath("/usr/local"), 4) == b""


@pytest.mark.engine
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_it_is_removed_whatever_happens(engine: Engine, nopip: EngineImage, error: type[BaseException]) -> None:
    made: list[str] = []
    with pytest.raises(error), engine.container(nopip, python("import time; time.sleep(60)"), Isolation()) as container:
        made.append(container.name)
        pass
        raise error
    assert made[0] not in names()


@pytest.mark.engine
def test_removing_what_has_gone(engine: Engine, nopip: EngineImage) -> None:
    with engine.container(nopip, ["true"], Isolation()) as container:
        docker("rm", "--force", container.name)


@pytest.mark.engine
def test_starting_what_has_gone(engine: Engine, nopip: EngineImage) -> None:
    with engine.container(nopip, ["true"], Isolation()) as container:
        docker("rm", "--force", container.name)
        with pytest.raises(EngineError, match="container engine: starting a container: No such container"):
            list(container.output())


@pytest.mark.engine
def test_an_engine_that_refuses(engine: Engine, nopip: EngineImage) -> None:
    with (
        pytest.raises(EngineError, match="container engine: making a container of envsync-test/nopip:"),
        engine.container(nopip, ["true"], Isolation(memory=1)),
    ):
        pytest.fail("no engine accepts one byte of memory")
