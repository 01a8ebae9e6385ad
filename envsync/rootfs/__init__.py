"""The root file system of an image: its layers merged into one view, without unpacking or running anything."""

from envsync.rootfs.reading import read_rootfs
from envsync.rootfs.tree import Rootfs

__all__ = ["Rootfs", "read_rootfs"]
