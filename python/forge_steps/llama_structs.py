"""The structs of llama.cpp's C API that forge passes by value, and the defaults that the release's sources give them.

Source: llama.cpp v0.5.0, include/llama.h, ggml/include/ggml.h; defaults from src/llama-model.cpp,
src/llama-context.cpp, src/llama-quant.cpp. `llama_cpp` refuses a library whose defaults read otherwise.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_bool, c_char, c_char_p, c_double, c_float, c_int8, c_int32, c_int64, c_size_t, c_uint32, c_void_p

#: Formats that a model is exported in: our name -> `enum llama_ftype`. Left out of what the quantizer knows: what only models that were
#: trained for it survive (tq1_0, tq2_0, q1_0, q2_0: ternary and binary weights; mxfp4, nvfp4: experts), and below two bits (iq1_s, iq1_m).
#: `FORMATS` of src/models/formats.ts has the same names; a test compares them.
FTYPES = {
    "f32": 0, "f16": 1, "bf16": 32,
    "q8_0": 7, "q6_k": 18, "q5_k_m": 17, "q5_k_s": 16, "q5_1": 9, "q5_0": 8, "q4_k_m": 15, "q4_k_s": 14, "q4_1": 3, "q4_0": 2,
    "q3_k_l": 13, "q3_k_m": 12, "q3_k_s": 11, "q2_k": 10, "q2_k_s": 21,
    "iq4_nl": 25, "iq4_xs": 30, "iq3_m": 27, "iq3_s": 26, "iq3_xs": 22, "iq3_xxs": 23, "iq2_m": 29, "iq2_s": 28, "iq2_xs": 20, "iq2_xxs": 19,
}  # fmt: skip
#: Formats with tensors that the quantizer refuses to round without an importance matrix (`tensor_requires_imatrix` in src/llama-quant.cpp).
NEED_MATRIX = frozenset({"q2_k_s", "iq3_xxs", "iq3_xs", "iq2_m", "iq2_s", "iq2_xs", "iq2_xxs"})
#: Formats that no importance matrix changes: what rounds each weight to the nearest, or not at all (`quant_weights` unused in ggml-quants.c).
IGNORE_MATRIX = frozenset({"f32", "f16", "bf16", "q8_0"})

_GGML_TYPE_COUNT = 43
_GGML_TYPE_F16 = 1
_QUANTIZE_BUFFER_BYTES = 8 << 30


class ModelParams(ctypes.Structure):
    """`struct llama_model_params`."""

    _fields_ = [
        ("devices", c_void_p),
        ("tensor_buft_overrides", c_void_p),
        ("n_gpu_layers", c_int32),
        ("split_mode", c_int32),
        ("load_mode", c_int32),
        ("lazy_mode", c_int32),
        ("main_gpu", c_int32),
        ("tensor_split", c_void_p),
        ("progress_callback", c_void_p),
        ("progress_callback_user_data", c_void_p),
        ("kv_overrides", c_void_p),
        ("vocab_only", c_bool),
        ("check_tensors", c_bool),
        ("use_extra_bufts", c_bool),
        ("no_host", c_bool),
        ("no_alloc", c_bool),
        ("load_mtp", c_bool),
    ]


class ContextParams(ctypes.Structure):
    """`struct llama_context_params`."""

    _fields_ = [
        ("n_ctx", c_uint32),
        ("n_batch", c_uint32),
        ("n_ubatch", c_uint32),
        ("n_seq_max", c_uint32),
        ("n_rs_seq", c_uint32),
        ("n_outputs_max", c_uint32),
        ("n_outputs_max_per_seq", c_uint32),
        ("n_threads", c_int32),
        ("n_threads_batch", c_int32),
        ("ctx_type", c_int32),
        ("rope_scaling_type", c_int32),
        ("pooling_type", c_int32),
        ("attention_type", c_int32),
        ("flash_attn_type", c_int32),
        ("rope_freq_base", c_float),
        ("rope_freq_scale", c_float),
        ("yarn_ext_factor", c_float),
        ("yarn_attn_factor", c_float),
        ("yarn_beta_fast", c_float),
        ("yarn_beta_slow", c_float),
        ("yarn_orig_ctx", c_uint32),
        ("defrag_thold", c_float),
        ("cb_eval", c_void_p),
        ("cb_eval_user_data", c_void_p),
        ("type_k", c_int32),
        ("type_v", c_int32),
        ("abort_callback", c_void_p),
        ("abort_callback_data", c_void_p),
        ("embeddings", c_bool),
        ("offload_kqv", c_bool),
        ("no_perf", c_bool),
        ("op_offload", c_bool),
        ("swa_full", c_bool),
        ("kv_unified", c_bool),
        ("samplers", c_void_p),
        ("n_samplers", c_size_t),
        ("ctx_other", c_void_p),
    ]


class ImatrixData(ctypes.Structure):
    """`struct llama_model_imatrix_data`: mean squares of what a tensor is multiplied with, by column. A null name ends the list."""

    _fields_ = [("name", c_char_p), ("data", POINTER(c_float)), ("size", c_size_t)]


class _Value(ctypes.Union):
    _fields_ = [("val_i64", c_int64), ("val_f64", c_double), ("val_bool", c_bool), ("val_str", c_char * 128)]


class KeyOverride(ctypes.Structure):
    """`struct llama_model_kv_override`. An empty key ends the list."""

    _anonymous_ = ("value",)
    _fields_ = [("tag", c_int32), ("key", c_char * 128), ("value", _Value)]


#: `enum llama_model_kv_override_type`.
OVERRIDE_INT, OVERRIDE_STRING = 0, 3


class Tensor(ctypes.Structure):
    """`struct ggml_tensor` (ggml/include/ggml.h); its size is checked against `ggml_tensor_overhead`."""


Tensor._fields_ = [
    ("type", c_int32),
    ("buffer", c_void_p),
    ("ne", c_int64 * 4),
    ("nb", c_size_t * 4),
    ("op", c_int32),
    ("op_params", c_int32 * 16),
    ("flags", c_int32),
    ("src", POINTER(Tensor) * 10),
    ("view_src", c_void_p),
    ("view_offs", c_size_t),
    ("data", c_void_p),
    ("name", c_char * 64),
    ("extra", c_void_p),
    ("padding", c_char * 8),
]
#: `sizeof(struct ggml_object)`, which `ggml_tensor_overhead` has before the tensor.
OBJECT_BYTES = 32


class QuantizeParams(ctypes.Structure):
    """`struct llama_model_quantize_params`."""

    _fields_ = [
        ("nthread", c_int32),
        ("ftype", c_int32),
        ("output_tensor_type", c_int32),
        ("token_embedding_type", c_int32),
        ("allow_requantize", c_bool),
        ("quantize_output_tensor", c_bool),
        ("only_copy", c_bool),
        ("pure", c_bool),
        ("keep_split", c_bool),
        ("dry_run", c_bool),
        ("imatrix", POINTER(ImatrixData)),
        ("kv_overrides", POINTER(KeyOverride)),
        ("tt_overrides", c_void_p),
        ("prune_layers", c_void_p),
        ("max_buf_size", c_size_t),
    ]


class Batch(ctypes.Structure):
    """`struct llama_batch`."""

    _fields_ = [
        ("n_tokens", c_int32),
        ("token", POINTER(c_int32)),
        ("embd", POINTER(c_float)),
        ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)),
        ("seq_id", POINTER(POINTER(c_int32))),
        ("logits", POINTER(c_int8)),
    ]


# What the release's own sources set; the remaining members are zero, false or null. A value that is read at a wrong
# offset shows up here: the tables reach from the first member to the last of each struct.
MODEL_DEFAULTS = {"n_gpu_layers": -1, "split_mode": 1, "load_mode": -1, "lazy_mode": 1, "use_extra_bufts": True}
CONTEXT_DEFAULTS = {
    "n_ctx": 512,
    "n_batch": 2048,
    "n_ubatch": 512,
    "n_seq_max": 1,
    "n_outputs_max_per_seq": 1,
    "n_threads": 4,
    "n_threads_batch": 4,
    "rope_scaling_type": -1,
    "pooling_type": -1,
    "attention_type": -1,
    "flash_attn_type": -1,
    "yarn_ext_factor": -1.0,
    "yarn_attn_factor": -1.0,
    "yarn_beta_fast": -1.0,
    "yarn_beta_slow": -1.0,
    "defrag_thold": -1.0,
    "type_k": _GGML_TYPE_F16,
    "type_v": _GGML_TYPE_F16,
    "offload_kqv": True,
    "no_perf": True,
    "op_offload": True,
    "swa_full": True,
}
QUANTIZE_DEFAULTS = {
    "ftype": FTYPES["q8_0"],
    "output_tensor_type": _GGML_TYPE_COUNT,
    "token_embedding_type": _GGML_TYPE_COUNT,
    "quantize_output_tensor": True,
    "max_buf_size": _QUANTIZE_BUFFER_BYTES,
}
