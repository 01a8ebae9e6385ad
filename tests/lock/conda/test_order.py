from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from envsync.lock.conda.order import in_order
from tests.lock.conda.environments import package

NAMES = st.sampled_from(["a", "b", "c", "d", "pip", "python"])


def order(depends: dict[str, tuple[str, ...]]) -> list[str]:
    return [p.name for p in in_order(package(name, depends=needs) for name, needs in depends.items())]


def test_what_others_need_comes_first_then_names():
    needs = {"c": (), "b": ("z >=1,<2", "__glibc >=2.17"), "a": ("b 1.0 h0_0", "absent"), "z": ()}
    assert order(needs) == ["z", "b", "a", "c"]


def test_channel_in_front_of_a_name():
    assert order({"a": ("conda-forge::b",), "b": ()}) == ["b", "a"]


def test_python_comes_before_pip_although_it_needs_it():
    needs = {"pip": ("python >=3.7", "setuptools"), "python": ("pip",), "setuptools": ("python",)}
    assert order(needs) == ["python", "setuptools", "pip"]


def test_only_a_cycle_gives():
    found = order({"above": ("b",), "a": ("c",), "b": ("a",), "c": ("b", "below"), "below": (), "self": ("self",)})
    assert found.index("below") < found.index("c")
    assert found.index("above") > max(found.index(name) for name in "abc")
    assert len(found) == 6


def test_a_long_chain():
    names = [f"n{number:05}" for number in range(5000)]
    assert order({name: (after,) for name, after in zip(names, [*names[1:], "end"], strict=True)}) == names[::-1]


@given(st.dictionaries(NAMES, st.lists(NAMES, unique=True).map(tuple)), st.randoms())
def test_every_package_once_whatever_their_order_was(needs: dict[str, tuple[str, ...]], random: object):
    shuffled = list(needs)
    random.shuffle(shuffled)
    found = order({name: needs[name] for name in shuffled})
    assert found == order(needs)
    assert sorted(found) == sorted(needs)
