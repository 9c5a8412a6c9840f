"""From a folder in the hub's form to a GGUF, by llama.cpp's own converter.

The converter is Python source of llama.cpp (`conversion/`, `gguf-py/`; MIT). It comes from the sources that
node-llama-cpp carries beside its binaries, so it is of the very release that will run the model, and nothing is
downloaded. A checkout that the user names wins. Guarantees: the bytes of the GGUF depend on the folder's content and
the metadata alone; a converter in the cache is whole (renamed into place when complete).
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from forge_steps.git_bundle import BundleError, read_tree
from forge_steps.new_tokens import MATRICES, Grown
from forge_steps.protocol import Spec, StepError
from forge_steps.tokenizer import BEGUN_BY_TEMPLATE

#: The commit in node-llama-cpp 3.22.1's gitRelease.bundle: llama.cpp v0.5.0, its history cut off.
COMMIT = "de3ff815ea7d559ee917f063901b8986f038abc6"
PATHS = ("convert_hf_to_gguf.py", "convert_lora_to_gguf.py", "conversion", "gguf-py", "LICENSE")

#: Whatever has this in its name llama.cpp takes for a Phi-3 with SentencePiece's control tokens, and cannot load without them (src/llama-vocab.cpp,
#: release v0.5.0).
_PHI_3 = re.compile(r"(phi)-?3", re.IGNORECASE)

_METADATA_KEY = re.compile(r"(general|mcp_forge)(\.[a-z0-9_]+)+\Z")


def find_converter(spec: Spec) -> Path:
    """The folder that holds `conversion/` and `gguf-py/`. `spec` is `{checkout: folder}` or `{bundle: file, cache: folder}`."""
    if spec.has("checkout"):
        checkout = spec.path("checkout")
        if not (checkout / "conversion" / "base.py").is_file() or not (checkout / "gguf-py" / "gguf").is_dir():
            raise StepError(
                "export/converter",
                f"{checkout} is no checkout of llama.cpp with its converter (conversion/, gguf-py/)",
                "Correct MCP_FORGE_LLAMA_CPP, or unset it to use the converter that comes with forge.",
            )
        return checkout
    target = spec.path("cache") / COMMIT
    if target.is_dir():
        if all((target / path).exists() for path in PATHS):
            return target
        shutil.rmtree(target, ignore_errors=True)  # of a version of forge that took fewer of the files
    bundle = spec.path("bundle")
    try:
        files = read_tree(bundle, COMMIT, PATHS)
    except (OSError, BundleError) as e:
        raise StepError(
            "export/converter",
            f"llama.cpp's sources cannot be read from node-llama-cpp: {e}",
            "Install the release of node-llama-cpp that mcp-forge's package.json names (npm ci), or name a checkout of llama.cpp in MCP_FORGE_LLAMA_CPP.",
        ) from e
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{COMMIT}.", dir=target.parent))
    try:
        for path, content in files.items():
            file = part / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        part.chmod(0o755)
        try:
            part.rename(target)
        except OSError:
            if not target.is_dir():  # else another process was first, with the same files
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def use_converter(folder: Path) -> None:
    """Makes `import conversion` and `import gguf` find the converter's own. Call it before anything imports gguf; again it changes nothing."""
    if str(folder) in sys.path:
        return
    if "gguf" in sys.modules:
        raise AssertionError("gguf was imported before use_converter")
    sys.dont_write_bytecode = True  # A checkout is the user's: nothing is written there.
    sys.path[:0] = [str(folder), str(folder / "gguf-py")]


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Raises StepError unless every key is `general.…` or `mcp_forge.…` and every value one that a GGUF can hold:
    text, number, true or false, or a list of texts."""
    for key, value in metadata.items():
        plain = isinstance(value, (str, int, float, bool)) or (isinstance(value, list) and value and all(isinstance(v, str) for v in value))
        if not _METADATA_KEY.match(key) or not plain:
            raise StepError("step/spec", f"the spec's `metadata` holds `{key}`, which a GGUF cannot carry")


def convert(
    folder: Path,
    target: Path,
    metadata: Mapping[str, Any],
    pre_tokenizer: str | None,
    weights: Literal["f16", "bf16"] = "f16",
    pieces: Path | None = None,
    in_f32: Collection[str] = (),
    grown: Grown | None = None,
) -> None:
    """Writes `folder` as a GGUF to `target`, its matrices as `weights` (norms as float32, as llama.cpp does).

    `metadata`: keys of the file beside those that the converter writes. `pre_tokenizer`: the base's own
    `tokenizer.ggml.pre`; None lets the converter guess from its table of known tokenizers. `pieces`: a GGUF whose vocabulary, where it is SentencePiece's,
    is the file's too; else the folder has that as tokenizer.model. `in_f32`: matrices, by their names in the folder, that are written as float32.
    `grown`: what `folder` is, where tokens were added to its vocabulary: their rows are added here.
    """
    import torch

    try:
        import gguf
    except ImportError as e:
        raise StepError("export/converter", f"llama.cpp's converter cannot be loaded: {e}", "Use the release of llama.cpp that mcp-forge names.") from e
    logging.basicConfig(level=logging.WARNING)
    if isinstance(name := metadata.get("general.name"), str):
        metadata = {**metadata, "general.name": _PHI_3.sub(r"\1 3", name)}
    base_class = architecture_class(folder)
    if grown is not None:
        from conversion import LazyTorchTensor

    class Exported(base_class):  # type: ignore[misc, valid-type]
        model_arch = base_class.model_arch

        def get_vocab_base_pre(self, tokenizer: Any) -> str:
            return pre_tokenizer or super().get_vocab_base_pre(tokenizer)

        def get_tensors(self) -> Iterator[tuple[str, Any]]:
            for name, tensor in super().get_tensors():
                if grown is not None and name in MATRICES:
                    tensor = LazyTorchTensor.from_eager(grown.weight(name, LazyTorchTensor.to_eager(tensor)))
                yield name, tensor

        def tensor_force_quant(self, name: str, new_name: str, bid: int | None, n_dims: int) -> Any:
            return gguf.GGMLQuantizationType.F32 if name in in_f32 else super().tensor_force_quant(name, new_name, bid, n_dims)

        def set_vocab(self) -> None:
            if self.model_arch == gguf.MODEL_ARCH.GEMMA3 and pieces is not None:
                return self._take_pieces(pieces)
            if pre_tokenizer is None or self.model_arch not in (gguf.MODEL_ARCH.PHI3, gguf.MODEL_ARCH.GLM4):
                return super().set_vocab()
            # Of a Phi-3 the converter looks for SentencePiece unless the tokenizer has GPT-2's name, and for a GLM-4 it lets transformers run
            # code that the tokenizer names. Both are byte-level BPE.
            self._set_vocab_gpt2()
            if self.model_arch == gguf.MODEL_ARCH.GLM4:
                self._name_ends()

        def _take_pieces(self, path: Path) -> None:
            """A folder of transformers' has no scores."""
            fields = gguf.GGUFReader(path).fields
            tokens, scores, types = (fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "scores", "token_type"))
            self.gguf_writer.add_tokenizer_model("llama")
            self.gguf_writer.add_tokenizer_pre("default")
            self.gguf_writer.add_token_list(tokens)
            self.gguf_writer.add_token_scores(scores)
            self.gguf_writer.add_token_types(types)
            self.gguf_writer.add_add_space_prefix(False)
            gguf.SpecialVocab(folder, n_vocab=len(tokens)).add_to_gguf(self.gguf_writer)

        def _name_ends(self) -> None:
            """A GLM-4 ends its answer by beginning the user's turn. Where a file names no end, llama.cpp takes a token of its own for one."""
            with (folder / "tokenizer.json").open(encoding="utf-8") as file:
                ids = {token["content"]: int(token["id"]) for token in json.load(file)["added_tokens"]}
            for key, text in (("eos", "<|endoftext|>"), ("eot", "<|user|>")):
                self.gguf_writer.kv_data[0].pop(f"tokenizer.ggml.{key}_token_id", None)
                if text in ids:
                    self.gguf_writer.add_uint32(f"tokenizer.ggml.{key}_token_id", ids[text])

        def prepare_metadata(self, vocab_only: bool) -> None:
            super().prepare_metadata(vocab_only)
            if pre_tokenizer in BEGUN_BY_TEMPLATE:
                self.gguf_writer.kv_data[0].pop("tokenizer.ggml.add_bos_token", None)
                self.gguf_writer.add_add_bos_token(False)
            add_metadata(self.gguf_writer, metadata)

    # Where this file says nothing of the model's name and kin, the converter guesses from the folder's.
    general = folder / "general.json"
    general.write_text(json.dumps({k: v for k, v in metadata.items() if k.startswith("general.")}), "utf-8")
    file_type = {"f16": gguf.LlamaFileType.MOSTLY_F16, "bf16": gguf.LlamaFileType.MOSTLY_BF16}[weights]
    with torch.inference_mode():
        Exported(folder, file_type, target, metadata_override=general, model_name=metadata.get("general.name")).write()


def architecture_class(folder: Path) -> Any:
    """The class of llama.cpp's converter for the model whose config.json is in `folder`; StepError where there is none."""
    try:
        from conversion import ModelBase, ModelType, get_model_architecture, get_model_class
    except ImportError as e:
        raise StepError("export/converter", f"llama.cpp's converter cannot be loaded: {e}", "Use the release of llama.cpp that mcp-forge names.") from e
    architecture = get_model_architecture(ModelBase.load_hparams(folder, False), ModelType.TEXT)
    try:
        return get_model_class(architecture, mmproj=False)
    except NotImplementedError as e:
        raise StepError(
            "export/architecture",
            f"llama.cpp's converter does not know the architecture {architecture}",
            "Name a newer checkout of llama.cpp in MCP_FORGE_LLAMA_CPP, or choose another base model (docs/models.md lists what can be one).",
        ) from e


def add_metadata(writer: Any, metadata: Mapping[str, Any]) -> None:
    """Adds what of `metadata` the converter has not taken itself (from general.json)."""
    for key, value in sorted(metadata.items()):
        if key not in writer.kv_data[0]:
            _add(writer, key, value)


def _add(writer: Any, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_int64(key, value)
    elif isinstance(value, float):
        writer.add_float64(key, value)
    elif isinstance(value, list):
        writer.add_array(key, value)
    else:
        writer.add_string(key, value)
