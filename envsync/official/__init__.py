"""The official images: what published sources say of them, and the locks made from published lists."""

from envsync.official.catalogue import (
    CatalogueError,
    Citation,
    OfficialImage,
    OfficialTag,
    PublishedList,
    catalogue,
)
from envsync.official.data import data_folder
from envsync.official.rows import DamagedLock, ImageRow, LockAtHand, rows

__all__ = [
    "CatalogueError",
    "Citation",
    "DamagedLock",
    "ImageRow",
    "LockAtHand",
    "OfficialImage",
    "OfficialTag",
    "PublishedList",
    "catalogue",
    "data_folder",
    "rows",
]
