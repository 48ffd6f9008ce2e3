"""The data loading page of MXNet's documentation, followed to the letter."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

import mxio as mx
from mxio import im2rec
from tests.conftest import epoch_ids, picture, write_set

PAGE = {
    "path_imgrec": "data/cifar/train.rec",
    "data_shape": (3, 28, 28),
    "batch_size": 100,
    "mean_img": "data/cifar/cifar10_mean.bin",
    "rand_crop": True,
    "rand_mirror": True,
    "shuffle": False,
    "preprocess_threads": 4,
    "prefetch_buffer": 1,
}


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with data/cifar/train.rec: 250 pictures of 32 x 32."""
    folder = tmp_path / "data" / "cifar"
    folder.mkdir(parents=True)
    write_set(folder, [picture(i, 32, 32) for i in range(250)], ".jpg", "train")
    monkeypatch.chdir(tmp_path)
    return folder


def test_the_example_of_the_page_runs_as_written(cifar: Path) -> None:
    dataiter = mx.io.ImageRecordIter(
        # Utility Parameter
        # Optional
        # Name of the data, should match the name of the data input of the network
        # data_name='data',
        # Name of the label, should match the name of the label parameter of the
        # network.
        # label_name='softmax_label',
        # Dataset Parameter
        path_imgrec="data/cifar/train.rec",
        data_shape=(3, 28, 28),
        # Batch Parameter
        batch_size=100,
        # Augmentation Parameter
        mean_img="data/cifar/cifar10_mean.bin",
        rand_crop=True,
        rand_mirror=True,
        shuffle=False,
        # Backend Parameter
        preprocess_threads=4,
        prefetch_buffer=1,
    )

    batches = list(dataiter)

    assert [batch.data[0].shape for batch in batches] == [(100, 3, 28, 28)] * 3
    assert [batch.pad for batch in batches] == [0, 0, 50]
    assert epoch_ids(batches) == list(range(100, 350))
    assert dataiter.provide_data == [("data", (100, 3, 28, 28))]
    assert dataiter.provide_label == [("softmax_label", (100,))]
    means = np.concatenate([batch.data[0] for batch in batches])[:250].mean(axis=0)
    assert abs(means).mean() < 5
    assert sorted(os.listdir(cifar)) == ["cifar10_mean.bin", "train.idx", "train.rec"]


def test_the_lines_in_comments_run_too(cifar: Path) -> None:
    dataiter = mx.io.ImageRecordIter(
        data_name="data",
        label_name="softmax_label",
        path_imgrec="data/cifar/train.rec",
        data_shape=(3, 28, 28),
        batch_size=100,
        mean_img="data/cifar/cifar10_mean.bin",
        rand_crop=True,
        rand_mirror=True,
        shuffle=False,
        preprocess_threads=4,
        prefetch_buffer=1,
    )

    label = np.concatenate([batch.label[0] for batch in dataiter])

    assert label[:250].tolist() == list(range(250))
    mean = mx.nd.load("data/cifar/cifar10_mean.bin")
    assert isinstance(mean, dict)
    assert [(name, array.shape) for name, array in mean.items()] == [
        ("mean_img", (3, 28, 28))
    ]


def test_a_training_loop_of_those_days_runs(cifar: Path) -> None:
    train = mx.io.ImageRecordIter(**PAGE)  # type: ignore[arg-type]
    rows = 0

    for _ in range(3):
        train.reset()
        for batch in train:
            data, label = batch.data[0].asnumpy(), batch.label[0].asnumpy()
            rows += len(label) - (batch.pad or 0)
            assert np.isfinite(data).all()

    # 250, then 200 and 50 of the next epoch: the rows that wrapped are not repeated.
    assert rows == 250 + 200 + 250


@pytest.mark.parametrize("name", ["path_imgrec", "data_shape", "batch_size"])
def test_a_compulsory_parameter_that_is_missing_is_an_error(
    cifar: Path, name: str
) -> None:
    given = {key: value for key, value in PAGE.items() if key != name}

    with pytest.raises(TypeError, match=name):
        mx.io.ImageRecordIter(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("root", ["images", "images/"])
@pytest.mark.parametrize("output", ["output.rec", "output.bin"])
@pytest.mark.parametrize("blank", ["\t", " "])
def test_the_walk_with_four_labels_for_an_image(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    root: str,
    output: str,
    blank: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    ids = [895099, 10025081, 74181, 10035553, 7534, 1191261]
    labels = [[i, i + 0.5, -i, 100 * i] for i in range(6)]
    lines = []
    for id, four in zip(ids, labels, strict=True):
        name = f"n0{id}_1.JPEG"
        pixels = picture(id, 300, 320)
        assert cv2.imwrite(f"images/{name}", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])
        lines.append(blank.join([str(id), *map(str, four), name]) + "\n")
    (tmp_path / "image.lst").write_text("".join(lines))

    status = im2rec.main(["image.lst", root, output, "resize=256", "label_width=4"])
    dataiter = mx.io.ImageRecordIter(
        path_imgrec=output,
        data_shape=(3, 28, 28),
        path_imglist="image.lst",
        label_width=4,
        batch_size=6,
    )
    batch = dataiter.next()

    assert not status
    assert dataiter.provide_label == [("softmax_label", (6, 4))]
    assert batch.label[0].tolist() == labels
    assert batch.index.tolist() == ids
    reader = mx.recordio.MXRecordIO(output, "r")
    _, image = mx.recordio.unpack_img(reader.read() or b"")
    assert image is not None
    assert image.shape == (256, 273, 3)  # 256 * 320 // 300
    assert (tmp_path / "output.idx").read_text().split()[::2] == list(map(str, ids))
