"""Files in the format of the Unix program compress, which few systems have."""

from __future__ import annotations

_CLEAR = 256


class _Codes:
    """Codes in groups of eight, lowest bit first; a group is filled up with zeros where the width changes."""

    def __init__(self) -> None:
        self.packed = bytearray()
        self.width = 9
        self._group: list[int] = []

    def add(self, code: int) -> None:
        self._group.append(code)
        if len(self._group) == 8:
            self.flush(whole=True)

    def flush(self, *, whole: bool) -> None:
        bits = sum(code << (place * self.width) for place, code in enumerate(self._group))
        count = self.width if whole else -(-len(self._group) * self.width // 8)
        if self._group:
            self.packed += bits.to_bytes(count, "little")
        self._group.clear()


def compress(content: bytes, *, max_width: int = 16, clear_after: int | None = None) -> bytes:
    """Return a ``.Z`` file; ``clear_after`` so many codes the table is cleared."""
    first_free = 256 if clear_after is None else 257
    table = {bytes([value]): value for value in range(256)}
    free, codes, count, string = first_free, _Codes(), 0, b""
    for place in range(len(content)):
        longer = string + content[place : place + 1]
        if longer in table:
            string = longer
            continue
        codes.add(table[string])
        count += 1
        free_for_decoder = free  # which is one code behind
        if free < 1 << max_width:
            table[longer] = free
            free += 1
        string = content[place : place + 1]
        if free_for_decoder > (1 << codes.width) - 1 and codes.width < max(10, max_width):
            codes.flush(whole=True)
            codes.width += 1
        if clear_after is not None and count % clear_after == 0:
            codes.add(_CLEAR)
            codes.flush(whole=True)
            codes.width, free = 9, first_free
            table = {bytes([value]): value for value in range(256)}
    if string:
        codes.add(table[string])
    codes.flush(whole=False)
    return b"\x1f\x9d" + bytes([max_width | (0x80 if clear_after is not None else 0)]) + bytes(codes.packed)
