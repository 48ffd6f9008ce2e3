"""What calls the public programs that are modules: it runs under MXNet and mxio alike.

Started by clients.py, with a function's name and its arguments. A real mxnet is older
than the language and the packages of mxio, so nothing here imports those.
"""

import importlib
import inspect
import os
import pickle
import sys
import traceback
import unittest
from pathlib import Path
from typing import Any

import numpy as np


def load(path: str) -> Any:
    """A Python file as a module, found again by processes that it starts."""
    folder, name = os.path.split(path)
    sys.path.insert(0, folder)
    return importlib.import_module(name.removesuffix(".py"))


def build(program: str, faces: str, out: str, what: str) -> None:
    """Let a RecBuilder pack the faces: "pixels", "bytes" (encoded), or "labels"."""
    import cv2

    builder = load(program).RecBuilder(out)
    takes_label = "label" in inspect.signature(builder.add).parameters
    for label, folder in enumerate(sorted(Path(faces).iterdir())):
        paths = sorted(folder.iterdir())
        if what == "labels":
            for path in paths:
                builder.add_image(path.read_bytes(), [label, 7, 0.5])
            continue
        as_pixels = what == "pixels"
        images = [
            cv2.imread(str(path)) if as_pixels else path.read_bytes() for path in paths
        ]
        if takes_label:
            builder.add(label, images)
        else:
            builder.add(images)
    builder.close()


def read(folder: str, out: str) -> None:
    """Write what mxnet finds in train.rec: heads, labels, and decoded images."""
    mx = importlib.import_module("mxnet")  # so that type checkers need not know it
    path = os.path.join(folder, "train")
    record = mx.recordio.MXIndexedRecordIO(path + ".idx", path + ".rec", "r")
    found: dict[str, Any] = {}
    for key in record.keys:
        header, image = mx.recordio.unpack(record.read_idx(key))
        found[f"head {key}"] = np.array([header.flag, header.id, header.id2])
        found[f"label {key}"] = np.array(header.label)
        if image:
            found[f"rgb {key}"] = mx.image.imdecode(image).asnumpy()
            packed = mx.recordio.pack(header, image)
            found[f"bgr {key}"] = mx.recordio.unpack_img(packed)[1]
    np.savez(out, **found)


def faces(program: str, folder: str, out: str, start_method: str) -> None:
    """Write every sample of MXFaceDataset, loaded by two worker processes."""
    from torch.utils.data import DataLoader

    dataset = load(program).MXFaceDataset(folder, 0)
    dataset.transform = None  # with it, samples are flipped at random
    workers = DataLoader(
        dataset, None, num_workers=2, multiprocessing_context=start_method
    )
    found: dict[str, Any] = {}
    for key, (image, label) in zip(dataset.imgidx, workers, strict=True):
        found[f"rgb {key}"] = np.asarray(image)
        found[f"label {key}"] = np.asarray(label)
    dataset = load(program).MXFaceDataset(folder, 0)
    found["transformed"] = dataset[0][0].numpy()
    np.savez(out, **found)


def iterate(program: str, rec: str, out: str) -> None:
    """Write every batch of FaceImageIter: flips, crops and jitter off."""
    batches = load(program).FaceImageIter(8, (3, 112, 112), rec, mean=[127.5] * 3)
    found: dict[str, Any] = {}
    for number, batch in enumerate(batches):
        found[f"data {number}"] = batch.data[0].asnumpy()
        found[f"label {number}"] = batch.label[0].asnumpy()
    np.savez(out, **found)


def train(program: str, rec: str) -> None:
    """Call the function of image_iter.py that runs ImageRecordIter."""
    load(program).test_face_image_iter(rec)


def verify(program: str, faces: str, out: str) -> None:
    """Write what load_bin makes of a .bin file with all faces in it."""
    images = [path.read_bytes() for path in sorted(Path(faces).glob("*/*.jpg"))]
    pairs = [True] * (len(images) // 2)
    with open("faces.bin", "wb") as file:
        pickle.dump((images, pairs), file)
    (plain, flipped), _ = load(program).load_bin("faces.bin", (64, 64))
    np.savez(out, plain=plain.numpy(), flipped=flipped.numpy())


def test_image(program: str, faces: str) -> None:
    """Run MXNet's test_image.py on sixteen faces instead of images from the net."""
    os.makedirs("data", exist_ok=True)
    module = load(program)
    images = sorted(Path(faces).glob("*/*.jpg"))[:16]
    module.TestImage.IMAGES = [str(path) for path in images]
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(module.TestImage)
    result = unittest.TextTestRunner().run(tests)
    sys.exit(not result.wasSuccessful())


def test_io(program: str) -> None:
    """Run MXNet's test_io.py on data of the sizes of MNIST and CIFAR-10."""
    write_mnist()
    write_cifar10()
    write_news()
    module = load(program)
    failed = []
    for name, test in sorted(vars(module).items()):
        if name.startswith("test_"):
            try:
                test()
            except Exception:
                traceback.print_exc()
                failed.append(name)
    sys.exit(f"failed: {failed}" if failed else 0)


def write_mnist() -> None:
    """data/...-ubyte: noise, 60000 images for training and none for testing."""
    os.makedirs("data", exist_ok=True)
    rng = np.random.default_rng(5)
    for part, count in (("train", 60000), ("t10k", 0)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        labels = rng.integers(0, 10, count, np.uint8)
        for kind, magic, data in (
            ("images-idx3", 2051, images),
            ("labels-idx1", 2049, labels),
        ):
            head = np.array([magic, *data.shape], ">i4").tobytes()
            Path(f"data/{part}-{kind}-ubyte").write_bytes(head + data.tobytes())


def write_cifar10() -> None:
    """data/cifar/train.rec: 5000 images of each of 10 classes, 20 different images."""
    import cv2

    mx = importlib.import_module("mxnet")
    os.makedirs("data/cifar", exist_ok=True)
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (20, 32, 32, 3), np.uint8)
    images = [cv2.imencode(".jpg", image)[1].tobytes() for image in noise]
    writer = mx.recordio.MXRecordIO("data/cifar/train.rec", "w")
    for place in range(50000):
        header = mx.recordio.IRHeader(0, place % 10, place, 0)
        writer.write(mx.recordio.pack(header, images[place % 20]))
    writer.close()
    for name in ("test.rec", "train.lst", "test.lst"):
        Path(f"data/cifar/{name}").write_bytes(b"")


def write_news() -> None:
    """data/news20.t: 3993 sparse rows of 20 classes."""
    lines = [f"{1 + place % 20} {place}:0.5 62060:2\n" for place in range(3993)]
    Path("data/news20.t").write_text("".join(lines))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
