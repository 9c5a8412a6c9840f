"""llama.cpp's C API through ctypes: the few calls that export needs, on the very library that will run the model.

The shared libraries come inside the npm package of node-llama-cpp, so nothing is compiled. Their structs change from
release to release and nothing in a library tells its layout; what this module guarantees is that a library is used
only when it is exactly the release whose `include/llama.h` the structs of `llama_structs` were written from (`RELEASE`), and its
default parameters, read through these structs, are the ones which that release's sources set. Anything else is a
`StepError`, never a wild pointer. A crash inside llama.cpp ends the step's process, which the parent reports.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ctypes import POINTER, byref, c_bool, c_char_p, c_float, c_int32, c_size_t, c_uint32, c_void_p
from pathlib import Path
from typing import TYPE_CHECKING

from forge_steps.llama_structs import (
    CONTEXT_DEFAULTS,
    FTYPES,
    MODEL_DEFAULTS,
    OBJECT_BYTES,
    OVERRIDE_INT,
    OVERRIDE_STRING,
    QUANTIZE_DEFAULTS,
    Batch,
    ContextParams,
    ImatrixData,
    KeyOverride,
    ModelParams,
    QuantizeParams,
    Tensor,
)
from forge_steps.protocol import StepError

if TYPE_CHECKING:
    import numpy as np

#: The llama.cpp release that this module was written for, as the library's file name says it.
RELEASE = "0.5.0"
#: What `llama_version()` may answer: node-llama-cpp builds from an untagged commit, which llama.cpp calls "-dev".
_VERSIONS = (RELEASE, f"{RELEASE}-dev")

_WRONG_LIBRARY_HINT = "Install the release of node-llama-cpp that mcp-forge's package.json names (npm ci)."

_LogCallback = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)
_LEVEL_WARN, _LEVEL_ERROR = 3, 4  # enum ggml_log_level
#: What the quantizer says of a tensor whose rows do not fit the blocks of the format (`tensor_type_fallback` in src/llama-quant.cpp).
_FALLBACK = "not divisible by"
_EvalCallback = ctypes.CFUNCTYPE(c_bool, POINTER(Tensor), c_bool, c_void_p)


class Library:
    """The loaded library. `folder`: where libllama, libggml and the CPU backends lie, side by side."""

    def __init__(self, folder: Path) -> None:
        #: Warnings and errors that llama.cpp logged, newest last: what a failure is explained with.
        self.complaints: list[str] = []
        self._fallbacks = 0
        llama_path, ggml_path = _find(folder, "llama"), _find(folder, "ggml")
        try:
            self._ggml = ctypes.CDLL(str(ggml_path), mode=ctypes.RTLD_GLOBAL)
            self._lib = ctypes.CDLL(str(llama_path))
        except OSError as e:
            raise StepError("export/llama-cpp-library", f"llama.cpp's library cannot be loaded: {e}", _WRONG_LIBRARY_HINT) from e
        self._declare()
        version = (self._lib.llama_version() or b"").decode("ascii", "replace")
        if version not in _VERSIONS:
            raise StepError(
                "export/llama-cpp-release",
                f"llama.cpp's library in {folder} is release {version}; this version of mcp-forge knows {RELEASE} only",
                _WRONG_LIBRARY_HINT,
            )
        self._check_layout()
        self._callback = _LogCallback(self._log)  # kept: the library holds only the pointer
        self._lib.llama_log_set(self._callback, None)
        self._ggml.ggml_backend_load_all_from_path(os.fsencode(folder))
        self._lib.llama_backend_init()

    def _declare(self) -> None:
        lib = self._lib

        def declare(name: str, result: object, *arguments: object) -> None:
            try:
                function = getattr(lib, name)
            except AttributeError as e:
                raise StepError("export/llama-cpp-release", f"llama.cpp's library has no `{name}`", _WRONG_LIBRARY_HINT) from e
            function.restype, function.argtypes = result, list(arguments)

        declare("llama_version", c_char_p)
        declare("llama_log_set", None, _LogCallback, c_void_p)
        declare("llama_backend_init", None)
        declare("llama_model_default_params", ModelParams)
        declare("llama_context_default_params", ContextParams)
        declare("llama_model_quantize_default_params", QuantizeParams)
        declare("llama_model_quantize", c_uint32, c_char_p, c_char_p, POINTER(QuantizeParams))
        declare("llama_model_load_from_file", c_void_p, c_char_p, ModelParams)
        declare("llama_model_free", None, c_void_p)
        declare("llama_model_get_vocab", c_void_p, c_void_p)
        declare("llama_model_chat_template", c_char_p, c_void_p, c_char_p)
        declare("llama_vocab_n_tokens", c_int32, c_void_p)
        declare("llama_vocab_is_eog", c_bool, c_void_p, c_int32)
        declare("llama_tokenize", c_int32, c_void_p, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool)
        declare("llama_init_from_model", c_void_p, c_void_p, ContextParams)
        declare("llama_free", None, c_void_p)
        declare("llama_get_memory", c_void_p, c_void_p)
        declare("llama_memory_seq_rm", c_bool, c_void_p, c_int32, c_int32, c_int32)
        declare("llama_batch_init", Batch, c_int32, c_int32, c_int32)
        declare("llama_batch_free", None, Batch)
        declare("llama_decode", c_int32, c_void_p, Batch)
        declare("llama_get_logits", POINTER(c_float), c_void_p)
        declare("llama_adapter_lora_init", c_void_p, c_void_p, c_char_p)
        declare("llama_adapter_lora_free", None, c_void_p)
        declare("llama_set_adapters_lora", c_int32, c_void_p, POINTER(c_void_p), c_size_t, POINTER(c_float))
        self._ggml.ggml_backend_load_all_from_path.restype = None
        self._ggml.ggml_backend_load_all_from_path.argtypes = [c_char_p]
        self._ggml.ggml_tensor_overhead.restype = c_size_t
        self._ggml.ggml_op_name.restype, self._ggml.ggml_op_name.argtypes = c_char_p, [c_int32]
        self._ggml.ggml_backend_buffer_is_host.restype, self._ggml.ggml_backend_buffer_is_host.argtypes = c_bool, [c_void_p]

    def _check_layout(self) -> None:
        for name, struct, expected in (
            ("llama_model_params", self._lib.llama_model_default_params(), MODEL_DEFAULTS),
            ("llama_context_params", self._lib.llama_context_default_params(), CONTEXT_DEFAULTS),
            ("llama_model_quantize_params", self._lib.llama_model_quantize_default_params(), QUANTIZE_DEFAULTS),
        ):
            for field, *_ in struct._fields_:
                value, wanted = getattr(struct, field), expected.get(field)
                if (value or None) != (wanted or None):
                    raise StepError(
                        "export/llama-cpp-layout",
                        f"llama.cpp's library lays out {name} differently: {field} is {value!r} where {wanted!r} was expected",
                        _WRONG_LIBRARY_HINT,
                    )

    def tensor_layout_is_known(self) -> bool:
        """Whether tensors of this library may be read through `llama_structs.Tensor`."""
        return int(self._ggml.ggml_tensor_overhead()) == OBJECT_BYTES + ctypes.sizeof(Tensor)

    def operation(self, tensor: Tensor) -> str:
        """The name of what computes a tensor: `MUL_MAT`."""
        return (self._ggml.ggml_op_name(tensor.op) or b"").decode("ascii", "replace")

    def in_memory(self, tensor: Tensor) -> bool:
        """Whether a tensor's data can be read by its address."""
        return bool(tensor.data) and bool(tensor.buffer) and bool(self._ggml.ggml_backend_buffer_is_host(tensor.buffer))

    def _log(self, level: int, text: bytes | None, _data: object) -> None:
        if level in (_LEVEL_WARN, _LEVEL_ERROR) and text:
            said = text.decode("utf-8", "replace")
            if _FALLBACK in said:
                self._fallbacks += 1
            if _FALLBACK in said or "fallback" in said or "falling back" in said or not said.strip(" \n=."):
                return  # counted; no reason for a failure
            self.complaints.append(text.decode("utf-8", "replace").strip())
            del self.complaints[:-20]

    def _because(self) -> str:
        return f": {self.complaints[-1]}" if self.complaints else ""

    def quantize(self, source: Path, target: Path, format: str, threads: int, matrix: Mapping[str, np.ndarray] | None = None, notes: Mapping[str, str | int] | None = None) -> int:
        """Writes `target` in `format` (a key of `FTYPES`) from an f16 or f32 GGUF. Tensors whose rows do not fit a
        K-quant's blocks of 256 fall back to a format that fits, inside llama.cpp; returns how many did.

        `matrix`: mean squares of the activations by tensor, float32 (`imatrix`). `notes`: keys that the file says beside those of `source`, texts of
        fewer than 128 bytes or whole numbers of 32 bits."""
        params = self._lib.llama_model_quantize_default_params()
        params.ftype, params.nthread = FTYPES[format], threads
        held = []  # what llama.cpp reads by its address
        if matrix is not None:
            rows = (ImatrixData * (len(matrix) + 1))()
            for row, (name, values) in zip(rows, matrix.items()):
                held.append(values)
                row.name, row.size, row.data = name.encode(), values.size, values.ctypes.data_as(POINTER(c_float))
            params.imatrix = rows
        if notes:
            keys = (KeyOverride * (len(notes) + 1))()
            for key, (name, value) in zip(keys, notes.items()):
                key.key = name.encode()
                if isinstance(value, int):
                    key.tag, key.val_i64 = OVERRIDE_INT, value
                else:
                    key.tag, key.val_str = OVERRIDE_STRING, value.encode()
            params.kv_overrides = keys
        self._fallbacks = 0
        if self._lib.llama_model_quantize(os.fsencode(source), os.fsencode(target), byref(params)) != 0:
            raise StepError(
                "export/quantize",
                f"llama.cpp could not quantize the model to {format}{self._because()}",
                "Where it says that the file cannot be read, the f16 file is damaged: make it again (--force export:f16). Where the disk is full, free some space.",
            )
        return self._fallbacks

    @contextmanager
    def model(self, path: Path, vocab_only: bool = False) -> Iterator[Model]:
        """Loads a GGUF for the CPU; frees it at the end of the block."""
        params = self._lib.llama_model_default_params()
        params.vocab_only, params.n_gpu_layers = vocab_only, 0
        handle = self._lib.llama_model_load_from_file(os.fsencode(path), params)
        if not handle:
            raise StepError("export/load", f"llama.cpp cannot load {path.name}{self._because()}")
        try:
            yield Model(self, handle)
        finally:
            self._lib.llama_model_free(handle)


class Model:
    """A loaded model; made by `Library.model`."""

    def __init__(self, library: Library, handle: int) -> None:
        self._library = library
        self._lib = library._lib
        self._handle = handle
        self._vocab = self._lib.llama_model_get_vocab(handle)
        self.vocabulary: int = self._lib.llama_vocab_n_tokens(self._vocab)

    def tokenize(self, text: str, add_special: bool = False) -> list[int]:
        """Token ids of `text` with the special tokens in it read as such; `add_special`: as a runtime does that lets
        the file decide about BOS and EOS."""
        data = text.encode("utf-8")
        room = len(data) + 8  # never more tokens than bytes, plus BOS and EOS
        ids = (c_int32 * room)()
        count = self._lib.llama_tokenize(self._vocab, data, len(data), ids, room, add_special, True)
        if count < 0:
            raise StepError("export/tokenize", "llama.cpp could not tokenize a sample")
        return ids[:count]

    def chat_template(self) -> str | None:
        """The file's default chat template."""
        text = self._lib.llama_model_chat_template(self._handle, None)
        return None if text is None else text.decode("utf-8", "replace")

    def ends_generation(self, token: int) -> bool:
        """True when the file makes a runtime stop at this token by itself."""
        return bool(self._lib.llama_vocab_is_eog(self._vocab, token))

    @contextmanager
    def context(
        self, tokens: int, batch: int, threads: int, adapter: Path | None = None, watch: Callable[[Tensor, bool], bool] | None = None
    ) -> Iterator[Context]:
        """A context of one sequence with room for `tokens`; at most `batch` tokens are evaluated at once.

        `adapter`: a LoRA adapter as a GGUF, applied in full. `watch(tensor, asked)` is called for each tensor of the graph, first with `asked`,
        whether its value is wanted, then with the value; it may not raise."""
        params = self._lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = tokens, batch, batch
        params.n_outputs_max, params.n_outputs_max_per_seq = batch, batch
        params.n_threads = params.n_threads_batch = threads
        callback = None if watch is None else _EvalCallback(lambda tensor, asked, _data: watch(tensor.contents, asked))  # kept while the context is
        if callback is not None:
            params.cb_eval = ctypes.cast(callback, c_void_p)
            params.flash_attn_type = 0  # its sums may depend on the number of threads
        handle = self._lib.llama_init_from_model(self._handle, params)
        if not handle:
            raise StepError("export/load", f"llama.cpp cannot make a context of {tokens} tokens{self._library._because()}")
        lora = None
        try:
            if adapter is not None:
                lora = self._lib.llama_adapter_lora_init(self._handle, os.fsencode(adapter))
                if not lora:
                    raise StepError("export/load", f"llama.cpp cannot load the adapter {adapter.name}{self._library._because()}")
                if self._lib.llama_set_adapters_lora(handle, byref(c_void_p(lora)), 1, byref(c_float(1.0))) != 0:
                    raise StepError("export/load", f"llama.cpp cannot apply the adapter {adapter.name}{self._library._because()}")
            yield Context(self, handle, batch)
        finally:
            self._lib.llama_free(handle)
            if lora:
                self._lib.llama_adapter_lora_free(lora)


class Context:
    """One sequence's cache and the evaluation of tokens after it; made by `Model.context`."""

    def __init__(self, model: Model, handle: int, batch: int) -> None:
        self._model = model
        self._lib = model._lib
        self._handle = handle
        self._batch = batch
        self._memory = self._lib.llama_get_memory(handle)

    def logits(self, tokens: Sequence[int], start: int, keep: int) -> np.ndarray:
        """Evaluates `tokens` at positions `start`…, after what the cache holds, and returns a copy of the logits of the
        last `keep` of them, float32 [keep, vocabulary]."""
        import numpy as np

        out = np.empty((keep, self._model.vocabulary), np.float32)
        first, filled = len(tokens) - keep, 0
        batch = self._lib.llama_batch_init(self._batch, 0, 1)
        try:
            for at in range(0, len(tokens), self._batch):
                piece = tokens[at : at + self._batch]
                batch.n_tokens, wanted = len(piece), 0
                for i, token in enumerate(piece):
                    batch.token[i], batch.pos[i] = token, start + at + i
                    batch.n_seq_id[i], batch.seq_id[i][0] = 1, 0
                    batch.logits[i] = int(at + i >= first)
                    wanted += batch.logits[i]
                status = self._lib.llama_decode(self._handle, batch)
                if status != 0:
                    raise StepError("export/decode", f"llama.cpp failed to evaluate the model (status {status}){self._model._library._because()}")
                if wanted:
                    # One row for each token that asked for it, in order; valid until the next llama_decode.
                    rows = np.ctypeslib.as_array(self._lib.llama_get_logits(self._handle), (wanted, self._model.vocabulary))
                    out[filled : filled + wanted] = rows
                    filled += wanted
        finally:
            self._lib.llama_batch_free(batch)
        return out

    def forget(self, start: int) -> None:
        """Drops positions `start`… from the cache."""
        if not self._lib.llama_memory_seq_rm(self._memory, 0, start, -1):
            raise StepError("export/decode", "llama.cpp cannot drop a part of this model's cache")


def _find(folder: Path, name: str) -> Path:
    """The library file `name` of the folder: `libllama.v0.5.0.so`, `libllama.dylib`, `llama.dll`."""
    for pattern in (f"lib{name}.v{RELEASE}.*", f"lib{name}.so", f"lib{name}.dylib", f"{name}.dll", f"lib{name}.v*.*", f"{name}.v*.dll"):
        found = sorted(folder.glob(pattern))
        if found:
            return found[0]
    raise StepError("export/llama-cpp-library", f"no llama.cpp library (lib{name}) in {folder}", _WRONG_LIBRARY_HINT)
