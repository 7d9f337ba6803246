"""Reading untrusted files: gzip by content, size and depth limits, no entities; writing aside and renaming."""

from __future__ import annotations

import errno
import gzip
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from network_data.errors import InputError
from network_data.limits import MAX_BYTES, MAX_DEPTH, LimitedStream

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

GZIP_MAGIC = b"\x1f\x8b"


def open_bytes(path: Path | str) -> IO[bytes]:
    """Open a file for reading, unpacking gzip where the content is gzip (whatever the name says)."""
    path = Path(path)
    try:
        stream: IO[bytes] = path.open("rb")
    except OSError as error:
        raise InputError(str(path), f"cannot be opened: {error.strerror}; check the path and the permissions") from None
    if stream.read(2) == GZIP_MAGIC:
        stream.close()
        return gzip.open(path)  # type: ignore[return-value]  # opened by itself, so that closing it closes the file
    stream.seek(0)
    return stream


def limited(stream: IO[bytes], path: Path | str, limit: int) -> LimitedStream:
    """A stream of `open_bytes` that stops at the limits of size and, where it unpacks gzip, of the ratio."""
    packed = stream.fileobj if isinstance(stream, gzip.GzipFile) else None
    return LimitedStream(stream, str(path), limit, packed)


def read_bytes(path: Path | str, limit: int = MAX_BYTES) -> bytes:
    """All bytes of a file, unpacked, within the limits."""
    with open_bytes(path) as stream:
        try:
            return limited(stream, path, limit).read()
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(str(path), f"cannot be read: {error}; the file is damaged, fetch it again") from None


def read_start(path: Path | str, n: int) -> bytes:
    """The first bytes of a file, unpacked: enough to recognize it by."""
    with open_bytes(path) as stream:
        try:
            return stream.read(n)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(str(path), f"cannot be read: {error}; the file is damaged, fetch it again") from None


def iter_xml(path: Path | str) -> Iterator[tuple[str, int, Element]]:
    """Stream an XML file: yields (event, depth, element) for 'start' and 'end'; depth of the root is 0.

    The caller clears elements it is done with.

    Raises
    ------
    InputError
        Not XML, damaged, nested too deeply, too large, or with entity declarations.
    """
    depth = -1
    with open_bytes(path) as stream:
        try:
            for event, element in iterparse(limited(stream, path, MAX_BYTES), events=("start", "end")):
                if event == "start":
                    depth += 1
                    if depth > MAX_DEPTH:
                        fault = f"<{element.tag}> is nested deeper than {MAX_DEPTH} levels; check what it is"
                        raise InputError(str(path), fault)
                yield event, depth, element
                if event == "end":
                    depth -= 1
        except ParseError as error:
            raise InputError(str(path), f"is not well-formed XML: {error}; mend or export it again") from None
        except DefusedXmlException as error:
            raise InputError(str(path), f"declares entities or a DTD ({error}); remove them") from None
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(str(path), f"cannot be read: {error}; the file is damaged, fetch it again") from None


def root_tag(path: Path | str) -> str:
    """Name of the root element, to recognize a file by its content."""
    for _, _, element in iter_xml(path):
        return str(element.tag)
    raise InputError(str(path), "is empty")


def write_aside(path: Path | str, content: bytes | str) -> None:
    """Write a file completely or not at all: to a temporary neighbour first, then renamed over `path`."""
    write_together({Path(path): content})


def write_together(contents: Mapping[Path, bytes | str]) -> None:
    """Write files that belong together: all to temporary neighbours first, then all renamed.

    Whatever fails in writing (no space, no rights) leaves every file as it was.
    """
    for path in contents:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    written: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            written[path] = _written_beside(path, content.encode() if isinstance(content, str) else content)
        for path, aside in written.items():
            aside.replace(path)
    except BaseException:
        for aside in written.values():
            aside.unlink(missing_ok=True)
        raise


def _written_beside(path: Path, data: bytes) -> Path:
    """A finished temporary file in the same folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)
