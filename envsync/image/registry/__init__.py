"""Images in registries, read without an engine.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from envsync.image.registry.access import Access, KnownBlobs

if TYPE_CHECKING:
    from envsync.image.registry.image import RegistryImage
    from envsync.reference import ImageName, Platform

__all__ = ["Access", "KnownBlobs", "open_registry"]


def open_registry(
    name: ImageName,
    platform: Platform | None,
    access: Access,
    *,
    known: KnownBlobs | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> RegistryImage:
    """Open the image called ``name``: its manifest and config are read, its layers can be.

    Args:
        name: repository and tag or digest.
        platform: the platform asked for; ``None``: this machine's, then linux/amd64.
        access: mirrors and time limits.
        known: manifests and configs of earlier runs; with them, an image that did not change costs one HEAD request,
            and one that is named by its digest costs none.
        say: takes a line for people where something was chosen for them.

    Raises:
        RegistryError: out of reach, refused, absent, or limited for now; names every place that was tried.
        ImageError: no image for that platform, or a kind of image that is not supported.
        CorruptImageError: what came does not fit its digest or size, or is malformed.
        UsageError: Docker's file of credentials, a proxy or a CA bundle that is configured cannot be used.
    """
    from envsync.image.registry.image import open_image

    return open_image(name, platform, access, known=known, say=say)
