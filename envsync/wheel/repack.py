"""Making a wheel of the files of an installed distribution."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO
from zipfile import ZipFile

from envsync.contents import LONGEST_SCRIPT, MARKER, normal_script
from envsync.elf import MAGIC, Elf, parse_elf
from envsync.files import FileReadError
from envsync.model import Distribution, ImageSource, Interpreter
from envsync.wheel.archive import CHUNK, WheelWriter
from envsync.wheel.egg import member_of, open_egg
from envsync.wheel.parts import Files, FileSource, Notes, Repacked, RepackError, WheelFile
from envsync.wheel.tags import WheelFacts, derived_tag, filename_of, parse_wheel, platform_needed, write_wheel
from envsync.writing import WriteError, temporary_name

SCHEMA = 1
"""Of :data:`envsync.contents.MARKER`."""

_ALGORITHMS = ("sha256", "sha384", "sha512", "sha224")


def repack(
    files: Files,
    distribution: Distribution,
    interpreter: Interpreter,
    source: FileSource,
    folder: Path,
    *,
    image: ImageSource | None = None,
) -> Repacked:
    """Write a wheel into ``folder``; the same bytes each time.

    Args:
        files: see :func:`envsync.wheel.files.files_of`.
        distribution: the one they are of.
        interpreter: the one it is installed for.
        source: where :attr:`Files.paths` can be read.
        folder: must exist.
        image: named in the wheel as its origin.

    Raises:
        RepackError: a file cannot be read, or no valid wheel comes of it.
        WriteError: ``folder`` cannot be written to.
    """
    temporary = folder / temporary_name(f"{files.stem}.whl")
    try:
        with temporary.open("w+b") as stream:
            with WheelWriter(stream) as writer, ExitStack() as eggs:
                packer = _Packer(files, interpreter, source, writer, eggs)
                packer.pack(image)
            size = stream.seek(0, os.SEEK_END)
            stream.seek(0)
            digest = _digest(stream)
        filename, tags = filename_of(files.stem, packer.facts)
        _check(filename)
        temporary.replace(folder / filename)
    except OSError as error:
        raise WriteError(f"{error.filename or temporary}: cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return Repacked(
        filename=filename,
        sha256=digest,
        size=size,
        path=folder / filename,
        how=files.how,
        tags=tuple("-".join(tag) for tag in tags),
        platform=packer.platform,
        patched=tuple(sorted(packer.patched)),
        notes=packer.notes.all(),
    )


class _Packer:
    def __init__(
        self, files: Files, interpreter: Interpreter, source: FileSource, writer: WheelWriter, eggs: ExitStack
    ) -> None:
        self._files = files
        self._open_eggs = eggs
        self._eggs: dict[PurePosixPath, ZipFile] = {}
        self._interpreter = interpreter
        self._source = source
        self._writer = writer
        self._info = f"{files.stem}.dist-info/"
        self._compiled: dict[str, Elf] = {}
        self.facts = WheelFacts()
        self.platform: str | None = None
        self.patched: list[str] = []
        self.notes = Notes(files.notes)

    def pack(self, image: ImageSource | None) -> None:
        last: dict[str, WheelFile | bytes] = {self._info + name: data for name, data in self._files.made.items()}
        for file in self._files.files:
            if file.target.startswith(self._info):
                last[file.target] = file
            else:
                self._copy(file)
        last[f"{self._info}WHEEL"] = self._wheel()  # once all compiled files were seen
        for target, content in sorted(last.items(), key=lambda item: item[0]):
            if isinstance(content, bytes):
                self._writer.add(target, [content], len(content))
            else:
                self._copy(content)
        marker = self._marker(image)
        self._writer.add(self._info + MARKER, [marker], len(marker))
        self._writer.close(f"{self._info}RECORD")

    def _copy(self, file: WheelFile) -> None:
        with self._open(file) as stream:
            start = _read(stream, CHUNK, file)
            if start.startswith(MAGIC) and file.size:
                self._note_compiled(file)
            chunks = self._checked(file, start, stream)
            if file.script and file.size <= LONGEST_SCRIPT:
                data = b"".join(chunks)
                chunks = iter([normal_script(data)])
            self._writer.add(file.target, chunks, file.size, executable=file.executable)

    def _checked(self, file: WheelFile, start: bytes, stream: IO[bytes]) -> Iterator[bytes]:
        """The content of a file; its digest is compared with the image's ``RECORD``."""
        algorithm, expected = file.recorded or ("", "")
        digest = hashlib.new(algorithm) if algorithm in _ALGORITHMS else None
        left = file.size
        chunk = start
        while chunk:
            left -= len(chunk)
            if left < 0:
                break
            if digest is not None:
                digest.update(chunk)
            yield chunk
            chunk = _read(stream, CHUNK, file)
        if left:
            raise RepackError(f"{file.path}: not {file.size} bytes as when it was looked at")
        if digest is not None and _base64(digest.digest()) != expected.rstrip("="):
            self.patched.append(file.target)

    def _note_compiled(self, file: WheelFile) -> None:
        with self._open(file) as stream:
            elf = parse_elf(stream)  # type: ignore[arg-type]
        if elf is not None:
            self._compiled[file.target] = elf

    @contextmanager
    def _open(self, file: WheelFile) -> Iterator[IO[bytes]]:
        if file.member is None:
            with self._stream(file.path) as stream:
                yield stream
            return
        if file.path not in self._eggs:
            stream = self._open_eggs.enter_context(self._stream(file.path))
            self._eggs[file.path] = self._open_eggs.enter_context(open_egg(stream, str(file.path)))
        with member_of(self._eggs[file.path], file.member, str(file.path)) as content:
            yield content

    def _stream(self, path: PurePosixPath) -> BinaryIO:
        try:
            return self._source.open(path)
        except FileReadError as error:
            raise RepackError(error.message) from error

    def _wheel(self) -> bytes:
        """``WHEEL`` as the image has it, or one that its files tell."""
        self.platform, reasons = platform_needed(self._compiled, self._interpreter)
        kept = self._files.wheel
        if kept is not None:
            self.facts = parse_wheel(kept)
            if self.facts.tags and self.facts.versioned:
                return kept
            self.notes.add("WHEEL: without tags: they are derived from the files")
        for reason in reasons:
            self.notes.add(reason)
        data = f"{self._files.stem}.data/"
        targets = [target for target in self._compiled if not target.startswith(data)]
        tag = derived_tag(targets, self.platform, self._interpreter)
        self.facts = WheelFacts(tags=(tag,), build=self.facts.build, versioned=True)
        return write_wheel(self.facts.tags, pure=self.platform is None)

    def _marker(self, image: ImageSource | None) -> bytes:
        content: dict[str, object] = {"schema": SCHEMA, "how": self._files.how}
        if image is not None:
            content["image"] = {"config": str(image.config_digest), "reference": image.reference}
        content["patched"] = sorted(self.patched)
        return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def _read(stream: IO[bytes], size: int, file: WheelFile) -> bytes:
    try:
        return stream.read(size)
    except OSError as error:
        raise RepackError(f"{file.path}: cannot be read: {error.strerror or error}") from error


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _base64(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _check(filename: str) -> None:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        parse_wheel_filename(filename)
    except (InvalidWheelFilename, ValueError) as error:
        raise RepackError(f"{filename}: not the name of a wheel") from error
