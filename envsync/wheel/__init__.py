"""Any distribution that is installed in an image, as a wheel of the image's own files."""

from envsync.wheel.files import files_of as files_of
from envsync.wheel.files import small_files as small_files
from envsync.wheel.parts import Files as Files
from envsync.wheel.parts import FileSource as FileSource
from envsync.wheel.parts import RepackError as RepackError
from envsync.wheel.repack import repack as repack
