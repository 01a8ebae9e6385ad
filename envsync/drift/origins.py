"""Whether a distribution of one version has the same bits on both sides, judged by where they come from."""

from __future__ import annotations

from envsync.drift.finding import Severity
from envsync.model import ArchiveOrigin, DirectoryOrigin, Origin, VcsOrigin
from envsync.redaction import printable, without_credentials


def compare_origins(ours: Origin | None, theirs: Origin | None, *, twin: bool) -> tuple[Severity, str] | None:
    """Severity and impact of two origins of one version; ``None`` where they are as good as the same.

    Args:
        ours: on the expected side.
        theirs: on the other side.
        twin: the other side is an environment on this machine, which cannot have an origin that exists only
            inside an image.
    """
    match ours, theirs:
        case None, None:
            return None
        case VcsOrigin(), VcsOrigin():
            return _compare_commits(ours, theirs)
        case ArchiveOrigin(), ArchiveOrigin():
            return _compare_archives(ours, theirs, twin=twin)
        case DirectoryOrigin(), DirectoryOrigin():
            return _compare_folders(ours, theirs, twin=twin)
        case ((ArchiveOrigin() | DirectoryOrigin()), None) if twin and _inside_image(ours):
            return None
        case DirectoryOrigin(), _:
            return (
                "note",
                "It is installed from a folder in the image, and nobody can say whether these are its files.",
            )
        case _, DirectoryOrigin(editable=True):
            return (
                "warning",
                "It is editable here: what is imported is whatever the folder holds at that moment.",
            )
    if _inside_image(ours) and theirs is None:
        return (
            "note",
            "One side has it from a file, the other from an index: same version, maybe other files.",
        )
    return "warning", "It comes from somewhere else: the version is the same, the files may not be."


def describe_origin(origin: Origin | None) -> str:
    """One line for people, safe to print."""
    match origin:
        case None:
            text = "an index"
        case VcsOrigin(url=url, vcs=vcs, commit=commit, subdirectory=subdirectory):
            text = f"{vcs}+{url}@{commit}" + (f"#subdirectory={subdirectory}" if subdirectory else "")
        case ArchiveOrigin(url=url, hashes=hashes):
            text = url + (f" ({hashes[0]})" if hashes else "")
        case DirectoryOrigin(url=url, editable=editable):
            text = url + (" (editable)" if editable else "")
    return printable(without_credentials(text))


def _inside_image(origin: Origin | None) -> bool:
    return isinstance(origin, DirectoryOrigin) or (
        isinstance(origin, ArchiveOrigin) and origin.url.lower().startswith("file:")
    )


def _compare_commits(ours: VcsOrigin, theirs: VcsOrigin) -> tuple[Severity, str] | None:
    if ours.vcs != theirs.vcs or ours.commit != theirs.commit:
        return "warning", "Another commit: the version is the same, the code may not be."
    if ours.subdirectory != theirs.subdirectory:
        return "warning", "It is built from another folder of the repository."
    if ours.url == theirs.url:
        return None
    if ours.vcs == "git":
        return "note", "The same git commit from another URL: the files are the same."
    return "warning", f"The same {printable(ours.vcs)} revision of another repository: the code may differ."


def _compare_archives(ours: ArchiveOrigin, theirs: ArchiveOrigin, *, twin: bool) -> tuple[Severity, str] | None:
    one, other = (dict(text.split("=", 1) for text in o.hashes if "=" in text) for o in (ours, theirs))
    common = one.keys() & other.keys()
    if any(one[name].lower() != other[name].lower() for name in common):
        return "warning", "Another file: the hashes of the archives differ, so that some of the files do."
    if common or ours.url == theirs.url or (twin and _inside_image(ours)):
        return None
    return "warning", "It comes from another URL, and no hash tells whether the file is the same."


def _compare_folders(ours: DirectoryOrigin, theirs: DirectoryOrigin, *, twin: bool) -> tuple[Severity, str] | None:
    if ours.editable != theirs.editable:
        return (
            "note",
            "It is editable on one side only: there, what is imported is whatever the folder holds.",
        )
    if twin or (ours.url, ours.subdirectory) == (theirs.url, theirs.subdirectory):
        return None
    return "warning", "It is installed from another folder: the version is the same, the files may not be."
