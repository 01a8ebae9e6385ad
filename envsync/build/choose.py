"""Where each distribution comes from on this machine, once it is known what indexes and the image have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from envsync.build.plan import FromImage, FromIndex, NotReproducible, Part, part_by_origin
from envsync.exact.proof import tags_of
from envsync.index import IndexFile, Listed, Unanswered
from envsync.model import Distribution, ImageWheel
from envsync.model import IndexFile as InstalledFile
from envsync.names import normalized, pep440

Prefer = Literal["auto", "index", "image"]


_LOOKED_AT = 30
"""Releases that are looked at for the nearest one that fits."""


class Target(Struct, frozen=True, kw_only=True):
    """The interpreter and platform that wheels have to fit."""

    python: str
    """``3.7.16``."""
    tags: Mapping[str, int]
    """What it takes, with their rank: the smaller, the better."""
    foreign: str | None = None
    """Why compiled wheels of the image do not run here, whatever their tags; ``None``: they do."""
    older: str | None = None
    """Why those may not run here whose tags do not say which C library they need."""

    def rank(self, filename: str) -> int | None:
        """How well a wheel fits; ``None``: not at all."""
        return min((self.tags[tag] for tag in tags_of(filename) if tag in self.tags), default=None)

    def knows(self, distribution: Distribution) -> InstalledFile | None:
        """The file that the image has it from, where that is known, was not changed since, and fits here."""
        file = distribution.file
        fits = file is not None and not distribution.patched and self.rank(file.filename) is not None
        return file if fits else None

    def takes(self, requires_python: str | None) -> bool:
        """Whether ``Requires-Python`` admits the interpreter; what is not understood does, as installers have it."""
        if not requires_python:
            return True
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            return SpecifierSet(requires_python).contains(self.python, prereleases=True)
        except InvalidSpecifier:
            return True


class Sources(Struct, frozen=True, kw_only=True):
    """What distributions can be had from."""

    target: Target
    prefer: Prefer = "auto"
    answers: Mapping[str, Listed | Unanswered] = {}
    """What the indexes said of each distribution's version, by normalised name; of what is absent, none was asked."""
    files_of: Callable[[str, Sequence[str]], Mapping[str, Sequence[IndexFile]]] = lambda _name, _versions: {}
    """What the indexes have of some versions of a distribution, by version."""
    image_wheel: Callable[[ImageWheel], Path | None] = lambda _wheel: None
    """Where a wheel repacked from the image lies."""
    build_requires: Callable[[str, str], tuple[str, ...]] = lambda _name, _version: ()
    """What a release is known to need while it is built."""
    as_of: str | None = None
    """The day whose build requirements sdists get."""

    def depends_on_index(self, distribution: Distribution, *, believing: bool) -> bool:
        """Whether what indexes have makes a difference; ``believing``: they have what the lock proves."""
        if distribution.conda is not None or not isinstance(part_by_origin(distribution), FromIndex):
            return False  # the name of what came from a folder or a VCS is told to no index
        known = self.target.knows(distribution)
        if self.prefer == "image" or (self.prefer == "auto" and known is None):
            return self._from_image(distribution)[0] is None
        return known is None or not believing

    def choose(self, distribution: Distribution, part: Part) -> Part:
        """Decide for one distribution, given what its origin alone says: see :func:`envsync.build.plan.make_plan`."""
        refusal: str | None = None
        image, lacking = self._from_image(distribution)
        if self.prefer == "image":
            if image is not None:
                return replace(image, reason="as was asked for")
            refusal = lacking
        if isinstance(part, FromIndex):
            chosen = self._from_index(distribution, part, image, lacking)
        elif image is not None and self.prefer != "index":
            why = "a local project of the image" if isinstance(part, NotReproducible) else "its very files"
            chosen = replace(image, reason=distribution.wheel.reason if distribution.wheel else why)
        else:
            chosen = part
        if refusal and not isinstance(chosen, FromImage):
            chosen = replace(chosen, reason=f"{refusal}; {chosen.reason}" if chosen.reason else refusal)
        return chosen

    def _from_image(self, distribution: Distribution) -> tuple[FromImage | None, str]:
        """The image's own wheel, or why it is not used."""
        wheel = distribution.wheel
        if wheel is None:
            return None, "not repacked from the image"
        if self.target.rank(wheel.filename) is None:
            return None, f"the image's own wheel fits Python and platform of the image only ({wheel.filename})"
        if self.target.foreign is not None and "-none-any.whl" not in wheel.filename:
            return None, f"the image's own wheel does not run here: {self.target.foreign}"
        if self.target.older is not None and "-linux_" in wheel.filename:
            return None, f"the image's own wheel does not run here: {self.target.older}"
        path = self.image_wheel(wheel)
        if path is None:
            return None, "the image's own wheel is no longer at hand"
        part = FromImage(
            name=distribution.name,
            version=distribution.version,
            filename=wheel.filename,
            sha256=wheel.sha256,
            path=str(path),
            notes=wheel.notes,
        )
        return part, ""

    def _from_index(self, distribution: Distribution, part: FromIndex, image: FromImage | None, lacking: str) -> Part:
        answer = self.answers.get(normalized(distribution.name))
        listed = answer.files if isinstance(answer, Listed) else ()
        if (known := self.target.knows(distribution)) is not None:
            offered = {value for file in listed if not self._is_refused(file) for value in file.hashes}
            silent = answer is None or (isinstance(answer, Unanswered) and not answer.absent)
            if silent or f"sha256={known.sha256}" in offered:
                how = "its RECORD is the image's" if known.proof == "proved" else "its name and tags are the image's"
                hashes = (f"sha256={known.sha256}",)
                reason = f"{how}; {known.note}" if known.note else how
                return replace(part, filename=known.filename, hashes=hashes, proof=known.proof, reason=reason)
        if image is not None and self.prefer != "index":
            return replace(image, reason=distribution.wheel.reason if distribution.wheel else "")
        if part.hashes:
            listed = tuple(file for file in listed if set(file.hashes) & set(part.hashes))
        found = self._best(listed)
        if found is not None:
            return self._chosen(distribution, part, found)
        if (silence := _silence(answer)) is not None:
            return replace(part, reason=silence)
        return self._nowhere(distribution, part, answer, lacking)

    def _is_refused(self, file: IndexFile) -> bool:
        return not self.target.takes(file.requires_python)

    def _best(self, files: Iterable[IndexFile]) -> IndexFile | None:
        """The best fitting wheel, else an sdist; what was yanked is as good, since the version is pinned (PEP 592)."""
        fitting = [file for file in files if not self._is_refused(file)]
        ranked = [
            (rank, file.filename, file) for file in fitting if (rank := self.target.rank(file.filename)) is not None
        ]
        if ranked:
            return min(ranked, key=lambda item: item[:2])[2]
        sdists = [file for file in fitting if not file.filename.endswith(".whl")]
        return min(sdists, key=lambda file: (not file.filename.endswith(".tar.gz"), file.filename), default=None)

    def _chosen(self, distribution: Distribution, part: FromIndex, file: IndexFile) -> FromIndex:
        notes = [self._why(distribution, file)]
        if file.yanked is not None:
            notes.append(f"yanked: {file.yanked}" if file.yanked else "yanked")
        hashes = tuple(value for value in file.hashes if value.startswith("sha256="))
        chosen = replace(part, filename=file.filename, hashes=hashes, proof="chosen", reason="; ".join(notes))
        if file.filename.endswith(".whl"):
            return chosen
        requires = self.build_requires(distribution.name, distribution.version)
        return replace(chosen, is_sdist=True, build_requires=requires, as_of=self.as_of)

    def _why(self, distribution: Distribution, file: IndexFile) -> str:
        known = distribution.file
        if known is not None and distribution.patched and known.filename == file.filename:
            return f"the image's own is not as its RECORD says ({', '.join(distribution.patched[:3])})"
        if not file.filename.endswith(".whl"):
            return "no wheel fits this machine"
        if known is not None and self.target.rank(known.filename) is None:
            return f"the image's own, {known.filename}, is for another Python or platform"
        return "fits best; which file the image was made from is not known"

    def _nowhere(
        self, distribution: Distribution, part: FromIndex, answer: Listed | Unanswered | None, lacking: str
    ) -> NotReproducible:
        place = f"from {part.place}; " if part.local_origin else ""
        if not isinstance(answer, Listed):
            what = "no index that is configured here has it"
        elif part.hashes and answer.files:
            what = "no index that is configured here has the file with its hash, only others of that name and version"
        elif answer.files:
            what = f"the index has nothing of {part.version} that fits this machine and Python {self.target.python}"
        else:
            what = f"no index that is configured here has {part.version}"
        nearest = self._nearest(distribution, answer)
        return NotReproducible(
            name=part.name,
            version=part.version,
            reason=f"{place}{what}; {lacking or 'a wheel of the image would do, which --from index leaves out'}",
            nearest=f"{part.name}=={nearest}" if nearest else None,
            risk=risk_of(distribution.version, nearest) if nearest else "",
        )

    def _nearest(self, distribution: Distribution, answer: Listed | Unanswered | None) -> str | None:
        """The nearest release of which something fits this machine."""
        if not isinstance(answer, Listed):
            return None
        versions = nearest_versions(distribution.version, answer.other_versions)[:_LOOKED_AT]
        files = self.files_of(distribution.name, versions) if versions else {}
        return next((version for version in versions if self._best(files.get(version, ())) is not None), None)


def _silence(answer: Listed | Unanswered | None) -> str | None:
    """Why it is not known what the indexes have; ``None``: it is. Empty: none was asked."""
    match answer:
        case None:
            return ""
        case Unanswered(absent=False, reason=reason):
            return f"not looked up: {reason}"
        case Listed(files=(), unanswered=(reason, *_)):
            return f"not looked up everywhere: {reason}"
    return None


def nearest_versions(version: str, others: Iterable[str]) -> list[str]:
    """Releases by how much they are like ``version``: of its series first, older before newer, final ones first."""
    from packaging.version import Version

    wanted = pep440(version)
    if wanted is None:
        return []
    goal = Version(wanted)
    known = {Version(text) for other in others if (text := pep440(other)) is not None and text != wanted}

    def distance(one: Version) -> tuple[bool, bool, bool]:
        return one.is_prerelease, one.release[:2] != goal.release[:2], one > goal

    older = sorted((one for one in known if one < goal), reverse=True)
    newer = sorted(one for one in known if one > goal)
    return [str(one) for one in sorted([*older, *newer], key=distance)]


def risk_of(version: str, nearest: str) -> str:
    """What may go wrong with another version, by what semantic versioning says of the difference."""
    from packaging.version import Version

    wanted = pep440(version)
    mine, other = Version(wanted or "0").release, Version(nearest).release
    if mine[:1] != other[:1]:
        return "another major version: interfaces may be gone"
    if mine[:2] != other[:2]:
        return "another minor version: functions may be absent or behave differently"
    return "the same series: behaviour may differ in details"
