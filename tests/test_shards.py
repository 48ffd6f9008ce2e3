"""One list packed into shards, by one or many, and joined again."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mxio import cli
from mxio._shards import worker_of
from mxio.adapters.numpy import ImageRecordLoader
from mxio.errors import DataError, MxioError, ParameterError
from mxio.im2rec import main, pack_list
from mxio.recordio import MXIndexedRecordIO, unpack
from mxio.tools.merge import merge
from mxio.tools.pack import pack
from tests.im2rec_files import pairs, photo, write_image, write_list

ROOT = Path(__file__).resolve().parents[1]
COUNT = 23
SETTINGS: dict[str, Any] = {"resize": 16, "inter_method": 10}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A list of 23 images; the 4th is bad. whole.rec and .idx are what it becomes."""
    for number in range(COUNT):
        write_image(
            tmp_path / "root" / f"{number}.jpg", photo(20 + number, 50 - number)
        )
    (tmp_path / "root" / "3.jpg").write_bytes(b"bad")
    lines = (f"{7 * number}\t{number % 3}\t{number}.jpg" for number in range(COUNT))
    lst = write_list(tmp_path, *lines)
    pack_list(lst, tmp_path / "root", tmp_path / "whole.rec", **SETTINGS)
    return lst


def pack_into(lst: Path, shards: int, **more: Any) -> Any:
    output = lst.parent / "o.rec"
    return pack(lst, lst.parent / "root", output, shards=shards, **SETTINGS, **more)


def is_whole(folder: Path, name: str = "o") -> bool:
    return all(
        (folder / f"{name}{suffix}").read_bytes()
        == (folder / f"whole{suffix}").read_bytes()
        for suffix in (".rec", ".idx")
    )


@pytest.mark.parametrize("shards", [1, 2, 5, 60])
def test_shards_joined_are_the_bytes_of_a_single_run(
    tmp_path: Path, images: Path, shards: int
) -> None:
    report = pack_into(images, shards)

    merged = merge(tmp_path / "o.rec")

    assert is_whole(tmp_path)
    assert (report.packed, report.skipped, len(report.shards)) == (22, 1, shards)
    assert report.output == str(tmp_path / "o.mxio.json")
    assert (merged.records, merged.shards) == (22, shards)
    assert merged.bytes == (tmp_path / "whole.rec").stat().st_size
    first = tmp_path / f"o-00000-of-{shards:05}.rec"
    done = json.loads(first.with_suffix(".done.json").read_text())
    assert (done["shard"], done["shards"]) == (0, shards)
    assert done["bytes"] == first.stat().st_size


def test_every_shard_is_a_file_with_its_own_index(tmp_path: Path, images: Path) -> None:
    pack_into(images, 3)

    names = [f"o-{shard:05}-of-00003.rec" for shard in range(3)]
    found = [head.id for name in names for head, _ in pairs(tmp_path / name)]

    expected = [head.id for head, _ in pairs(tmp_path / "whole.rec")]
    assert found == expected


def test_workers_need_no_word_between_them(tmp_path: Path, images: Path) -> None:
    program = "import sys; from mxio.im2rec import main; sys.exit(main())"
    words = [str(images), str(tmp_path / "root"), str(tmp_path / "o.rec"), "resize=16"]
    words += ["inter_method=10", "--shards=5", "--quiet"]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", program, *words, "--worker", where],
            cwd=ROOT,
            env=os.environ | variables,
        )
        for where, variables in (("0/2", {}), ("env", {"RANK": "1", "WORLD_SIZE": "2"}))
    ]
    assert [worker.wait() for worker in workers] == [0, 0]

    # The list form reads lists as the C++ tool does, the bytes are the same here.
    assert cli.main(["merge", str(tmp_path / "o.rec")]) == 0
    assert is_whole(tmp_path)


def test_a_worker_packs_its_share_only(tmp_path: Path, images: Path) -> None:
    report = pack_into(images, 5, worker="1/2")

    made = sorted(path.name for path in tmp_path.glob("o-*.rec"))
    assert made == ["o-00001-of-00005.rec", "o-00003-of-00005.rec"]
    assert [shard.output for shard in report.shards] == [
        str(tmp_path / name) for name in made
    ]
    with pytest.raises(DataError, match=r"3 of 5 shards are missing, .* number 0"):
        merge(tmp_path / "o.rec")


def test_without_a_number_there_are_as_many_shards_as_workers(
    tmp_path: Path, images: Path
) -> None:
    for number in range(3):
        pack(
            images,
            tmp_path / "root",
            tmp_path / "o.rec",
            worker=f"{number}/3",
            **SETTINGS,
        )

    merge(tmp_path / "o.rec")

    assert is_whole(tmp_path)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"RANK": "3", "WORLD_SIZE": "8", "SLURM_PROCID": "0"}, (3, 8)),
        ({"SLURM_PROCID": "2", "SLURM_NTASKS": "4"}, (2, 4)),
        (
            {
                "SLURM_ARRAY_TASK_ID": "14",
                "SLURM_ARRAY_TASK_MIN": "10",
                "SLURM_ARRAY_TASK_STEP": "2",
                "SLURM_ARRAY_TASK_COUNT": "6",
            },
            (2, 6),
        ),
        (
            {
                "SLURM_ARRAY_TASK_ID": "2",
                "SLURM_ARRAY_TASK_MIN": "1",
                "SLURM_ARRAY_TASK_COUNT": "3",
                "SLURM_PROCID": "1",
                "SLURM_NTASKS": "4",
            },
            (5, 12),
        ),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}, (1, 2)),
        ({"PMI_RANK": "1", "PMI_SIZE": "2"}, (1, 2)),
        ({"JOB_COMPLETION_INDEX": "5", "WORLD_SIZE": "16"}, (5, 16)),
    ],
)
def test_launchers_tell_who_a_worker_is(
    variables: dict[str, str], expected: tuple[int, int]
) -> None:
    assert worker_of("env", variables) == expected


@pytest.mark.parametrize(
    ("text", "variables", "message"),
    [
        ("2/2", {}, "0 <= i < n, got 2/2"),
        ("1", {}, "worker must be i/n or env, got '1'"),
        ("-1/2", {}, "worker must be i/n or env, got '-1/2'"),
        ("env", {}, "none of RANK/WORLD_SIZE, .* is set"),
        ("env", {"RANK": "x", "WORLD_SIZE": "2"}, "RANK must be a whole number"),
        ("env", {"RANK": "2", "WORLD_SIZE": "2"}, "0 <= i < n, got 2/2"),
    ],
)
def test_a_wrong_worker_is_refused(
    text: str, variables: dict[str, str], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        worker_of(text, variables)


def test_shards_that_are_done_are_not_repeated(tmp_path: Path, images: Path) -> None:
    pack_into(images, 4)
    (tmp_path / "o-00002-of-00004.done.json").unlink()
    (tmp_path / "o-00002-of-00004.rec").write_bytes(b"half")
    kept = tmp_path / "o-00001-of-00004.rec"
    before = kept.stat().st_mtime_ns

    report = pack_into(images, 4, resume=True)

    assert [bool(shard.resumed) for shard in report.shards] == [True, True, False, True]
    assert kept.stat().st_mtime_ns == before
    merge(tmp_path / "o.rec")
    assert is_whole(tmp_path)


def test_without_resume_every_shard_is_made_anew(tmp_path: Path, images: Path) -> None:
    pack_into(images, 4)

    report = pack_into(images, 4)

    assert [shard.resumed for shard in report.shards] == [0] * 4


def test_the_report_of_shards_is_that_of_a_single_run(
    tmp_path: Path, images: Path
) -> None:
    pack_into(images, 4, report=tmp_path / "shards.tsv")
    pack_list(images, tmp_path / "root", report=tmp_path / "single.tsv", **SETTINGS)

    made = (tmp_path / "shards.tsv").read_text()
    assert made == (tmp_path / "single.tsv").read_text()
    assert made.startswith(f"4\t{tmp_path}/root/3.jpg\t")


# Manifests


@pytest.mark.parametrize("index", [False, True])
@pytest.mark.parametrize("shards", [3, 60])
def test_a_manifest_is_read_as_one_data_set(
    tmp_path: Path, images: Path, index: bool, shards: int
) -> None:
    pack_into(images, shards)
    found = []
    for name, idx in (("whole.rec", "whole.idx"), ("o.mxio.json", "o.mxio.json")):
        options: dict[str, Any] = {"path_imgidx": str(tmp_path / idx)} if index else {}
        with ImageRecordLoader(
            path_imgrec=str(tmp_path / name),
            batch_size=4,
            data_shape=(3, 16, 16),
            shuffle=True,
            seed=3,
            **options,
        ) as batches:
            found.append([(batch.data.copy(), batch.index.copy()) for batch in batches])

    assert len(found[0]) == len(found[1]) > 4
    for (data, ids), (expected, expected_ids) in zip(*found, strict=True):
        assert np.array_equal(data, expected)
        assert np.array_equal(ids, expected_ids)


def test_a_manifest_stands_anywhere_beside_its_files(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_into(images, 2)
    (tmp_path / "moved").mkdir()
    for path in tmp_path.glob("o*"):
        path.rename(tmp_path / "moved" / path.name)
    monkeypatch.chdir(tmp_path)

    with ImageRecordLoader(
        path_imgrec="moved/o.mxio.json", batch_size=22, data_shape=(3, 16, 16)
    ) as batches:
        [batch] = batches

    assert sorted(batch.index) == [7 * n for n in range(COUNT) if n != 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no manifest of mxio"),
        ("[]", "no manifest of mxio"),
        ('{"schema": 2, "files": []}', "expected schema 1, got 2"),
        ('{"schema": 1, "files": [{}]}', "no manifest of mxio"),
        ('{"schema": 1, "files": [3]}', "no manifest of mxio"),
        ('{"schema": 1, "files": []}', "path_imgrec must name a file"),
        (
            '{"schema": 1, "files": [{"record": "a", "index": 1, "crc32": "",'
            ' "records": 1, "bytes": 1}]}',
            "record, index and crc32 are texts",
        ),
    ],
)
def test_a_wrong_manifest_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.mxio.json"
    path.write_text(text)

    with pytest.raises(MxioError, match=message) as caught:
        ImageRecordLoader(path_imgrec=str(path), batch_size=1, data_shape=(3, 8, 8))

    assert "x.mxio.json" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "number"), [("x", 2), ("1\t-4", 2), ("1\tx", 2), ("1\t999999999", 2)]
)
def test_a_damaged_index_of_a_shard_is_named(
    tmp_path: Path, images: Path, line: str, number: int
) -> None:
    pack_into(images, 2)
    index = tmp_path / "o-00001-of-00002.idx"
    lines = index.read_text().splitlines()
    lines[number - 1] = line
    index.write_text("\n".join(lines))

    with pytest.raises(DataError, match=rf"o-00001-of-00002\.idx:{number}: expected a"):
        merge(tmp_path / "o.rec")

    assert not (tmp_path / "o.rec").exists()


def test_a_file_that_is_not_of_its_size_is_named(tmp_path: Path, images: Path) -> None:
    pack_into(images, 2)
    os.truncate(tmp_path / "o-00001-of-00002.rec", 100)

    with pytest.raises(DataError, match=r"o-00001-of-00002\.rec has 100 bytes"):
        merge(tmp_path / "o.rec")
    with pytest.raises(DataError, match=r"o-00001-of-00002\.rec has 100 bytes"):
        ImageRecordLoader(
            path_imgrec=str(tmp_path / "o.mxio.json"),
            batch_size=1,
            data_shape=(3, 8, 8),
        )


# Joining


def test_a_changed_byte_is_found_before_the_output_has_its_name(
    tmp_path: Path, images: Path
) -> None:
    pack_into(images, 3)
    shard = tmp_path / "o-00001-of-00003.rec"
    data = bytearray(shard.read_bytes())
    data[77] ^= 1
    shard.write_bytes(data)

    with pytest.raises(DataError, match=r"o-00001-of-00003\.rec: the checksum is"):
        merge(tmp_path / "o.rec")

    assert not list(tmp_path.glob("o.rec*"))


def test_shards_of_other_options_are_not_joined(tmp_path: Path, images: Path) -> None:
    pack_into(images, 3)
    pack(
        images,
        tmp_path / "root",
        tmp_path / "o.rec",
        shards=3,
        worker="1/3",
        resize=17,
    )

    with pytest.raises(DataError, match="is not of the same list, options"):
        merge(tmp_path / "o.rec")


def test_shards_may_be_named_in_any_order_but_once(
    tmp_path: Path, images: Path
) -> None:
    pack_into(images, 3)
    names = [tmp_path / f"o-{shard:05}-of-00003.rec" for shard in (2, 0, 1)]

    merge(tmp_path / "joined.rec", names)

    assert is_whole(tmp_path, "joined")
    with pytest.raises(DataError, match="a shard is given twice"):
        merge(tmp_path / "joined.rec", [*names, names[0]])


def test_merging_tells_what_it_wrote_and_what_is_not_there(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack_into(images, 2)

    good = cli.main(["merge", str(tmp_path / "o.mxio.json")])
    none = cli.main(["merge", str(tmp_path / "other.rec")])
    missing = cli.main(["merge", str(tmp_path / "o.rec"), str(tmp_path / "x.rec")])

    shown = capsys.readouterr()
    assert (good, none, missing) == (0, 2, 4)
    assert shown.out == f"{tmp_path}/o.mxio.json: 22 records of 2 shards\n"
    assert "no shards of" in shown.err
    assert "x.done.json" in shown.err


def test_info_and_verify_look_into_the_files_of_a_manifest(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack_into(images, 2)
    manifest = str(tmp_path / "o.mxio.json")
    capsys.readouterr()

    for command in ("info", "verify"):
        code = cli.main([command, manifest, "--json"])

        found = json.loads(capsys.readouterr().out)["files"]
        assert code == 0
        assert [Path(each["path"]).name for each in found] == [
            "o-00000-of-00002.rec",
            "o-00001-of-00002.rec",
        ]
        assert sum(each["records"] for each in found) == COUNT - 1


@pytest.mark.parametrize(
    "words", ["index", "repair OUT", "subset OUT", "shuffle OUT", "cat", "extract OUT"]
)
def test_tools_for_one_file_say_what_a_manifest_is(
    tmp_path: Path, images: Path, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    # They said that it has no record head, and named `mxio repair`.
    pack_into(images, 2)
    command, *rest = words.replace("OUT", str(tmp_path / "out")).split()

    code = cli.main([command, str(tmp_path / "o.mxio.json"), *rest])

    assert code == 2
    assert "is a manifest of several files" in capfd.readouterr().err


# Arguments


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shards", "0"], "shards must be in [1, 100000], got 0"),
        (["--shards", "2", "nsplit=2"], "shards do not go with nsplit, got 2"),
        (["--worker", "3/2"], "0 <= i < n, got 3/2"),
        (["--ray"], "ray needs shards"),
        (["--ray=x", "--worker", "0/2"], "worker and ray exclude each other"),
        (["--shards", "2", "--report", "LIST"], "would replace a file that is read"),
    ],
)
def test_arguments_that_do_not_go_together_are_code_2(
    tmp_path: Path,
    images: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    output = str(tmp_path / "o.rec")
    words = [str(images) if word == "LIST" else word for word in words]

    code = main([str(images), str(tmp_path), output, *words])

    assert code == 2
    assert message in capsys.readouterr().err


def test_nothing_good_in_all_shards_is_an_error(tmp_path: Path) -> None:
    lst = write_list(tmp_path, "0\t0\ta.jpg", "1\t0\tb.jpg")

    with pytest.raises(DataError, match="none of 2 lines could be packed"):
        pack(lst, tmp_path, shards=2)

    assert not (tmp_path / "image.mxio.json").exists()


def test_keys_of_shards_are_found_by_the_old_reader(
    tmp_path: Path, images: Path
) -> None:
    pack_into(images, 3)
    merge(tmp_path / "o.rec")

    reader = MXIndexedRecordIO(tmp_path / "o.idx", tmp_path / "o.rec", "r")

    assert [unpack(reader.read_idx(key))[0].id for key in reader.keys] == reader.keys
