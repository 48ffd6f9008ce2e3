"""What a loader has done, and what holds it up."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

__all__ = ["Stats"]

# A side that waits for less than this share of the time is not held up.
_BUSY = 0.1
_STEPS = {
    "read": (
        "reading records: the files are slow (a cold page cache, a disk, a network)"
    ),
    "decode": "decoding pictures",
    "transform": "resizing, augmenting and writing the batches",
}
_PATHS = {
    "jpeg_plain": "JPEG without libjpeg",
    "jpeg_own": (
        "JPEG by mxio's entropy decoder and libjpeg (of rare sampling or colours,"
        " scaled, or of a kind that features()['pixels'] tells)"
    ),
    "jpeg_stock": (
        "JPEG by libjpeg alone (progressive, arithmetic, damaged, or of a kind that"
        " features()['entropy'] tells)"
    ),
    "png_plain": "PNG without libpng",
    "png_libpng": "PNG by libpng (interlaced, not 8 bits, or damaged)",
    "foreign": "other formats by OpenCV, on the thread that asks for batches",
}


@dataclass(frozen=True)
class Stats:
    """The work of a loader since it was made.

    samples: images made, also those prefetched and not yet asked for. bytes: of their
    records. seconds: from the first `next` on. threads: workers. read, decode,
    transform: seconds over all threads; reading includes waiting for the file system.
    idle: seconds that workers waited because all batches of prefetch_buffer were full.
    waited: seconds that the consumer waited for a batch. tickets: how often a worker
    asked for work. paths: samples by the way their picture was decoded.
    """

    samples: int
    bytes: int
    seconds: float
    threads: int
    read: float
    decode: float
    transform: float
    idle: float
    waited: float
    tickets: int
    paths: dict[str, int]

    @classmethod
    def of(cls, work: dict[str, Any], seconds: float, threads: int) -> "Stats":
        """From what `_core.Loader.work` gives."""
        named = {name: work.pop(name) for name in _PATHS}
        return cls(**work, seconds=seconds, threads=threads, paths=named)

    @classmethod
    def total(cls, parts: Sequence["Stats"]) -> "Stats":
        """That of several loaders which worked at the same time."""
        sums = {
            field.name: sum(getattr(part, field.name) for part in parts)
            for field in fields(cls)
            if field.name not in ("seconds", "paths")
        }
        paths = {name: sum(part.paths[name] for part in parts) for name in _PATHS}
        seconds = max((part.seconds for part in parts), default=0.0)
        return cls(**sums, seconds=seconds, paths=paths)

    @property
    def images_per_second(self) -> float:
        """Images made in a second of wall time."""
        return self.samples / self.seconds if self.seconds > 0 else 0.0

    @property
    def megabytes_per_second(self) -> float:
        """10**6 bytes of records in a second of wall time."""
        return self.bytes / self.seconds / 1e6 if self.seconds > 0 else 0.0

    @property
    def shares(self) -> dict[str, float]:
        """Shares of the time of all threads: read, decode, transform, idle."""
        spent = {
            "read": self.read,
            "decode": self.decode,
            "transform": self.transform,
            "idle": self.idle,
        }
        total = sum(spent.values())
        return {name: value / total if total else 0.0 for name, value in spent.items()}

    def asdict(self) -> dict[str, Any]:
        """All of it as plain values, for a log."""
        return asdict(self) | {
            "images_per_second": self.images_per_second,
            "megabytes_per_second": self.megabytes_per_second,
            "shares": self.shares,
        }

    def explain(self) -> str:
        """In words: the rate, what holds it up, and how pictures were decoded."""
        if not self.samples or not self.seconds:
            return "Nothing was loaded yet."
        share = self.shares
        waits = self.waited / self.seconds
        lines = [
            f"{self.samples} images in {self.seconds:.2f} s:"
            f" {self.images_per_second:.0f} images/s,"
            f" {self.megabytes_per_second:.1f} MB/s, {self.threads} threads.",
            "Of their time: "
            + ", ".join(f"{name} {100 * part:.0f} %" for name, part in share.items())
            + f". The consumer waited {100 * waits:.0f} % of the time.",
        ]
        if share["idle"] > _BUSY and waits < _BUSY:
            lines.append(
                "The consumer is the bottleneck: batches were ready before it asked."
            )
        else:
            step = max(_STEPS, key=lambda name: share[name])
            lines.append(
                f"The loader is the bottleneck: most time goes into {_STEPS[step]}."
            )
        for name, count in self.paths.items():
            if count:
                lines.append(f"{count} images: {_PATHS[name]}.")
        return "\n".join(lines)
