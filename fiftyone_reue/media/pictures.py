"""Knowing a coded picture by how it begins."""

import re

_SIGNATURES = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF....WEBP|\0\0\0\x0cJXL "
    rb"|/9j/|iVBORw|R0lGOD|UklGR",
    re.DOTALL,
)


def holds_picture(data: bytes) -> bool:
    """Whether a JPEG, PNG, GIF, WebP or JPEG XL begins anywhere, in base64 or not."""
    return _SIGNATURES.search(data) is not None
