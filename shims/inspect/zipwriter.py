"""Write a zip archive from members that are compressed already.

Python's ``zipfile`` before 3.14 neither knows zstandard nor copies members as they are.
Layout: PKWARE's APPNOTE 6.3.10, sections 4.3 to 4.5.
"""

from __future__ import annotations

import struct
from typing import BinaryIO
from zipfile import ZipInfo

__all__ = ["ZipWriter"]

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR64 = struct.Struct("<4sIQI")
_END = struct.Struct("<4sHHHHIIH")

_MOST_32, _MOST_16 = 0xFFFFFFFF, 0xFFFF
_FROM = _MOST_32  # what does not fit below it goes to an extra field of 64 bits
_ZIP64, _WITH_ZSTD = 45, 63
_UTF8 = 0x800


class ZipWriter:
    """Members go to the file one after the other; :meth:`close` writes the directory.

    Parameters
    ----------
    file
        Open for binary writing, at its beginning.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0
        self._directory: list[bytes] = []

    def add(self, like: ZipInfo, data: bytes, *, size: int, crc: int) -> None:
        """Add a member with the name, time and attributes of another one.

        Parameters
        ----------
        like
            The member it is made from; compressed by the same method.
        data
            Its compressed bytes.
        size, crc
            Length and CRC-32 of its content.
        """
        name, flags = _name(like)
        year, month, day, hour, minute, second = like.date_time
        date = (year - 1980) << 9 | month << 5 | day
        time = hour << 11 | minute << 5 | second // 2
        wide = [n for n in (size, len(data)) if n >= _FROM]
        # In the local header both sizes are in the extra field, or neither.
        local_extra = struct.pack("<HHQQ", 1, 16, size, len(data)) if wide else b""
        shown = (_MOST_32, _MOST_32) if wide else (len(data), size)
        needed = max(like.extract_version, _ZIP64 if wide else 0)
        self._write(
            _LOCAL.pack(
                b"PK\3\4", needed, flags, like.compress_type, time, date, crc, *shown,
                len(name), len(local_extra),
            )
            + name
            + local_extra
        )  # fmt: skip
        offset = self._at - _LOCAL.size - len(name) - len(local_extra)
        wide = [n for n in (size, len(data), offset) if n >= _FROM]
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        needed = max(like.extract_version, _ZIP64 if wide else 0)
        self._directory.append(
            _CENTRAL.pack(
                b"PK\1\2", max(like.create_version, needed) | like.create_system << 8, needed,
                flags, like.compress_type, time, date, crc, _short(len(data)),
                _short(size), len(name), len(extra), len(like.comment), 0,
                like.internal_attr, like.external_attr, _short(offset),
            )
            + name
            + extra
            + like.comment
        )  # fmt: skip
        self._write(data)

    def close(self) -> None:
        """Write the directory."""
        start, count = self._at, len(self._directory)
        for entry in self._directory:
            self._write(entry)
        size = self._at - start
        if count >= _MOST_16 or start >= _FROM or size >= _FROM:
            end = self._at
            self._write(
                _END64.pack(b"PK\6\6", _END64.size - 12, _WITH_ZSTD, _ZIP64, 0, 0, count, count,
                            size, start)
            )  # fmt: skip
            self._write(_LOCATOR64.pack(b"PK\6\7", 0, end, 1))
        count = min(count, _MOST_16)
        self._write(_END.pack(b"PK\5\6", 0, 0, count, count, _short(size), _short(start), 0))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._at += len(data)


def _short(number: int) -> int:
    """Give the number, or the mark that it stands in the extra field."""
    return _MOST_32 if number >= _FROM else number


def _name(like: ZipInfo) -> tuple[bytes, int]:
    """Give a member's name as bytes, and its flags: sizes stand in the header, not behind."""
    name = like.orig_filename
    if like.flag_bits & _UTF8:
        return name.encode("utf-8"), _UTF8
    try:
        return name.encode("ascii"), 0
    except UnicodeEncodeError:
        return name.encode("cp437"), 0
