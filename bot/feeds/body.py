"""An HTTP body in pieces and its Content-Encoding go in, the decompressed bytes under a cap come out.

aiohttp's own decompression is off: it hands over what a piece expands to, and a gzip bomb expands a thousandfold.
"""

import zlib
from collections.abc import AsyncIterator

from bot.feeds.types import FetchError, FetchFailure

ACCEPT_ENCODING = "gzip, deflate"  # only what can be stopped at a byte count
_MAX_MEMBERS = 16  # a gzip stream may be several in a row; each costs a fresh decompressor


async def read_capped(pieces: AsyncIterator[bytes], content_encoding: str, max_bytes: int) -> bytes:
    """The whole body.

    Raises FetchError: TOO_LARGE past `max_bytes` on the wire or decompressed, UNREADABLE when damaged or in an encoding
    that was not asked for, NETWORK when the compressed stream broke off.
    """
    unpack = _unpacker(content_encoding.strip().lower())
    body = bytearray()
    on_the_wire = 0
    async for piece in pieces:
        on_the_wire += len(piece)
        body += unpack.feed(piece, max_bytes - len(body) + 1)
        if max(len(body), on_the_wire) > max_bytes:
            raise FetchError(FetchFailure.TOO_LARGE, f"the feed is larger than {max_bytes:,} bytes")
    unpack.check_complete()
    return bytes(body)


class _Plain:
    def feed(self, piece: bytes, room: int) -> bytes:
        return piece[:room]

    def check_complete(self) -> None:
        pass


class _Inflate:
    """gzip (also several members), zlib, and the raw deflate some servers send under the name `deflate`."""

    def __init__(self, *, gzip: bool) -> None:
        self._wbits = 16 + zlib.MAX_WBITS if gzip else 0
        self._stream = zlib.decompressobj(self._wbits) if gzip else None
        self._members = 1
        self._held = b""

    def feed(self, piece: bytes, room: int) -> bytes:
        if self._stream is None:
            piece, self._held = self._held + piece, b""
            if len(piece) < 2:
                self._held = piece
                return b""
            self._wbits = zlib.MAX_WBITS if _has_zlib_header(piece) else -zlib.MAX_WBITS
            self._stream = zlib.decompressobj(self._wbits)
        try:
            return self._inflate(piece, room)
        except zlib.error as error:
            raise FetchError(FetchFailure.UNREADABLE, f"the compressed answer is damaged: {error}") from error

    def _inflate(self, piece: bytes, room: int) -> bytes:
        assert self._stream is not None  # noqa: S101  (for the type checker; `feed` has made it)
        out = self._stream.decompress(piece, room)
        # What follows the end and is no further gzip part is padding, and ignored.
        while self._stream.eof and self._stream.unused_data.startswith(b"\x1f\x8b") and len(out) < room:
            rest = self._stream.unused_data
            self._members += 1
            if self._members > _MAX_MEMBERS:
                raise zlib.error(f"more than {_MAX_MEMBERS} compressed parts")
            self._stream = zlib.decompressobj(self._wbits)
            out += self._stream.decompress(rest, room - len(out))
        return out

    def check_complete(self) -> None:
        if self._stream is None or not self._stream.eof:
            raise FetchError(FetchFailure.NETWORK, "the compressed answer broke off before its end")


def _unpacker(encoding: str) -> _Plain | _Inflate:
    if encoding in {"", "identity"}:
        return _Plain()
    if encoding in {"gzip", "x-gzip"}:
        return _Inflate(gzip=True)
    if encoding == "deflate":
        return _Inflate(gzip=False)
    raise FetchError(
        FetchFailure.UNREADABLE, f"the answer is compressed with {encoding[:40]!r}, which was not asked for"
    )


def _has_zlib_header(piece: bytes) -> bool:
    return piece[0] & 0x0F == 8 and (piece[0] * 256 + piece[1]) % 31 == 0
