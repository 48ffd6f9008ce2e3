"""Accelerate, Lightning and the Trainer of transformers leave a Loader as it is: every
record arrives once, and a run that stopped goes on.
"""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DataSet, run_python

torch = pytest.importorskip("torch", reason="needs torch")

from mxio.adapters.torch import Loader  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("default")]

EVERY = list(range(37))


def loader(data: DataSet, **options: Any) -> Loader:
    given: dict[str, Any] = {"data_shape": (3, 8, 8), "batch_size": 4, "shuffle": True}
    return Loader(**(given | {"path_imgrec": data.rec} | options))


def epochs(data: DataSet, count: int, **options: Any) -> list[list[int]]:
    """Labels, which count the records, of epochs 0, 1, ..."""
    given = loader(data, **options)
    return [[int(n) for _, label in given for n in label] for _ in range(count)]


# ---- Accelerate ----


def test_accelerate_leaves_a_loader_as_it_is(photos: DataSet, tmp_path: Path) -> None:
    accelerate = pytest.importorskip("accelerate", reason="needs accelerate")
    accelerator = accelerate.Accelerator(cpu=True)
    expected = epochs(photos, 2)
    model = torch.nn.Linear(1, 1)
    given = loader(photos)

    model, prepared = accelerator.prepare(model, given)
    accelerator.register_for_checkpointing(prepared)
    seen = []
    for step, (_, label) in enumerate(prepared):
        seen += label.tolist()
        if step == 3:
            accelerator.save_state(str(tmp_path / "state"))
            break
    accelerator.load_state(str(tmp_path / "state"))
    for _, label in prepared:
        seen += label.tolist()

    assert prepared is given
    assert seen == expected[0]
    assert [int(n) for _, label in prepared for n in label] == expected[1]


RANKS = """
import os, sys
from accelerate import Accelerator
from mxio.adapters.torch import Loader
accelerator = Accelerator(cpu=True)
loader = accelerator.prepare(
    Loader(path_imgrec=sys.argv[1], data_shape=(3, 8, 8), batch_size=4, shuffle=True)
)
seen = [[int(n) for _, label in loader for n in label] for _ in range(2)]
together = [None] * accelerator.num_processes
import torch.distributed as dist
dist.all_gather_object(together, seen)
if accelerator.is_main_process:
    print([sorted(n for rank in together for n in rank[epoch]) for epoch in range(2)])
dist.barrier()
dist.destroy_process_group()
"""


def test_two_ranks_of_accelerate_get_every_record_once(
    photos: DataSet, tmp_path: Path
) -> None:
    pytest.importorskip("accelerate", reason="needs accelerate")
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)

    done = run_python(
        "import sys; from torch.distributed.run import main; main(sys.argv[1:])",
        *("--standalone", "--nproc-per-node=2", script, photos.rec),
        warnings="default",
        timeout=120,
    )

    assert done.stdout.splitlines()[-1:] == [str([EVERY, EVERY])], done.stderr


# ---- Lightning ----


class Stop(Exception):
    """A run that ends in the middle."""


def lightning_run(
    data: DataSet,
    folder: Path,
    *,
    stop: int | None = None,
    resume: str | None = None,
    **how: Any,
) -> tuple[list[int], Loader]:
    """The labels that a Trainer's steps saw, up to `stop` steps."""
    lightning: Any = pytest.importorskip("lightning.pytorch", reason="needs lightning")

    class Model(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch: Any, number: int) -> Any:
            if stop is not None and self.global_step == stop:
                raise Stop
            seen.extend(batch[1].tolist())
            return self.layer(batch[1].float()[:, None]).sum() * 0

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.1)

    seen: list[int] = []
    given = loader(data)
    save = lightning.callbacks.ModelCheckpoint(
        folder, every_n_train_steps=1, save_top_k=-1, filename="{step}"
    )
    trainer = lightning.Trainer(
        accelerator="cpu",
        callbacks=[save],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **how,
    )
    with suppress(Stop):
        trainer.fit(Model(), given, ckpt_path=resume)
    return seen, given


def flat(lists: list[list[int]]) -> list[int]:
    return [one for each in lists for one in each]


def test_lightning_sees_every_record_once_an_epoch(
    photos: DataSet, tmp_path: Path
) -> None:
    seen, _ = lightning_run(photos, tmp_path, max_epochs=3)

    assert seen == flat(epochs(photos, 3))


def test_lightning_may_end_its_epochs_early(photos: DataSet, tmp_path: Path) -> None:
    # It makes the next iterator while it holds the one that it left.
    seen, _ = lightning_run(photos, tmp_path, max_epochs=3, limit_train_batches=2)

    assert seen == flat([epoch[:8] for epoch in epochs(photos, 3)])


@pytest.mark.parametrize("stop", [1, 4, 9, 10, 11, 15, 20, 21])
def test_lightning_goes_on_where_it_stopped(
    photos: DataSet, tmp_path: Path, stop: int
) -> None:
    # 10 batches an epoch: the last is short.
    expected = epochs(photos, 3)
    begun, _ = lightning_run(photos, tmp_path, max_epochs=3, stop=stop)

    rest, _ = lightning_run(
        photos, tmp_path, max_epochs=3, resume=str(tmp_path / f"step={stop}.ckpt")
    )

    assert begun + rest == flat(expected)


# ---- transformers ----


def test_the_trainer_of_transformers_sees_every_record_once(
    photos: DataSet, tmp_path: Path
) -> None:
    transformers: Any = pytest.importorskip("transformers", reason="needs transformers")
    expected = epochs(photos, 3)
    seen: list[int] = []

    class Model(torch.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def forward(self, pixels: Any, labels: Any) -> Any:
            seen.extend(labels.tolist())
            return {"loss": self.layer(labels.float()[:, None]).sum() * 0}

    class Trainer(transformers.Trainer):  # type: ignore[misc]
        def get_train_dataloader(self) -> Any:
            return self.accelerator.prepare(given)

    class KeepPlace(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
            if state.global_step == 14:
                torch.save(given.state_dict(), tmp_path / "loader.pt")
                control.should_save = control.should_training_stop = True
            return control

    def arguments(**more: Any) -> Any:
        return transformers.TrainingArguments(
            tmp_path / "out",
            num_train_epochs=3,
            report_to=[],
            use_cpu=True,
            save_strategy="no",
            disable_tqdm=True,
            **more,
        )

    def pairs(data: Any, label: Any) -> dict[str, Any]:
        return {"pixels": data, "labels": label}

    given = loader(photos, transform=pairs)
    Trainer(Model(), arguments(), callbacks=[KeepPlace()]).train()
    assert seen == flat(expected)[: 37 + 16]

    given = loader(photos, transform=pairs)
    given.load_state_dict(torch.load(tmp_path / "loader.pt"))
    trainer = Trainer(Model(), arguments(ignore_data_skip=True))
    trainer.train(resume_from_checkpoint=str(tmp_path / "out/checkpoint-14"))

    assert seen == flat(expected)


def test_the_packages_are_those_of_the_extra() -> None:
    # Otherwise every test above is skipped, and nobody notices.
    wanted = ("accelerate", "lightning", "torchdata", "transformers")

    for name in wanted:
        pytest.importorskip(name, reason=f"needs {name}")

    assert set(wanted) <= set(sys.modules)
