"""The parts of export that need no model: reading git bundles, the library's layout, the distance between distributions."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export_support import BUNDLE, libraries
from forge_steps import llama_cpp
from forge_steps.convert import COMMIT, PATHS
from forge_steps.git_bundle import BundleError, read_tree
from forge_steps.protocol import StepError
from forge_steps.verify import CLEAR_MARGIN, Distance, passage, read_rows

# -- git bundles


def entry(kind: int, content: bytes, base: bytes = b"") -> bytes:
    size = len(content)
    header, size = [kind << 4 | size & 15], size >> 4
    while size:
        header[-1] |= 128
        header.append(size & 127)
        size >>= 7
    return bytes(header) + base + zlib.compress(content)


def name_of(kind: bytes, content: bytes) -> bytes:
    return hashlib.sha1(kind + b" %d\0" % len(content) + content).digest()


def bundle(path: Path, entries: list[bytes]) -> Path:
    pack = b"PACK\0\0\0\2" + len(entries).to_bytes(4, "big") + b"".join(entries)
    path.write_bytes(b"# v2 git bundle\n" + b"0" * 40 + b" HEAD\n\n" + pack + hashlib.sha1(pack).digest())
    return path


def commit_with(file_name: bytes, content: bytes, mode: bytes = b"100644") -> tuple[str, list[bytes]]:
    inner = mode + b" " + file_name + b"\0" + name_of(b"blob", content)
    outer = b"40000 top\0" + name_of(b"tree", inner)
    commit = b"tree " + name_of(b"tree", outer).hex().encode() + b"\n\nmessage\n"
    return name_of(b"commit", commit).hex(), [entry(1, commit), entry(2, outer), entry(2, inner), entry(3, content)]


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=3000))
def test_files_come_out_as_they_went_in(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    commit, entries = commit_with(b"file.py", content)
    assert read_tree(bundle(tmp_path_factory.mktemp("b") / "b", entries), commit, ["top"]) == {"top/file.py": content}


def test_deltas_by_offset_and_by_name_are_resolved(tmp_path: Path) -> None:
    base, wanted = b"abcdefghij" * 20, b"abcdefghij" * 10 + b"new"
    delta = bytes([len(base) & 127 | 128, len(base) >> 7, len(wanted), 0x80 | 0x10, 100, 3]) + b"new"
    commit, entries = commit_with(b"file.py", wanted)
    by_name = [*entries[:3], entry(7, delta, name_of(b"blob", base)), entry(3, base)]
    assert read_tree(bundle(tmp_path / "name", by_name), commit, ["top"])["top/file.py"] == wanted
    origin = entry(3, base)
    by_offset = [*entries[:3], origin, entry(6, delta, bytes([len(origin)]))]
    assert len(origin) < 128
    assert read_tree(bundle(tmp_path / "offset", by_offset), commit, ["top"])["top/file.py"] == wanted


@pytest.mark.parametrize("name", [b"..", b"a\\b", b"c:", b""])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: bytes) -> None:
    commit, entries = commit_with(name, b"x")
    with pytest.raises(BundleError):
        read_tree(bundle(tmp_path / "b", entries), commit, ["top"])


def test_links_are_not_taken(tmp_path: Path) -> None:
    commit, entries = commit_with(b"link", b"/etc/passwd", mode=b"120000")
    with pytest.raises(BundleError):
        read_tree(bundle(tmp_path / "b", entries), commit, ["top"])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_bundle_is_an_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    commit, entries = commit_with(b"file.py", b"print(1)\n" * 20)
    path = bundle(tmp_path_factory.mktemp("b") / "b", entries)
    whole = bytearray(path.read_bytes())
    start = whole.index(b"PACK")
    whole[data.draw(st.integers(start, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole[: data.draw(st.integers(start, len(whole)))])
    with pytest.raises(BundleError):
        read_tree(path, commit, ["top"])


@pytest.mark.skipif(not BUNDLE.is_file(), reason="node-llama-cpp is not installed")
def test_node_llama_cpp_carries_the_converter_that_we_pinned() -> None:
    files = read_tree(BUNDLE, COMMIT, PATHS)
    assert {"convert_hf_to_gguf.py", "conversion/base.py", "conversion/llama.py", "gguf-py/gguf/__init__.py", "LICENSE"} <= files.keys()
    assert b"MIT License" in files["LICENSE"]


# -- the library


@pytest.mark.skipif(not libraries().is_dir(), reason="node_modules holds no llama.cpp for this machine")
class TestLibrary:
    def test_the_installed_release_has_the_layout_that_we_know(self) -> None:
        llama_cpp.Library(libraries())

    def test_another_release_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(llama_cpp, "_VERSIONS", ("0.4.0",))
        with pytest.raises(StepError) as caught:
            llama_cpp.Library(libraries())
        assert caught.value.code == "export/llama-cpp-release"

    @pytest.mark.parametrize("struct", ["ModelParams", "ContextParams", "QuantizeParams"])
    def test_a_member_more_or_less_is_noticed(self, monkeypatch: pytest.MonkeyPatch, struct: str) -> None:
        import ctypes

        known = getattr(llama_cpp, struct)
        moved = type(struct, (ctypes.Structure,), {"_fields_": [("new", ctypes.c_int64), *known._fields_]})
        monkeypatch.setattr(llama_cpp, struct, moved)
        with pytest.raises(StepError) as caught:
            llama_cpp.Library(libraries())
        assert caught.value.code == "export/llama-cpp-layout"


def test_an_empty_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StepError) as caught:
        llama_cpp.Library(tmp_path)
    assert caught.value.code == "export/llama-cpp-library"


# -- the distance


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6), vocabulary=st.integers(2, 300), spread=st.floats(0.1, 8), noise=st.floats(0, 3))
def test_the_distance_is_the_textbook_one(seed: int, n: int, vocabulary: int, spread: float, noise: float) -> None:
    random = np.random.default_rng(seed)
    p = (random.normal(0, spread, (n, vocabulary)) + 20).astype(np.float32)
    q = (p + random.normal(0, noise, p.shape) - 7).astype(np.float32)
    distance = Distance()
    distance.add(p.copy(), q.copy())
    log_p, log_q = (x.astype(np.float64) - np.log(np.exp(x.astype(np.float64)).sum(1, keepdims=True)) for x in (p, q))
    expected = (np.exp(log_p) * (log_p - log_q)).sum(1)
    assert distance.kl_mean == pytest.approx(expected.mean(), rel=1e-3, abs=5e-6)
    ordered = np.sort(p, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] >= CLEAR_MARGIN
    assert distance.clear == int(clear.sum())
    assert distance.same == int((p.argmax(1) == q.argmax(1)).sum())
    assert distance.clear_same == int(((p.argmax(1) == q.argmax(1)) & clear).sum())


@settings(max_examples=60, deadline=None)
@given(value=st.sampled_from([np.nan, np.inf, -np.inf]), row=st.integers(0, 3), column=st.integers(0, 6), whose=st.integers(0, 1))
def test_no_distance_is_taken_of_what_is_not_finite(value: float, row: int, column: int, whose: int) -> None:
    both = [np.random.default_rng(i).normal(0, 1, (4, 7)).astype(np.float32) for i in (1, 2)]
    both[whose][row, column] = value
    distance = Distance(positions=10)
    with pytest.raises(StepError) as caught:
        distance.add(*both)
    assert caught.value.code == "export/not-the-model"
    assert distance.names[whose] in caught.value.message and f"position {11 + row} " in caught.value.message


def test_a_distance_that_overflows_is_refused() -> None:
    far = np.zeros((1, 3), np.float32)
    far[0, 0] = -3e38
    with pytest.raises(StepError, match="no finite number"):
        Distance().add(np.array([[3e38, 0, -3e38]], np.float32), far - 3e38 * np.array([[0, -1, 0]], np.float32))


@settings(max_examples=200, deadline=None)
@given(shared=st.lists(st.integers(0, 3), max_size=20), tails=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=12), min_size=1, max_size=8), positions=st.integers(1, 60))
def test_a_passage_holds_every_sample_once_and_no_more_than_asked(shared: list[int], tails: list[list[int]], positions: int) -> None:
    samples = [shared + tail for tail in tails]
    what = passage(samples, positions)
    assert all(tail for tail in what.tails)
    for sample, tail in zip(samples, what.tails):
        assert (what.prefix + tail) == sample[: len(what.prefix) + len(tail)]
    compared = sum(map(len, what.tails)) + what.from_prefix
    available = len(what.prefix) + sum(len(sample) - len(what.prefix) for sample in samples)
    assert compared == min(positions, available)
    assert max(len(what.prefix) + len(tail) for tail in what.tails) <= what.context_tokens


def test_models_are_compared_after_the_prompt_that_all_samples_share(tmp_path: Path) -> None:
    prompt = list(range(400))
    lines = []
    for i in range(60):
        tools = prompt if i // 6 % 2 == 0 else [*prompt[200:], *prompt[:200]]
        row = {"id": str(i), "group": str(i // 6), "segments": [{"text": " ".join(map(str, tools)), "learn": False}, {"text": f" {1000 + i} 7 8 9", "learn": True}]}
        lines.append(json.dumps({**row, "reordered": True} if tools is not prompt else row))
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    what = passage([[int(n) for text in row for n in text.split()] for row in read_rows(path)], 100)
    assert what.prefix == prompt and len(what.tails) >= 25
    assert all(tail[0] >= 1000 for tail in what.tails)
