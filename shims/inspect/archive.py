"""The members of an ``.eval`` file, a zip archive whose members are zstandard or deflated JSON."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

import zstandard

from panopt.errors import SourceError

__all__ = ["DEFLATED", "STORED", "ZSTANDARD", "Archive", "UnknownCompressionError"]

STORED, DEFLATED, ZSTANDARD = 0, 8, 93

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature ... length of name, length of extra field


class UnknownCompressionError(SourceError):
    """A member is compressed in a way this reader does not know."""


class Archive:
    """One ``.eval`` file, open for reading.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    members
        By name, in the order of the file; of members with one name the last counts, as in
        Inspect, which writes a sample again when it is requeued.

    Raises
    ------
    SourceError
        When the file is not a whole zip archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb")
        self._zstd = zstandard.ZstdDecompressor()
        try:
            with zipfile.ZipFile(self._file) as directory:
                self.entries = directory.infolist()
            if any(entry.header_offset < 0 for entry in self.entries):
                raise zipfile.BadZipFile("its directory points before its start")  # noqa: TRY301 - as zipfile does
        except (
            zipfile.BadZipFile,
            OSError,
            ValueError,
            NotImplementedError,
            struct.error,
        ) as error:
            self._file.close()
            empty = path.stat().st_size == 0
            what = "the file is empty" if empty else f"not a whole zip archive ({error})"
            raise SourceError(
                f"{what}; a .eval log is one: copy the file again, or let the run that writes "
                "it finish",
                source=str(path),
            ) from error
        self.members = {entry.filename: entry for entry in self.entries}

    def __enter__(self) -> Self:
        """Enter a ``with`` block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def samples(self) -> list[zipfile.ZipInfo]:
        """List the members that are samples, in the order they stand in the file."""
        found = [
            entry
            for name, entry in self.members.items()
            if name.startswith("samples/") and name.endswith(".json")
        ]
        return sorted(found, key=lambda entry: entry.header_offset)

    def compressed(self, entry: zipfile.ZipInfo) -> bytes:
        """Give a member's bytes as they stand in the file."""
        self._file.seek(entry.header_offset)
        head = self._file.read(_LOCAL_HEADER.size)
        if len(head) < _LOCAL_HEADER.size or not head.startswith(b"PK\3\4"):
            raise self._broken(entry, "its header is missing")
        _, name, extra = _LOCAL_HEADER.unpack(head)
        self._file.seek(name + extra, io.SEEK_CUR)
        data = self._file.read(entry.compress_size)
        if len(data) < entry.compress_size:
            raise self._broken(entry, "it is cut short")
        return data

    def read(self, entry: zipfile.ZipInfo) -> bytes:
        """Give a member's content, checked against its checksum.

        Raises
        ------
        SourceError
            When the member is damaged.
        UnknownCompressionError
            When it is encrypted or compressed by a method Inspect has not used so far.
        """
        if entry.flag_bits & 1:
            raise self._unknown(entry, "is encrypted")
        data = self.compressed(entry)
        try:
            content = self._decompress(data, entry)
        except (zlib.error, zstandard.ZstdError) as error:
            raise self._broken(entry, str(error)) from error
        if len(content) != entry.file_size or zlib.crc32(content) != entry.CRC:
            raise self._broken(entry, "its checksum is wrong")
        return content

    def _decompress(self, data: bytes, entry: zipfile.ZipInfo) -> bytes:
        if entry.compress_type == ZSTANDARD:
            content = self._zstd.decompress(data, max_output_size=entry.file_size)
            if len(content) == entry.file_size:
                return content
            reader = self._zstd.stream_reader(data, read_across_frames=True)  # above 200 MiB
            return reader.read(entry.file_size)
        if entry.compress_type == DEFLATED:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, max(entry.file_size, 1))
        if entry.compress_type == STORED:
            return data
        raise self._unknown(entry, f"is compressed by method {entry.compress_type}")

    def _unknown(self, entry: zipfile.ZipInfo, how: str) -> UnknownCompressionError:
        return UnknownCompressionError(
            f"the member {how}, which this reader does not know; read it with the API tier",
            source=str(self.path),
            place=entry.filename,
        )

    def _broken(self, entry: zipfile.ZipInfo, why: str) -> SourceError:
        return SourceError(
            f"the member is damaged ({why}); copy the file again",
            source=str(self.path),
            place=entry.filename,
        )
