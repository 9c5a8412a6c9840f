"""Rows of a vocabulary that are trained beside the adapter: those of tokens that were added to it (new_tokens.py), which nothing has taught yet.

Parameters, names and what is saved are PEFT's (`trainable_token_indices` of a LoraConfig, tuners/trainable_tokens, release 0.21): a matrix of the tokens' own
rows, one that embedding and head share where the model ties them, else one for each. PEFT computes with a copy of the whole matrix for each call, and
its backward pass with a gradient of that size; here (`make_lean`) the layers compute as ever, and what the rows say is put in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from forge_steps.protocol import StepError

if TYPE_CHECKING:
    from torch import Tensor

#: How PEFT calls the rows in an adapter's file, after the module's name.
_SAVED = ".token_adapter.trainable_tokens_delta"
#: Of transformers' models, all that forge trains.
_EMBEDDING, _HEAD = "embed_tokens", "lm_head"

Rows = tuple[tuple[int, ...], "Tensor"]


def trainable_rows(model: Any, ids: Sequence[int]) -> dict[str, Any]:
    """What a LoraConfig of this model says, so that the rows of these tokens are trained; nothing where there are none."""
    if not ids:
        return {}
    return {"trainable_token_indices": list(ids) if model.config.tie_word_embeddings else {_EMBEDDING: list(ids), _HEAD: list(ids)}}


def make_lean(model: Any) -> int:
    """Gives the layers of a PEFT model that have such rows their forward without copies; returns how many there are."""
    from peft.utils.other import TrainableTokensWrapper

    found = [module for module in model.modules() if isinstance(module, TrainableTokensWrapper)]
    for module in found:
        module.forward = _forward(module.token_adapter)
    return len(found)


def _forward(adapter: Any) -> Any:
    import torch
    from torch.nn import functional

    [name] = adapter.token_indices
    layer, rows = adapter.base_layer, adapter.trainable_tokens_delta[name]
    places = torch.tensor(adapter.token_indices[name], device=layer.weight.device)

    def embed(ids: Tensor) -> Tensor:
        here = ids.unsqueeze(-1) == places
        # A row, or zero: sums of one number are exact.
        return torch.where(here.any(-1, keepdim=True), here.to(rows.dtype) @ rows, layer(ids))

    def predict(hidden: Tensor) -> Tensor:
        # In place: nothing that computed the logits keeps them.
        return layer(hidden).index_copy_(-1, places, functional.linear(hidden, rows))

    return embed if isinstance(layer, torch.nn.Embedding) else predict


def rows_of(matrices: Mapping[str, Tensor], config: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Rows]]:
    """An adapter's matrices without its rows; and those, float32, with the tokens' ids, by the name of the weight whose rows they are. Raises StepError where
    file and configuration do not agree."""
    said = config.get("trainable_token_indices") or {}
    ids = said if isinstance(said, dict) else {_EMBEDDING: said}
    rest, found = dict(matrices), {}
    for name in [name for name in matrices if name.endswith(_SAVED)]:
        module = name.removeprefix("base_model.model.").removesuffix(_SAVED)
        found[module] = rest.pop(name).float()
    by_name = {module.rpartition(".")[2]: module for module in found}
    lacking = next((name for name in ids if name not in by_name), None)
    if lacking is not None and not (lacking == _HEAD and _EMBEDDING in by_name and ids.get(_EMBEDDING) == ids[_HEAD]):
        raise StepError("export/adapter", f"the adapter is not whole: it lacks the rows of {lacking}", "Train it again (--force train).")
    rows: dict[str, Rows] = {}
    for name, module in by_name.items():
        places = tuple(ids.get(name, ()))
        if len(places) != len(found[module]) or not all(isinstance(i, int) and i >= 0 for i in places):
            raise StepError("export/adapter", f"the adapter does not say which tokens its rows of {name} are", "Train it again (--force train).")
        rows[f"{module}.weight"] = (places, found[module])
    return rest, rows


def ids_of(config: Mapping[str, Any]) -> list[int]:
    """The tokens whose rows an adapter of this configuration holds."""
    said = config.get("trainable_token_indices") or []
    return sorted({int(i) for places in (said.values() if isinstance(said, dict) else [said]) for i in places})
