"""Step `track`: follows the learning curve of a training (learning_curve.py) and tells it to a tracker of experiments, in an environment of that tracker.

Spec: `{v: 1, to: tensorboard | wandb | mlflow, curve: file that training writes, run: name, project: name, folder, config: {…}}`.

Values are told under the names that transformers' own callbacks use (`train/loss`, `train/learning_rate`, `train/grad_norm`, `eval/loss`), at their optimiser
step, with `config` as the run's. The step ends when the curve does; on SIGTERM it tells what there is and leaves. Nothing here touches a training:
it runs in a process of its own and reads one file.

A training that goes on after an interruption is the same run (`run` is its name). TensorBoard's file is written anew from the whole curve; of the others,
which keep what they were told, `told.json` in `folder` remembers the last step.
"""

from __future__ import annotations

import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forge_steps.protocol import Spec, Step

#: Seconds between looks at the file.
LOOK_EVERY = 0.3

#: A row's values by what trackers call them.
NAMES = {
    "loss": "train/loss",
    "learning_rate": "train/learning_rate",
    "grad_norm": "train/grad_norm",
    "tokens_per_second": "train/tokens_per_second",
    "gpu_memory_bytes": "train/gpu_memory_bytes",
    "examples": "train/examples",
    "eval_loss": "eval/loss",
}


class Tracker(ABC):
    """One run at one tracker."""

    @abstractmethod
    def tell(self, step: int, values: dict[str, float]) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class TensorBoard(Tracker):
    """An event file in `folder`/`run`, written by TensorBoard's own writer: what torch.utils.tensorboard writes, without torch."""

    def __init__(self, spec: Spec) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.compat.proto.tensor_pb2 import TensorProto
        from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
        from tensorboard.plugins.text.metadata import create_summary_metadata
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        folder = spec.path("folder") / spec.text("run")
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        self._writer = EventFileWriter(str(folder))
        self._value = Summary.Value
        text = "\n".join(f"- {name}: `{value}`" for name, value in spec.object("config").raw().items())
        tensor = TensorProto(dtype="DT_STRING", string_val=[text.encode()], tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]))
        self._write(0, [Summary.Value(tag="config/text_summary", metadata=create_summary_metadata("config", ""), tensor=tensor)])

    def tell(self, step: int, values: dict[str, float]) -> None:
        self._write(step, [self._value(tag=name, simple_value=value) for name, value in values.items()])

    def _write(self, step: int, values: list[Any]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class Once(Tracker):
    """What a tracker that keeps all it hears was told: no step is told to it twice."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._told: dict[str, Any] = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError):
            self._told = {}

    def tell(self, step: int, values: dict[str, float]) -> None:
        kind = "evaluated" if "eval/loss" in values else "step"
        if step <= int(self._told.get(kind, 0)):
            return
        self.send(step, values)
        self.remember(**{kind: step})

    def remembered(self, name: str) -> Any:
        return self._told.get(name)

    def remember(self, **values: Any) -> None:
        self._told.update(values)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(self._told), "utf-8")
        part.replace(self._file)

    @abstractmethod
    def send(self, step: int, values: dict[str, float]) -> None: ...


class WandB(Once):
    """A run at Weights & Biases: online where WANDB_API_KEY is set, else a folder for `wandb sync`. What it would tell of the machine is left out."""

    def __init__(self, spec: Spec) -> None:
        import wandb

        folder, run = spec.path("folder"), spec.text("run")
        super().__init__(folder / run / "told.json")
        folder.mkdir(parents=True, exist_ok=True)
        settings = wandb.Settings(
            console="off", silent=True, save_code=False, disable_code=True, disable_git=True, x_disable_stats=True, x_disable_meta=True, x_disable_machine_info=True, init_timeout=60
        )
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or spec.text("project"), name=run, id=run, resume="allow", dir=str(folder), config=dict(spec.object("config").raw()), settings=settings
        )

    def send(self, step: int, values: dict[str, float]) -> None:
        self._run.log(values, step=step)

    def close(self) -> None:
        self._run.finish()


class MLflow(Once):
    """A run at MLflow: at MLFLOW_TRACKING_URI, else in files below `folder`."""

    def __init__(self, spec: Spec) -> None:
        folder, run = spec.path("folder"), spec.text("run")
        super().__init__(folder / "told" / f"{run}.json")
        uri = os.environ.get("MLFLOW_TRACKING_URI") or (folder / "mlruns").resolve().as_uri()
        # Its store of files is no longer developed, and needs neither a server nor a database.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=uri)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or spec.text("project")
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found is not None else self._client.create_experiment(name)
        if self.remembered("run") is None or self.remembered("uri") != uri:
            self._told.clear()
            made = self._client.create_run(experiment, run_name=run)
            for key, value in spec.object("config").raw().items():
                self._client.log_param(made.info.run_id, key, value)
            self.remember(run=made.info.run_id, uri=uri)
        self._run: str = self.remembered("run")

    def send(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._client.log_metric(self._run, name, value, step=step)

    def close(self) -> None:
        self._client.set_terminated(self._run)


TRACKERS = {"tensorboard": TensorBoard, "wandb": WandB, "mlflow": MLflow}


def run(step: Step) -> dict[str, Any]:
    """Figures: `told`, how many rows and evaluations; `ended`, whether the curve came to its end."""
    spec = step.spec
    name = spec.text("to", choices=tuple(TRACKERS))
    curve = spec.path("curve")
    tracker: Tracker = TRACKERS[name](spec)
    told, ended = 0, False
    # A training that goes on within the run writes its file anew, and computes steps after its last checkpoint once more: told is told.
    last = {"step": 0, "eval": 0}
    try:
        for line in follow(curve, step):
            if line.get("end") is True:
                ended = True
                break
            at = line.get("step")
            values = {NAMES[key]: float(value) for key, value in line.items() if key in NAMES and isinstance(value, (int, float))}
            kind = "eval" if "eval_loss" in line else "step"
            if isinstance(at, int) and values and at > last[kind]:
                tracker.tell(at, values)
                told, last[kind] = told + 1, at
    finally:
        tracker.close()
    return {"told": told, "ended": ended}


def follow(file: Path, step: Step) -> Iterator[dict[str, Any]]:
    """Whole lines of a file that grows, once there is one; until the step is to stop, and then what there is. One that is replaced is read from its beginning."""
    at, rest, which = 0, b"", None
    while True:
        last = step.should_stop
        if file.exists():
            with file.open("rb") as f:
                status = os.fstat(f.fileno())
                if which is not None and which != (status.st_dev, status.st_ino):
                    at, rest = 0, b""
                which = (status.st_dev, status.st_ino)
                f.seek(at)
                rest += f.read()
                at = f.tell()
            *lines, rest = rest.split(b"\n")
            for line in lines:
                yield json.loads(line)
        if last:
            return
        time.sleep(LOOK_EVERY)
