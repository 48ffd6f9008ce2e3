"""Types of the C extension. Everything here releases the GIL while it works, unless it
says otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

_T = TypeVar("_T")

# (name, kind, group, faces, required, default, low, high, choices, doc); see
# native/params.def.
PARAMS: tuple[tuple[str, str, str, int, bool, Any, Any, Any, tuple[str, ...], str], ...]
# Of transcode_jpeg: MCUs between markers that load fastest, and the most there can be.
FAST_RESTART: int
MAX_RESTART: int
FACE_MX: int
FACE_NUMPY: int
FACE_TORCH: int
FACE_DET: int
FACE_RAW: int

class MxioError(RuntimeError): ...
class ParameterError(MxioError, ValueError): ...

class DataError(MxioError):
    """Damaged input. `path`, `record` (ordinal), `id`, `offset` (byte) say where, each
    None when unknown.
    """

    path: str | None
    record: int | None
    id: int | None
    offset: int | None

@final
class Block:
    """Memory of the core, writable, through the buffer protocol. It returns to its pool
    when the last view dies.
    """

    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __len__(self) -> int: ...

@final
class Loader:
    """The engine: batches of decoded, augmented samples, in a fixed order."""

    def __init__(
        self,
        options: Mapping[str, object],
        files: Sequence[str],
        running: bool,
        decoder: Callable[[bytes, int], NDArray[np.uint8]],
        index: Buffer | None,
        labels: Buffer | None,
        mean: Buffer | None,
        records: tuple[int, int] | Buffer | None,
        offsets: Buffer | None,
        /,
    ) -> None:
        """Open the files and check everything; threads start with the first `next`.

        options: canonical values by parameter name. running: the order of mx.io, in
        which round_batch decides the end of an epoch. decoder: pixels (height, width,
        channels), red first, of a picture that the core does not know. index, labels:
        the bytes of path_imgidx and path_imglist. mean: float32 (channels, height,
        width). records: chosen ones, (first, count) or uint64 ordinals, at least
        one and none twice, which nobody may change; None for all. offsets: what
        `offsets` of a loader of the same files gave, likewise; `index` is not read
        then.
        """
    def start(self, epoch: int, base: int, batch: int, step: int, /) -> None:
        """Begin an epoch `base` positions in; make batches batch, batch + step, ..."""
    def fetch(self, places: Buffer, epochs: Buffer, /) -> None:
        """Let `next` give these records, then None: uint64 places in the order of the
        files, and for each the uint64 epoch of its augmentation.

        The loader must be in plain order: not shuffled, not running, one rank, partial
        last batches, nothing skipped. ParameterError for a place behind the last.
        """
    def next(self) -> tuple[Block, int, int, int, int] | None:
        """(block, rows, pad, offset of the labels, offset of the ids); None at the end
        of the epoch.
        """
    def lacks(self) -> int:
        """Bytes of a block that the next call of `next` lacks; 0 when it lacks none."""
    def lend(self, memory: Buffer, /) -> None:
        """Let batches lie in this memory: writable, contiguous, of the bytes `lacks`
        says, or more. Where some is lent, all is: lend until nothing lacks.
        """
    def count(self) -> int: ...
    def batches(self, base: int, batch: int, step: int, /) -> int: ...
    def label_width(self) -> int: ...
    def progress(self) -> tuple[int, int]:
        """Positions of this epoch, and of the next, that are done once all ranks have
        their share of the batches delivered so far.
        """
    def work(self) -> dict[str, Any]:
        """Since the loader was made: samples, bytes, tickets; seconds in read, decode,
        transform over all threads; seconds that workers were idle and that the consumer
        waited; samples decoded by each path (jpeg_plain, jpeg_own, jpeg_stock,
        png_plain, png_libpng, foreign).
        """
    def offsets(self) -> Block:
        """uint64 offsets of all record heads, counted through all files; before the
        first `next`.
        """
    def errors(self) -> list[tuple[str, int, int | None, int, str]]:
        """(path, record, id, offset, sentence) of each record left out or replaced."""
    def memory(self) -> tuple[int, int]:
        """Batches in use and batches idle."""
    def close(self) -> None: ...

@final
class RecordFile:
    """A RecordIO file open for reading at any offset, by any number of threads and
    forked children.
    """

    def __init__(self, path: str, /) -> None: ...
    def read(self, offset: int, /) -> tuple[bytes, int] | None:
        """The record whose head is at `offset`, and the offset behind it; None exactly
        at the end of the file.

        Small records read in order come out of 64 KB read ahead: a file that changes
        meanwhile may be seen as it was. DataError when there is no whole record there.
        OSError when the system refuses.
        """
    def raw(self, offset: int, size: int, /) -> bytes:
        """The bytes from an offset on: `size` of them, or as many as there are."""
    def size(self) -> int: ...
    def close(self) -> None:
        """Idempotent; a later read raises ValueError."""

@final
class Lookout:
    """Where a thread reads, for one that waits for it."""

    def __init__(self) -> None: ...
    def call(self, work: Callable[[], _T], /) -> _T:
        """What `work` returns. Files that it opens and reads through the core are seen.
        Not to be nested in a thread.
        """
    def see(self) -> tuple[str | None, int, int, int]:
        """(path of the file being opened or None, descriptor of the one being read or
        -1, offset in it, calls so far).
        """
    def stop(self) -> None:
        """Let the call open and read nothing more: MxioError there."""

@final
class RecordSet:
    """The records of a set of RecordIO files by ordinal, and what their headers say.
    One call at a time; usable in forked children.
    """

    def __init__(
        self, files: Sequence[str], offsets: Buffer | None, index: str | None, /
    ) -> None:
        """offsets: uint64, those of an index, whose path is `index`; without them the
        record heads are hopped over, as far as asked for.
        """
    def count(self) -> int: ...
    def heads(
        self, first: int, rows: int, width: int, /
    ) -> tuple[int, Block, Block, Block, Block, Block]:
        """Headers of records first, first + 1, ...: (rows read, ids uint64, flags
        uint32, labels float32 (rows, width), sizes uint64, offsets uint64).

        Fewer rows than asked for (at most 2**20) mean the end. Labels that a record
        does not have are NaN; sizes are those of what follows header and labels;
        offsets are counted through all files. The blocks have room for all rows asked
        for. DataError names file, record and byte.
        """
    def heads_of(
        self, ordinals: Buffer, width: int, /
    ) -> tuple[int, Block, Block, Block, Block, Block]:
        """The same of the records in an array of uint64."""
    def read(self, ordinal: int, /) -> bytes:
        """The payload of a record; DataError when there is none, or it is damaged."""

@final
class RecordFeed:
    """Payloads of records, in the order and the shares of a loader. One call at a time;
    usable in forked children.
    """

    def __init__(
        self,
        options: Mapping[str, object],
        files: Sequence[str],
        offsets: Buffer | None,
        index: str | None,
        records: tuple[int, int] | Buffer | None,
        /,
    ) -> None:
        """options as for Loader; offsets and index as for RecordSet; records as for
        Loader.
        """
    def start(self, epoch: int, base: int, batch: int, step: int, /) -> None:
        """Begin an epoch, `base` positions in; give batches batch, batch + step, ..."""
    def next(self) -> tuple[list[bytes], list[int], int] | None:
        """(payloads, ordinals, rows missing or repeated); None at the end. A failure
        uses up its batch.
        """
    def count(self) -> int: ...
    def batches(self, base: int, batch: int, step: int, /) -> int: ...
    def progress(self) -> int:
        """Positions done by all ranks once the batches so far are."""

@final
class RowFeed:
    """Batches of rows of CSV or LibSVM text, or of MNIST (`open_mnist`), made ahead by
    one thread that never holds the GIL.
    """

    def __init__(
        self,
        sparse: bool,
        dtype: int,
        batch_size: int,
        round_batch: bool,
        num_parts: int,
        part_index: int,
        depth: int,
        data: Sequence[str],
        data_width: int,
        label: Sequence[str],
        label_width: int,
        timeout: float,
        /,
    ) -> None:
        """Measure the files and find the part; the thread starts with the first `next`.

        sparse: LibSVM, float32; else CSV, dtype 0 float32, 1 int32, 2 int64. depth:
        batches that may wait. Without label files labels are zeros, for LibSVM the
        number at the start of each line. timeout: seconds, 0 for none. OSError,
        DataError, ParameterError; TimeoutError here and from `next` and `start`.
        """
    def start(self, carry: int, /) -> None:
        """Begin an epoch behind so many rows."""
    def next(
        self,
    ) -> tuple[Block, int, int, int, tuple[int, int, int], tuple[int, int, int]] | None:
        """(block, pad, carry, place of the uint64 row numbers, places of the data,
        places of the label); None at the end of the epoch.

        Places are those of values, and for CSR of column indices and row starts, both
        int64. DataError for a bad row; the next call then gives the batch behind it.
        """
    def close(self) -> None:
        """Stop and join the thread; idempotent."""

def open_mnist(
    paths: Sequence[str],
    batch_size: int,
    num_parts: int,
    part_index: int,
    shuffle: bool,
    seed: int,
    depth: int,
    timeout: float,
    /,
) -> tuple[RowFeed, int, int]:
    """Batches of images as float32, and an image's rows and columns.

    paths: of the images and of the labels, plain or packed by gzip; both are read whole
    here. Row numbers are places in the file. OSError, TimeoutError, DataError,
    ParameterError for a batch larger than the part.
    """

@final
class Packer:
    """Picture files to records of a .rec file, by several threads."""

    def __init__(
        self,
        unchanged: bool,
        transcode: bool,
        channels: int,
        center_crop: bool,
        resize: int,
        scaled_decode: bool,
        png: bool,
        quality: int,
        max_pixels: int,
        threads: int,
        depth: int,
        /,
    ) -> None:
        """Threads start with the first picture.

        unchanged: the files' pictures as they are. transcode: JPEGs are written anew,
        without loss, for fast reading. channels: 1, 3, or 0 for those stored,
        not turned upright. resize: new length of the shorter edge, 0 for none.
        scaled_decode: JPEGs may be shrunk while they are decoded. quality: of JPEG, 1
        to 100; with png its level, 0 to 9. depth: pictures that may be inside at once.
        """
    def add(self, path: str, head: Buffer, inter: int, /) -> None:
        """Begin with a picture; `head` comes before it. inter is 0 to 4, or 9."""
    def next(self) -> Block | None:
        """The record of the oldest picture inside, None when its format is not the
        core's.

        DataError when it is damaged, OSError when its file cannot be read, MemoryError.
        """
    def close(self) -> None:
        """Stop and join the threads; idempotent."""

def encode_record(payload: Buffer, /) -> bytes:
    """The bytes of one record in a file: head(s), payload, padding. ValueError from
    2**29 bytes on.
    """

def list_labels(text: Buffer, path: str, ids: Buffer, width: int, /) -> Block:
    """The labels that a list file gives records with these ids (uint64): float64
    (ids, width), NaN for an id that it does not list. DataError names the line.
    """

def permutation(seed: int, epoch: int, count: int, first: int, rows: int, /) -> Block:
    """Positions first, first + 1, ... of the permutation of 0 .. count - 1 that an
    epoch of `count` records has: `rows` uint64; behind the last comes the first again.
    """

def parse_index(text: Buffer, path: str, /) -> tuple[Block, Block]:
    """(keys as int64, offsets as uint64) of a text index whose keys are integers, in
    the file's order.
    """

def find_magics(data: Buffer, first: int, /) -> bytes:
    """Places of RecordIO's magic number in `data` from `first` on, at any alignment:
    at most 65,536 native uint32, rising. ValueError from 2**32 bytes on.
    """

def decode(
    data: Buffer, channels: int, bgr: bool, orient: bool, max_pixels: int, /
) -> tuple[Block, int, int, int] | None:
    """(uint8 pixels, height, width, channels) of a JPEG or PNG; None when the core does
    not know the format.

    channels: 1 gray, 3 colour, 4 with alpha (PNG only), 0 as stored (1, 3 or 4; 16 bits
    a channel are cut to 8). bgr: blue first instead of red first. orient: apply the
    EXIF orientation. DataError when damaged, or larger than max_pixels.
    """

def probe(data: Buffer, /) -> tuple[str, int, int, int, int] | None:
    """(format, height, width, channels as stored, bits a channel) from the header of a
    JPEG or PNG, else None.
    """

def encode_jpeg(
    pixels: Buffer, height: int, width: int, channels: int, quality: int, bgr: bool, /
) -> bytes:
    """A baseline JPEG (4:2:0) of uint8 pixels, C order; channels 1 or 3; quality 1 to
    100.
    """

def transcode_jpeg(data: Buffer, restart: int, max_pixels: int, /) -> bytes | str:
    """The same coefficients and segments as a baseline JPEG with optimised Huffman
    tables and a marker every `restart` MCUs (0 to 65535, 0: none), read again and
    compared; or a sentence that says why the picture is to be kept as it is:
    arithmetic coding, 12 bits, no JPEG, ...

    DataError when it is damaged anywhere, or larger than max_pixels.
    """

def encode_png(
    pixels: Buffer, height: int, width: int, channels: int, level: int, bgr: bool, /
) -> bytes:
    """A PNG of uint8 pixels, C order; channels 1, 3 or 4; level 0 to 9."""

def resize(
    pixels: Buffer,
    height: int,
    width: int,
    channels: int,
    new_height: int,
    new_width: int,
    /,
) -> Block:
    """Bilinear resize of uint8 pixels, C order, channels 1, 3 or 4, within one level of
    OpenCV's INTER_LINEAR.
    """

def features() -> dict[str, str]:
    """Versions and code paths: jpeg, entropy and pixels of JPEG ("own", or "stock
    (why)"), png, simd.
    """

def draw_plans(
    options: Mapping[str, object],
    epoch: int,
    first: int,
    count: int,
    width: int,
    height: int,
    /,
) -> list[dict[str, object]]:
    """The plans that `count` records from ordinal `first` on would get for images of
    width x height: steps (kind, x, y, width, height, method or radius), and what is
    drawn beside them. For tests.
    """
