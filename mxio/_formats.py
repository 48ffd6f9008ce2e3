"""Formats of pictures by their first bytes."""

__all__ = ["format_of", "suffix_of"]

# (place, bytes there, name, suffix)
_FORMATS = [
    (0, b"\xff\xd8\xff", "jpeg", ".jpg"),
    (0, b"\x89PNG\r\n\x1a\n", "png", ".png"),
    (0, b"BM", "bmp", ".bmp"),
    (0, b"GIF8", "gif", ".gif"),
    (0, b"II*\0", "tiff", ".tif"),
    (0, b"MM\0*", "tiff", ".tif"),
    (8, b"WEBP", "webp", ".webp"),
]


def format_of(data: bytes) -> str:
    """jpeg, png, bmp, gif, tiff, webp; "unknown" for others."""
    return _find(data)[0]


def suffix_of(data: bytes) -> str:
    """The suffix of a file of this format; .bin when it is unknown."""
    return _find(data)[1]


def _find(data: bytes) -> tuple[str, str]:
    for place, mark, name, suffix in _FORMATS:
        if data.startswith(mark, place):
            return name, suffix
    return "unknown", ".bin"
