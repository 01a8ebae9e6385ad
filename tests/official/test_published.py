from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envsync.model import Distribution, ListSource, Snapshot
from envsync.official import CatalogueError, OfficialImage, OfficialTag, PublishedList, catalogue, data_folder
from envsync.official.published import parse_list, published_snapshots, snapshot_from_list


def snapshots() -> dict[str, Snapshot]:
    return {
        snapshot.source.reference: snapshot
        for snapshot in published_snapshots()
        if isinstance(snapshot.source, ListSource)
    }


def image_with(published: PublishedList | None) -> OfficialImage:
    image = catalogue()[1]
    tag = next(tag for tag in image.tags if tag.tag == "3.7")
    values = {name: getattr(tag, name) for name in OfficialTag.__struct_fields__}
    changed = OfficialTag(**{**values, "published": published})
    return OfficialImage(
        repository=image.repository, description="", kind="pip", sources=image.sources, tags=(changed,)
    )


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        (
            "anaconda3-2019.03-linux-64-py37.txt",
            "35d28d497d09891af146e2833cbfa37478e9ad6f1e739500d1b5509e46a85b89",
        ),
        (
            "anaconda3-2019.03-linux-64-py37.records.tsv",
            "2ae3091fe46bf86aadd0accdc4be7f8776be13bb31dd22da78ce9e1ff164a11f",
        ),
        ("digdag-python-3.7.txt", "9501758cbcb3ae3331db5af8f2f9a1b5f2cd640436d6855a523fcc600b49745c"),
        ("digdag-python-3.9.txt", "9485a4108048dfebaed594a1cdb513b09dc297d2386e6e790395a7f22c4f2584"),
    ],
)
def test_lists_are_verbatim(name: str, sha256: str):
    data = (data_folder("images") / "published" / name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == sha256


def test_every_list_is_used():
    used = {tag.published.file for image in catalogue() for tag in image.tags if tag.published}
    assert used == {path.name for path in (data_folder("images") / "published").glob("*.txt")}


def test_3_7():
    snapshot = snapshots()["digdag/digdag-python:3.7"]
    assert len(snapshot.distributions) == 51
    assert snapshot.python.version == "3.7"
    by_name = {d.name: d.version for d in snapshot.distributions}
    assert by_name["Click"] == "7.0"
    assert by_name["td-pyspark"] == "20.2.0"
    assert not by_name.keys() & {"pip", "setuptools", "wheel"}
    assert isinstance(snapshot.source, ListSource)
    assert snapshot.source.completeness == (
        "complete: a pip freeze of 51 distributions, which leaves out pip, setuptools and wheel"
    )
    assert (snapshot.source.date, snapshot.source.doubts) == ("2020-02 or later", ())


def test_3_9():
    snapshot = snapshots()["digdag/digdag-python:3.9"]
    assert len(snapshot.distributions) == 88
    assert snapshot.python.version == "3.9"
    assert isinstance(snapshot.source, ListSource)
    assert snapshot.source.date == "2022-03-09"
    assert [(doubt.name, doubt.value) for doubt in snapshot.source.doubts] == [
        ("idna", "2.1"),
        ("td-pyspark", "21.3.0"),
    ]
    assert "the tag moves" in snapshot.source.notes[0]
    by_name = {d.name: d.version for d in snapshot.distributions}
    assert (by_name["idna"], by_name["pip"], by_name["wheel"]) == ("2.1", "22.0.2", "0.37.1")


@pytest.mark.parametrize("reference", ["digdag/digdag-python:3.7", "digdag/digdag-python:3.9"])
def test_only_what_a_list_can_know(reference: str):
    snapshot = snapshots()[reference]
    assert (snapshot.platform, snapshot.config, snapshot.os, snapshot.os_packages) == (None,) * 4
    assert (snapshot.skipped, len(snapshot.interpreters), snapshot.python.executable) == ((), 1, None)
    assert all(d == Distribution(name=d.name, version=d.version) for d in snapshot.distributions)
    assert snapshot == snapshots()[reference]


def test_parse_list_sorts_by_normalised_name():
    assert [d.name for d in parse_list("# head\n\nb==2\nA_c==1.0.dev1\r\na.b==0\n", "x")] == [
        "a.b",
        "A_c",
        "b",
    ]


def test_all_problems_with_their_lines():
    with pytest.raises(CatalogueError) as caught:
        parse_list("a==1\nb\n# c\nb==1==2\n-r==1\nA==2\nd==1 --index-url=x\ne== 1\n", "x.txt")
    assert caught.value.message.splitlines() == [
        "x.txt, line 2: 'b' (expected name==version)",
        "x.txt, line 4: 'b==1==2' (expected name==version)",
        "x.txt, line 5: '-r==1' (expected name==version)",
        "x.txt, line 6: A is there already, as a",
        "x.txt, line 7: 'd==1 --index-url=x' (expected name==version)",
        "x.txt, line 8: 'e== 1' (expected name==version)",
    ]


def test_empty_list():
    with pytest.raises(CatalogueError) as caught:
        parse_list("# nothing\n", "x.txt")
    assert caught.value.message == "x.txt: no distribution in it (expected lines of name==version)"


@given(st.text() | st.from_regex(r"([a-z]+==[0-9.]+\n)*"))
def test_parse_list_never_raises_anything_else(text: str):
    try:
        found = parse_list(text, "x.txt")
    except CatalogueError:
        return
    again = "".join(f"{d.name}=={d.version}\n" for d in found)
    assert parse_list(again, "x.txt") == found


def test_tag_without_a_list():
    image = image_with(None)
    with pytest.raises(CatalogueError) as caught:
        snapshot_from_list(image, image.tags[0])
    assert caught.value.message == "digdag/digdag-python:3.7: the catalogue has no published list of it"
    assert caught.value.hint == "envsync pull digdag/digdag-python:3.7"


def test_list_that_is_not_there(tmp_path: Path):
    image = image_with(PublishedList(file="no.txt", url="https://example.org", date="d", completeness="c"))
    with pytest.raises(CatalogueError) as caught:
        snapshot_from_list(image, image.tags[0], folder=tmp_path)
    assert caught.value.message == f"{tmp_path}/published/no.txt: cannot be read: No such file or directory"


def test_doubt_about_a_value_that_is_not_listed(tmp_path: Path):
    from envsync.model import Doubt

    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "x.txt").write_text("a==1\n")
    doubt = Doubt(name="a", value="2", note="n")
    image = image_with(
        PublishedList(file="x.txt", url="https://example.org", date="d", completeness="c", doubts=(doubt,))
    )
    with pytest.raises(CatalogueError) as caught:
        snapshot_from_list(image, image.tags[0], folder=tmp_path)
    assert caught.value.message == (f"{tmp_path}/published/x.txt: a==2 is marked as doubtful and not in the list")
