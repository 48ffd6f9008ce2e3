"""Pack the images of a list into a RecordIO file, with an index beside it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
import zlib
from array import array
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Unpack

import numpy as np

from mxio._atomic import atomic_text, naming
from mxio._cores import cores
from mxio._draft import Draft
from mxio._entries import Entry, EntryReader
from mxio._lists import Lines, count_parts
from mxio._pace import Pace
from mxio._records import Made, Records
from mxio._task import Settings, Task, make_task
from mxio.errors import DataError, ParameterError
from mxio.params import TABLE

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Outputs", "PackReport", "discard", "pack_list", "pack_task", "read_done"]

_LOOK_AHEAD = 4  # lines in work for each thread
_THREADS_MAX = TABLE["preprocess_threads"].high
_SECONDS_BETWEEN_CHECKPOINTS = 5.0
_CHECKPOINT_SHARE = 0.05  # of the time, at most
_SCHEMA = 1  # of done-records


@dataclass(frozen=True)
class PackReport:
    """What was written, and what was noticed.

    packed counts images in the output, skipped bad lines and images; resumed those of
    both that an earlier, interrupted run had done. duplicates counts lines whose id had
    occurred before, rounded lines with a whole number as label that float32 cannot
    hold. shards: the reports of the files when the output is a set of them.
    """

    output: str
    index: str
    packed: int
    skipped: int
    duplicates: int
    rounded: int
    resumed: int = 0
    shards: tuple[PackReport, ...] = ()


@dataclass(frozen=True)
class Outputs:
    """The files that a task writes.

    report: empty when there is to be none. done: written with keeps_done; otherwise
    removed, as it is not about the new files.
    """

    record: str
    index: str
    done: str
    report: str = ""
    keeps_done: bool = False

    @classmethod
    def of(cls, output: str, suffix: str = "", keeps_done: bool = False) -> Outputs:
        """With the names that belong to an output."""
        stem = os.path.splitext(output)[0]
        return cls(
            output + suffix,
            f"{stem}.idx{suffix}",
            f"{stem}.done.json{suffix}",
            keeps_done=keeps_done,
        )


def pack_list(
    list_path: str | os.PathLike[str],
    root: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    num_thread: int = 0,
    resume: bool = False,
    done_record: bool = False,
    report: str | os.PathLike[str] | None = None,
    progress: bool = False,
    **settings: Unpack[Settings],
) -> PackReport:
    """Pack the images of a list into `output`, and its index beside it.

    output: by default the list's name with .rec. The index has the output's name with
        the last suffix replaced by .idx. Both appear when they are whole; until then,
        and after any error, the old ones stay.
    num_thread: 0 means every core; the bytes written are the same for any number.
    resume: go on where an interrupted run, with the same list and options, was whole:
        every run leaves a checkpoint every few seconds. A run that is known to be
        finished is not repeated.
    done_record: also write the output's name with .done.json, by which `resume` knows
        that it is finished; always written with `resume`.
    report: a file for the bad lines and images: line, path and reason, between tabs.
    progress: show it on stderr. Bad lines are told there in any case.

    Settings, which decide what is stored:

    label_width: that many labels are between id and path, the rest of the line is the
        path, as the C++ tool reads lists. None: fields are separated by tabs (by blanks
        in a line without tabs), and all between the first and the last are labels.
    pack_label: store all labels; otherwise only the first.
    resize: new length of the shorter edge; 0 or -1 leaves the image as it is.
    center_crop: cut out the square in the middle before.
    color: 1 colour, 0 gray, -1 as in the image file.
    encoding: ".jpg" or ".png".
    quality: of JPEG, 1 to 100; compression of PNG, 0 to 9 (more means 3).
    inter_method: as in `mxio.image.imresize`; a random choice depends on the line only.
    pass_through: store the bytes of the image files as they are.
    repack: write JPEGs anew for fast loading, also those of pass_through: the same
        pixels as a baseline JPEG with a restart marker every 4 MCUs, which any reader
        reads and mxio's loaders read faster (see mxio.repack).
    scaled_decode: shrink JPEGs by 2, 4 or 8 already while they are decoded where
        `resize` asks for less than half of the shorter edge: faster, and less aliased,
        but other pixels than MXNet's.
    on_error: "skip" leaves bad lines and images out; "fail" stops at the first one.
    nsplit, part: pack only this part of the list; both names get the suffix .part000
        and so on.

    Raises DataError for the first bad line with on_error="fail", when not one line
    could be packed, and when label_width does not fit the list; OSError naming the file
    that cannot be read or written; MxioError when another run writes the same output;
    ParameterError for arguments out of range, and when what is to be resumed was made
    with others.
    """
    list_path = os.fspath(list_path)
    output = os.path.splitext(list_path)[0] + ".rec" if output is None else output
    task = make_task(list_path, root, **settings)
    suffix = f".part{task.part:03d}" if task.nsplit > 1 else ""
    outputs = Outputs.of(os.fspath(output), suffix, done_record or resume)
    if report is not None:
        outputs = replace(outputs, report=os.fspath(report))
    task.check_outputs(outputs.record, outputs.index, outputs.report)
    total = count_parts(task.list_path, task.nsplit)[task.part]
    with closing(Pace(total, progress)) as shown:
        return pack_task(task, outputs, shown, num_thread=num_thread, resume=resume)


def pack_task(
    task: Task,
    outputs: Outputs,
    progress: Pace,
    *,
    digest: str | None = None,
    num_thread: int = 0,
    resume: bool = False,
    may_be_empty: bool = False,
) -> PackReport:
    """Do a task; the arguments are those of `pack_list`, the errors too.

    digest: of the task, when it is known. may_be_empty: it is no error when not one
    line can be packed.
    """
    if not 0 <= num_thread <= _THREADS_MAX:
        raise ParameterError(
            f"num_thread must be in [0, {_THREADS_MAX}], got {num_thread}"
        )
    digest = task.digest() if digest is None else digest
    if resume and outputs.keeps_done:
        found = read_done(outputs, task, digest)
        if found is not None:
            with closing(_Output(task, outputs, digest)) as out:
                out.clear()
            progress.skip(found.packed + found.skipped)
            return found
    lines = Lines(task.list_path, task.nsplit, task.part)
    with closing(_Output(task, outputs, digest)) as out:
        out.open(lines, resume)
        if not out.published:
            if out.dropped_work:
                told = "starting anew; --resume would have gone on"
                progress.say(f"{outputs.record}: {told}")
            progress.skip(out.tally.lines)
            _pack(task, lines, out, num_thread or cores(), progress)
            if out.tally.skipped and not out.tally.packed and not may_be_empty:
                raise DataError(
                    f"{task.list_path}: none of its {out.tally.skipped} lines could be "
                    "packed; nothing is written",
                    task.list_path,
                )
            out.publish()
        out.write_done()
        return out.report()


def discard(task: Task, outputs: Outputs) -> None:
    """Remove what an interrupted run of a task left, and its done-record."""
    with naming(outputs.done), contextlib.suppress(FileNotFoundError):
        os.unlink(outputs.done)
    _Output(task, outputs, "").close()


def _pack(task: Task, lines: Lines, out: _Output, threads: int, progress: Pace) -> None:
    """Write what can be packed, tell what cannot be."""
    entries = EntryReader(task.root, task.label_width, task.pack_label)
    depth = threads * _LOOK_AHEAD
    with closing(task.recipe.packer(threads, depth)) as packer:
        for made in Records(entries, task.recipe, packer).of(lines, depth):
            if made.record is None:
                if task.on_error == "fail":
                    raise DataError(made.sentence, task.list_path)
                progress.say(made.sentence)
            out.add(made)
            progress.step()


@dataclass
class _Tally:
    """What a run has come to; end and number are those of its last line."""

    packed: int = 0
    skipped: int = 0
    rounded: int = 0
    end: int = 0
    number: int = 0

    @property
    def lines(self) -> int:
        return self.packed + self.skipped


class _Output:
    """The files being written, and what is known of them."""

    def __init__(self, task: Task, outputs: Outputs, digest: str) -> None:
        root = os.path.abspath(task.root)
        facts = [digest, task.part, root, bool(outputs.report)]
        paths = filter(None, (outputs.record, outputs.index, outputs.report))
        self._draft = Draft(list(paths), json.dumps(facts))
        self._task = task
        self._outputs = outputs
        self._digest = digest
        self._ids = array("Q")
        self._resumed = self._crc32 = 0
        self._next_checkpoint = time.monotonic() + _SECONDS_BETWEEN_CHECKPOINTS
        self.tally = _Tally()

    @property
    def published(self) -> bool:
        return self._draft.published

    @property
    def dropped_work(self) -> bool:
        return self._draft.dropped_work

    def open(self, lines: Lines, resume: bool) -> None:
        """Start anew, or go on and leave out the lines done."""
        with naming(self._outputs.done), contextlib.suppress(FileNotFoundError):
            os.unlink(self._outputs.done)  # it is about the old file
        if not resume:
            self._draft.begin()
            return
        self._draft.resume()
        if self._draft.state is None:
            return
        self.tally = _Tally(**self._draft.state)
        self._resumed = self.tally.lines
        index = b"".join(self._draft.chunks(1)).splitlines()
        self._ids.extend(int(line.partition(b"\t")[0]) for line in index)
        if self._outputs.keeps_done:
            for chunk in self._draft.chunks(0):
                self._crc32 = zlib.crc32(chunk, self._crc32)
        lines.go_on(self.tally.end, self.tally.number)

    def add(self, made: Made) -> None:
        """Append a record and its index line, or a line of the report."""
        if made.entry is not None and made.record is not None:
            self._write(made.entry, made.record)
        else:
            self._write_problem(made)
        self.tally.end, self.tally.number = made.line.end, made.line.number
        if time.monotonic() >= self._next_checkpoint:
            self._checkpoint()

    def _write(self, entry: Entry, record: Buffer) -> None:
        tally = self.tally
        self._draft.append(1, f"{entry.id}\t{self._draft.sizes[0]}\n".encode())
        self._draft.append(0, record)
        if self._outputs.keeps_done:
            self._crc32 = zlib.crc32(record, self._crc32)
        self._ids.append(entry.id)
        tally.packed += 1
        tally.rounded += entry.rounded

    def _write_problem(self, made: Made) -> None:
        self.tally.skipped += 1
        if self._outputs.report:
            fields = (str(made.line.number), made.path, made.problem)
            text = "\t".join(re.sub(r"[\t\r\n]+", " ", each) for each in fields) + "\n"
            self._draft.append(2, text.encode(errors="surrogateescape"))

    def _checkpoint(self) -> None:
        start = time.monotonic()
        self._draft.checkpoint(asdict(self.tally))
        end = time.monotonic()
        rest = max(_SECONDS_BETWEEN_CHECKPOINTS, (end - start) / _CHECKPOINT_SHARE)
        self._next_checkpoint = end + rest

    def clear(self) -> None:
        """Of a task that is done, remove what else was begun."""
        self._draft.clear()

    def publish(self) -> None:
        self._draft.publish(asdict(self.tally))

    def write_done(self) -> None:
        """The done-record, when there is to be one."""
        if not self._outputs.keeps_done:
            return
        report = self.report()
        facts = {
            "schema": _SCHEMA,
            "digest": self._digest,
            "shard": self._task.part,
            "shards": self._task.nsplit,
            "records": report.packed,
            "skipped": report.skipped,
            "duplicates": report.duplicates,
            "rounded": report.rounded,
            "bytes": os.path.getsize(self._outputs.record),
            "crc32": f"{self._crc32:08x}",
        }
        with atomic_text(self._outputs.done) as file:
            file.write(json.dumps(facts, indent=1) + "\n")

    def report(self) -> PackReport:
        ordered = np.sort(np.frombuffer(self._ids, np.uint64))
        return PackReport(
            self._outputs.record,
            self._outputs.index,
            self.tally.packed,
            self.tally.skipped,
            int(np.count_nonzero(ordered[1:] == ordered[:-1])),
            self.tally.rounded,
            self._resumed,
        )

    def close(self) -> None:
        """Remove what is not published, unless a run may go on with it."""
        self._draft.close()


def read_done(outputs: Outputs, task: Task, digest: str) -> PackReport | None:
    """What a done-record says; None when there is none, or its file is not there.

    ParameterError when it is that of another task.
    """
    try:
        with naming(outputs.done), open(outputs.done, encoding="utf-8") as file:
            facts = json.load(file)
        size = os.path.getsize(outputs.record)
        if facts["bytes"] != size or not os.path.exists(outputs.index):
            return None
        if (facts["digest"], facts["shard"]) != (digest, task.part):
            raise ParameterError(
                f"{outputs.record} is of another list, or was packed with other "
                "options; repeat those, or start anew without resume"
            )
        packed, skipped = int(facts["records"]), int(facts["skipped"])
        return PackReport(
            outputs.record,
            outputs.index,
            packed,
            skipped,
            int(facts["duplicates"]),
            int(facts["rounded"]),
            packed + skipped,
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, ParameterError):
            raise
        raise DataError(f"{outputs.done}: no done-record of im2rec") from None
