"""Is the GGUF the model that was trained? Next-token distributions compared, position by position.

Two runs over the same tokens, a reference and a candidate, each with a cache: the tool prompt that all samples share
is evaluated once, then each sample after it. At every position of the samples (the tool prompt fills up where they are
few) the reference's distribution p and the candidate's q over the next token give KL(p || q) in nats, and whether both
rank the same token first. Ranking is judged only where the reference is clear (`CLEAR_MARGIN`): between two tokens that
are nearly equal, rounding decides. Where the samples say which token comes next, both models' perplexity of it is taken too.

Also proven here: llama.cpp tokenizes the samples id for id as the training did, the file's chat template is ours,
generation ends at the stop tokens, and no BOS is put before a prompt that training did not have.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from forge_steps.protocol import Step, StepError

if TYPE_CHECKING:
    import numpy as np

    from forge_steps.llama_cpp import Library, Model

#: Nats between the reference's first and second token from which on the order counts: 1.28 times as probable. An f16
#: file moves a logit by some hundredths.
CLEAR_MARGIN = 0.25
#: Largest mean KL in nats that the f16 file may have to the model it was made from.
MAX_F16_KL = 1e-3
#: Positions evaluated at once: 256 x 49,152 logits are 50 MB.
PIECE = 256
#: Samples looked at, spread evenly over the file: more than enough for 2,000 positions, and few to tokenize.
_CANDIDATES = 64
#: Fewer samples than this say too little of what a model meets.
_FEW = 16

#: What compares nothing is refused: a value that is not finite is larger than no bound, and smaller than none.
_NO_NUMBERS_HINT = "Its weights, or what is computed of them, leave the range of the format's numbers: choose a format of more bits, or another base model."
_RETRAIN_HINT = "This is a defect in export, not in training: run it again, and report it with the log if it stays."


class Predictor(Protocol):
    """A model with a cache of one sequence."""

    def logits(self, tokens: Sequence[int], start: int, keep: int) -> np.ndarray: ...
    def forget(self, start: int) -> None: ...


@dataclass
class Passage:
    """What is evaluated: the shared beginning once, then each tail after it."""

    prefix: list[int]
    tails: list[list[int]]
    #: How many of the prefix's last positions are compared too.
    from_prefix: int

    @property
    def context_tokens(self) -> int:
        return -(-(len(self.prefix) + max(len(tail) for tail in self.tails)) // 256) * 256


@dataclass
class Distance:
    """How far a candidate's distributions are from the reference's; `add` takes logits of the same positions."""

    positions: int = 0
    kl_sum: float = 0.0
    kl_max: float = 0.0
    same: int = 0
    clear: int = 0
    clear_same: int = 0
    #: Largest margin of the reference at a position where the candidate ranked another token first.
    missed_margin: float = field(default=0.0)
    #: Positions whose next token the samples say, and the sum of its negative log probability (nats) in the candidate and in the reference.
    predicted: int = 0
    nats: float = 0.0
    reference_nats: float = 0.0
    #: What the two models are called in a message, the reference first.
    names: tuple[str, str] = ("the trained model", "the exported file")

    def add(self, reference: np.ndarray, candidate: np.ndarray, following: Sequence[int] = ()) -> None:
        """Float32 [n, vocabulary] each; `reference` is changed. `following`: the tokens after the first positions, as far as they are known.
        Raises StepError where a logit, or what is computed of the logits, is not finite."""
        import numpy as np

        if not len(reference):
            return
        for name, logits in zip(self.names, (reference, candidate), strict=True):
            self._check_finite(np.isfinite(logits).all(axis=1), f"{name} computes logits that are not finite")
        candidate = candidate - candidate.max(axis=1, keepdims=True)
        reference -= reference.max(axis=1, keepdims=True)
        weights = np.exp(reference)
        total = weights.sum(axis=1, dtype=np.float64)
        log_candidate = np.log(np.exp(candidate).sum(axis=1, dtype=np.float64))
        # KL = sum p (log p - log q), with log p = reference - log(total): the large terms cancel before they are summed.
        shift = (weights * (reference - candidate)).sum(axis=1, dtype=np.float64) / total
        kl = np.maximum(shift - np.log(total) + log_candidate, 0.0)
        self._check_finite(np.isfinite(kl), f"the distance between {self.names[0]} and {self.names[1]} is no finite number")
        rows = np.arange(len(reference))
        known = rows[: len(following)]
        self.predicted += len(known)
        self.nats += float((log_candidate[known] - candidate[known, list(following)]).sum())
        self.reference_nats += float((np.log(total[known]) - reference[known, list(following)]).sum())
        first = reference.argmax(axis=1)
        reference[rows, first] = -np.inf
        margin = -reference.max(axis=1)  # the first token's own value is 0
        same = candidate.argmax(axis=1) == first
        clear = margin >= CLEAR_MARGIN
        self.positions += len(kl)
        self.kl_sum += float(kl.sum())
        self.kl_max = max(self.kl_max, float(kl.max()))
        self.same += int(same.sum())
        self.clear += int(clear.sum())
        self.clear_same += int((same & clear).sum())
        if not same.all():
            self.missed_margin = max(self.missed_margin, float(margin[~same].max()))

    def _check_finite(self, finite: np.ndarray, what: str) -> None:
        """`finite`: one truth a position of those that are being added."""
        if not finite.all():
            at = self.positions + int(finite.argmin()) + 1
            raise StepError("export/not-the-model", f"{what} (position {at} of those compared)", _NO_NUMBERS_HINT)

    @property
    def kl_mean(self) -> float:
        return self.kl_sum / max(1, self.positions)

    def figures(self) -> dict[str, Any]:
        """`kl` and `kl_max` in nats; `top1` over all positions, `top1_clear` over those with a clear margin; `perplexity` of the candidate and
        `perplexity_reference`, over the positions whose next token is known."""
        import math

        perplexity = lambda nats: float(f"{math.exp(min(nats / self.predicted, 700.0)):.5g}")  # noqa: E731
        return {
            "positions": self.positions,
            "kl": float(f"{self.kl_mean:.3g}"),
            "kl_max": float(f"{self.kl_max:.3g}"),
            "top1": round(self.same / max(1, self.positions), 5),
            "top1_clear": round(self.clear_same / self.clear, 5) if self.clear else 1.0,
            "clear_positions": self.clear,
            "missed_margin": round(self.missed_margin, 4),
            **({"perplexity": perplexity(self.nats), "perplexity_reference": perplexity(self.reference_nats)} if self.predicted else {}),
        }


class TorchPredictor:
    """A transformers model as a `Predictor`."""

    def __init__(self, model: Any) -> None:
        from transformers import DynamicCache

        self._model = model
        # Of all layers everything, whatever they look at: a cache by the config drops what is out of a window, and cannot be cut back then.
        self._cache = DynamicCache()

    def logits(self, tokens: Sequence[int], start: int, keep: int) -> np.ndarray:
        import torch

        with torch.inference_mode():
            output = self._model(
                input_ids=torch.tensor([list(tokens)], device=self._model.device),
                position_ids=torch.arange(start, start + len(tokens), device=self._model.device)[None],
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=max(keep, 1),  # 0 would mean all
            )
        return output.logits[0, len(output.logits[0]) - keep :].float().cpu().numpy().copy()

    def forget(self, start: int) -> None:
        # A negative count drops the newest positions and means the same in every release.
        surplus = self._cache.get_seq_length() - start
        if surplus:
            self._cache.crop(-surplus)


def read_rows(path: Path) -> list[list[str]]:
    """Segment texts of at most `_CANDIDATES` rendered samples, spread evenly over the file.

    Only those with the tools in the recipe's own order: they begin alike, so that the prompt is computed once and what
    is compared is what comes after it.
    """
    rows = _plain_rows(path)
    return [_texts(rows[i]) for i in _compared(len(rows))]


def read_other_rows(path: Path, count: int) -> list[list[str]]:
    """Segment texts of at most `count` samples that `read_rows` does not take, spread evenly over the file; of all samples where those are too few
    to be worth it (`_FEW`)."""
    rows = _plain_rows(path)
    taken = set(_compared(len(rows)))
    others = [i for i in range(len(rows)) if i not in taken]
    if len(others) < _FEW:
        others = list(range(len(rows)))
    count = min(count, len(others))
    return [_texts(rows[others[i * len(others) // count]]) for i in range(count)]


def _plain_rows(path: Path) -> list[Any]:
    with path.open(encoding="utf-8") as file:
        lines = [line for line in file if line.strip()]
    if not lines:
        raise StepError("export/no-rows", f"{path.name} holds no samples to compare the models on")
    return [row for line in lines if "reordered" not in (row := json.loads(line))]


def _compared(rows: int) -> list[int]:
    count = min(_CANDIDATES, rows)
    return [i * rows // count for i in range(count)]


def _texts(row: Any) -> list[str]:
    return [segment["text"] for segment in row["segments"]]


def passage(samples: Sequence[Sequence[int]], positions: int) -> Passage:
    """Cuts tokenized samples into their common beginning and what follows, `positions` of it (fewer when there are not more)."""
    shortest = min(len(sample) for sample in samples)
    prefix = 0
    while prefix < shortest - 1 and all(sample[prefix] == samples[0][prefix] for sample in samples):
        prefix += 1
    if len(samples) == 1:
        prefix = 0
    tails, left = [], positions
    for sample in samples:
        if left <= 0:
            break
        tails.append(list(sample[prefix : prefix + left]))
        left -= len(tails[-1])
    return Passage(list(samples[0][:prefix]), tails, min(max(left, 0), prefix))


def measure(reference: Predictor, candidate: Predictor, what: Passage, step: Step | None = None, names: tuple[str, str] = Distance.names) -> Distance:
    """`names`: of the two, for a message. Runs both over the passage, side by side: each in a thread of its own on its share of the cores, while the piece
    before is compared. That is as fast as one after the other on all cores, and stays so on a busy machine, where
    threads that wait for each other at every layer all but stop."""
    from concurrent.futures import Future, ThreadPoolExecutor

    def pieces() -> Iterator[tuple[Sequence[int], int, int, int | None, Sequence[int]]]:
        """(tokens, start, positions compared, where both caches are cut before (None: nowhere), the tokens after the compared positions)."""
        passages = [(what.prefix, 0, what.from_prefix), *((tail, len(what.prefix), len(tail)) for tail in what.tails)]
        for number, (tokens, start, compared) in enumerate(passages):
            for at in range(0, len(tokens), PIECE):
                piece = tokens[at : at + PIECE]
                keep = min(len(piece), max(0, at + len(piece) - (len(tokens) - compared)))
                following = tokens[at + len(piece) - keep + 1 : at + len(piece) + 1] if keep else []
                yield piece, start + at, keep, start if at == 0 and number > 1 else None, following

    def logits(predictor: Predictor, piece: Sequence[int], start: int, keep: int, cut: int | None) -> np.ndarray:
        if cut is not None:
            predictor.forget(cut)
        return predictor.logits(piece, start, keep)

    distance, everything = Distance(names=names), list(pieces())
    running: list[Future[np.ndarray]] = []
    with ThreadPoolExecutor(1, "reference") as first, ThreadPoolExecutor(1, "candidate") as second:
        for i, piece in enumerate([*everything, None]):
            done = [future.result() for future in running]
            if step is not None:
                step.check()
                step.progress(i, len(everything), "pieces", message="comparing")
            running = [] if piece is None else [first.submit(logits, reference, *piece[:4]), second.submit(logits, candidate, *piece[:4])]
            if done:
                distance.add(*done, everything[i - 1][4])
    return distance


def share(threads: int) -> int:
    """Threads for each of two models that run at once."""
    return max(1, threads // 2)


def check_tokens(encode: Callable[[str], list[int]], model: Model, rows: Sequence[Sequence[str]]) -> int:
    """Proves that llama.cpp reads the samples as training did, segment by segment and with nothing put before them;
    returns the number of tokens compared. Raises StepError naming the first text that differs."""
    compared = 0
    for row in rows:
        for i, text in enumerate(row):
            ours, theirs = encode(text), model.tokenize(text, add_special=i == 0)
            if ours != theirs:
                at = next((k for k, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
                raise StepError(
                    "export/tokens-differ",
                    f"llama.cpp reads a training sample as other tokens than training did (token {at} of {json.dumps(text[:60])})",
                    "The model's GGUF names the wrong pre-tokenizer or adds a BOS token; report it with the family's name.",
                )
            compared += len(ours)
    return compared


def check_file(model: Model, template: str, stop_ids: Sequence[int]) -> None:
    """Proves that the file carries our chat template and ends generation at the stop tokens."""
    if model.chat_template() != template:
        raise StepError("export/template", "the exported file does not carry the chat template that was trained with", _RETRAIN_HINT)
    for token in stop_ids:
        if not model.ends_generation(token):
            raise StepError("export/stop-token", f"the exported file does not end generation at token {token}", _RETRAIN_HINT)


def check_thinking(model: Model, tokenizer: Any, words: tuple[str, str]) -> None:
    """Proves that the texts around a thought are in the file as the single tokens that were trained, by the same ids."""
    from forge_steps.train import thinking_ids

    for word, trained in zip(words, thinking_ids(tokenizer, words), strict=True):
        found = model.tokenize(word)
        if found != [trained]:
            raise StepError("export/thinking-tokens", f"the exported file reads {word} as the tokens {found}, and {trained} was trained", _RETRAIN_HINT)


@dataclass(frozen=True)
class Comparison:
    """What a trained model and its file are compared on."""

    rows: Path
    texts: list[list[str]]
    what: Passage

    @staticmethod
    def of(rows: Path, positions: int, tokenizer: Any) -> Comparison:
        """At most `positions` of the rendered samples in `rows`, as the tokenizer (transformers) reads them."""
        encode = _encoder(tokenizer)
        texts = read_rows(rows)
        return Comparison(rows, texts, passage([[token for text in row for token in encode(text)] for row in texts], positions))


def _encoder(tokenizer: Any) -> Callable[[str], list[int]]:
    return lambda text: list(tokenizer(text, add_special_tokens=False)["input_ids"])


def compare_with_python(
    library: Library, gguf: Path, model: Any, tokenizer: Any, on: Comparison, template: str, stop_tokens: Sequence[str], threads: int, step: Step
) -> dict[str, Any]:
    """The f16 file against the transformers model; returns figures. Raises StepError when it is another model."""
    import torch

    what = on.what
    with library.model(gguf) as loaded:
        check_file(loaded, template, [tokenizer.convert_tokens_to_ids(token) for token in stop_tokens])
        compared = check_tokens(_encoder(tokenizer), loaded, on.texts)
        theirs = share(threads)
        torch.set_num_threads(theirs)
        with loaded.context(what.context_tokens, PIECE, theirs) as context:
            distance = measure(TorchPredictor(model), context, what, step)
    if not distance.kl_mean <= MAX_F16_KL or distance.clear_same != distance.clear:
        raise StepError(
            "export/not-the-model",
            f"the exported f16 file is not the trained model: mean KL {distance.kl_mean:.2g} nats over {distance.positions} positions "
            f"(at most {MAX_F16_KL:g}), {distance.clear - distance.clear_same} of {distance.clear} clear choices differ",
            _RETRAIN_HINT,
        )
    return {**distance.figures(), "tokens_equal": compared}


def compare_files(library: Library, reference: Path, candidate: Path, rows: Path, positions: int, threads: int, step: Step, adapter: Path | None = None) -> Distance:
    """One GGUF against another of the same vocabulary, both under llama.cpp; `adapter` (a GGUF) is laid over the candidate."""
    with library.model(reference) as one, library.model(candidate) as other:
        if one.vocabulary != other.vocabulary:
            raise StepError("export/vocabulary", "the two files have vocabularies of different sizes", _RETRAIN_HINT)
        what = passage([[token for text in row for token in one.tokenize(text)] for row in read_rows(rows)], positions)
        with one.context(what.context_tokens, PIECE, share(threads)) as first, other.context(what.context_tokens, PIECE, share(threads), adapter) as second:
            return measure(first, second, what, step, ("the f16 file", "the adapter over the base" if adapter is not None else "the exported file"))


def run(step: Step) -> dict[str, Any]:
    """Step `verify`: `{v: 1, reference: gguf, input: gguf, rows, positions?, libraries, threads?}`; figures of `Distance`."""
    from forge_steps.llama_cpp import Library
    from forge_steps.model import usable_cores

    spec = step.spec
    library = Library(spec.path("libraries", exists=True))
    threads = spec.integer("threads", usable_cores(), minimum=1)
    positions = spec.integer("positions", 2000, minimum=1)
    paths = (spec.path(name, exists=True) for name in ("reference", "input", "rows"))
    return compare_files(library, *paths, positions, threads, step).figures()
