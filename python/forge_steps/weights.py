"""A base model's weights one after the other, so that whoever reads them holds no more of the model than it wants to.

A GGUF's tensors are read from the mapped file, written out to float32 some rows at a time, and turned into the form that transformers has for them, by its own
table of names and its own processors (modeling_gguf_pytorch_utils.py; what it does in one go for the whole file). Of a folder in the hub's form they are read
from its safetensors. Guarantee: the values are those that `from_pretrained` gives in float32, bit for bit, and never more than one tensor lies in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forge_steps.protocol import StepError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from forge_steps.lora import Lora

#: Weights that are written out at once: 64 MB of float32, and some of that again while it is computed.
_AT_ONCE = 1 << 24


class BaseWeights:
    """What a base model consists of: its configuration, and each weight by the name that transformers gives it."""

    def __init__(self, base: Path, config: Any = None) -> None:
        """`base`: a GGUF, or a folder in the hub's form. `config`: what `model.load_config` gave, to read it no second time."""
        from forge_steps.gguf_once import read_once
        from forge_steps.model import load_config

        with read_once():
            self.config = config if config is not None else load_config(base)
            #: The model without weights (on torch's meta device).
            self.skeleton = _skeleton(self.config)
            self._readers = _of_folder(base) if base.is_dir() else _of_gguf(base, self.skeleton, self.config)
        tied = {name for name in self.skeleton.all_tied_weights_keys if name not in self._readers}
        #: Numbers of each weight, in the order of the names; of weights that are one, the one that is stored.
        self.shapes = {name: tuple(weight.shape) for name, weight in sorted(self.skeleton.state_dict().items()) if name not in tied}
        missing = next((name for name in self.shapes if name not in self._readers), None)
        if missing is not None:
            raise StepError("model/missing-weights", f"the base model is not whole: it lacks {missing}", "Fetch it again, or use another one.")

    @property
    def parameters(self) -> int:
        return sum(map(_count, self.shapes.values()))

    @property
    def largest(self) -> int:
        """Numbers in the largest weight."""
        return max(map(_count, self.shapes.values()))

    def read(self, name: str) -> Tensor:
        """One weight, float32, nobody else's. Raises StepError where the file has it in another shape."""
        weight = self._readers[name]()
        if tuple(weight.shape) != self.shapes[name]:
            raise StepError(
                "model/shape", f"the base model has {name} as {tuple(weight.shape)}, and its configuration says {self.shapes[name]}", "Fetch it again, or use another one."
            )
        return weight

    def load(self, dtype: torch.dtype, below: Lora | None = None, device: torch.device | None = None) -> Any:
        """The model in `dtype` on `device` (default: the CPU), in evaluation mode, `below` merged in. What is loaded to a GPU never lies in the host's memory
        as a whole."""
        if below is not None:
            below.check_names(self.shapes)

        def reader(name: str) -> Callable[[], Tensor]:
            def read() -> Tensor:
                weight = self.read(name)
                if below is not None:
                    below.add(name, weight)
                return weight

            return read

        place = {} if device is None or device.type == "cpu" else {"device_map": {"": device}}
        lazy = {name: _Later(reader(name)) for name in self.shapes}
        model = type(self.skeleton).from_pretrained(None, config=self.config, state_dict=lazy, dtype=dtype, attn_implementation="sdpa", **place)
        model.config.name_or_path = model.name_or_path = ""  # else "None"
        return model.eval()


class _Later:
    """A tensor that transformers' loader reads when its turn comes: it takes slices of safetensors files the same way (core_model_loading.py,
    `_materialize_copy`), and turns them to the precision and the device that it loads to."""

    def __init__(self, read: Callable[[], Tensor]) -> None:
        self._read = read

    def __getitem__(self, _: Any) -> Tensor:
        return self._read()


def _count(shape: tuple[int, ...]) -> int:
    product = 1
    for n in shape:
        product *= n
    return product


def _skeleton(config: Any) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa")


def _of_folder(folder: Path) -> dict[str, Callable[[], Tensor]]:
    from safetensors import SafetensorError, safe_open

    index = folder / "model.safetensors.index.json"
    try:
        files = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values())) if index.is_file() else ["model.safetensors"]
        if any(Path(file).name != file for file in files):
            raise ValueError(f"{index.name} names a file elsewhere")
        opened = [safe_open(folder / file, framework="pt") for file in files]
    except (OSError, ValueError, KeyError, AttributeError, SafetensorError) as e:
        raise StepError("model/missing-weights", f"the weights of the base model in {folder.name} cannot be read: {e}", "Fetch it again, or use another one.") from e

    def reader(file: Any, name: str) -> Callable[[], Tensor]:
        import torch

        return lambda: file.get_tensor(name).to(torch.float32, copy=True)

    return {name: reader(file, name) for file in opened for name in file.keys()}


def _of_gguf(path: Path, skeleton: Any, config: Any) -> dict[str, Callable[[], Tensor]]:
    import gguf
    import numpy as np
    import torch
    from transformers import modeling_gguf_pytorch_utils as files

    reader = gguf.GGUFReader(path)
    architecture = reader.fields["general.architecture"].contents()
    heads = {key: getattr(config, key, None) for key in ("num_attention_heads", "num_key_value_heads")}
    processor = files.TENSOR_PROCESSORS.get(architecture, files.TensorProcessor)(config=heads)
    names = files.get_gguf_hf_weights_map(skeleton, processor)

    def read(tensor: Any) -> Tensor:
        weights = processor.process(weights=_written_out(tensor), name=tensor.name, tensor_key_mapping=names, parsed_parameters={"tensors": {}}).weights
        return torch.from_numpy(np.ascontiguousarray(weights))

    return {names[tensor.name]: (lambda tensor=tensor: read(tensor)) for tensor in reader.tensors if tensor.name in names}


def _written_out(tensor: Any) -> Any:
    """A tensor of a GGUF as float32 of numpy's, in memory of its own."""
    import numpy as np
    from gguf import dequantize

    shape = tuple(int(n) for n in reversed(tensor.shape))
    if len(shape) < 2:
        return np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
    out = np.empty(shape, dtype=np.float32)
    rows = max(1, _AT_ONCE // shape[-1])
    for at in range(0, shape[0], rows):  # A block of a quantization never goes over the end of a row.
        out[at : at + rows] = dequantize(tensor.data[at : at + rows], tensor.tensor_type)
    return out
