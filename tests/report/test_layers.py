"""Layers in words."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from envsync.model import CondaEnvironment, CondaPackage
from envsync.report.layers import brought_counts, instruction, layers_of, megabytes
from tests.drift.sides import local, published
from tests.factory import LAYER, distribution, snapshot, source
from tests.report.inventory import UPPER, inventory


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ('/bin/sh -c #(nop)  CMD ["bash"]', 'CMD ["bash"]'),
        ("/bin/sh -c apt-get update", "RUN apt-get update"),
        ("RUN /bin/sh -c pip install . # buildkit", "RUN pip install ."),
        ("COPY . /app # buildkit", "COPY . /app"),
        ("RUN |1 A=1 /bin/sh -c make", "RUN |1 A=1 /bin/sh -c make"),
        ("\x1b[2J", "\\x1b[2J"),
        ("x" * 201, "x" * 200 + "…"),
    ],
)
def test_instructions_are_what_a_dockerfile_had(command: str, shown: str) -> None:
    assert instruction(command) == shown


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0.0 kB"), (5120, "5.1 kB"), (100_000, "0.1 MB"), (2 * 10**9, "2,000.0 MB")]
)
def test_sizes(size: int, shown: str) -> None:
    assert megabytes(size) == shown


def test_each_layer_has_what_it_brought() -> None:
    package = CondaPackage(
        name="mkl", version="1", build="0", channel="c", subdir="noarch", url="https://x/y.conda", layer=UPPER
    )
    lower, upper = layers_of(inventory(conda=(CondaEnvironment(packages=(package,)),)))
    assert (lower.number, lower.size, lower.distributions) == (1, 74_800_000, ("click 8.0.1", "numpy 1.21.6"))
    assert (upper.conda_packages, upper.label) == (("mkl 1",), f"layer 2, sha256:{'2' * 12}, 5.1 kB")
    assert list(brought_counts(upper)) == ["1 conda package", "7 distributions"]


def test_sizes_and_commands_of_other_layers_are_of_none() -> None:
    (layer,) = layers_of(snapshot(source=source(layer_sizes=(1, 2), layer_commands=("a", "b"))))
    assert (layer.size, layer.command) == (None, None)


def test_a_layer_that_is_there_twice_counts_once() -> None:
    found = snapshot(distribution("six", layer=LAYER), source=source(layers=(LAYER, LAYER)))
    assert [layer.distributions for layer in layers_of(found)] == [("six 1.0",), ()]
    twice = replace(found, interpreters=found.interpreters * 2)
    assert [layer.distributions for layer in layers_of(twice)] == [("six 1.0",), ()]


def test_only_images_have_layers() -> None:
    assert layers_of(published(distribution("six"))) == layers_of(local(distribution("six"))) == ()
