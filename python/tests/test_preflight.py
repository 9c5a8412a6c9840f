"""What a training will need, said before the weights are loaded, and refused where it plainly cannot be had."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from forge_steps import model as models
from forge_steps.preflight import Machine, Shape, available, check, estimate, gb, look
from forge_steps.protocol import StepError
from forge_steps.train import read_rows
from test_train import in_process, told, write_spec
from tiny import save_base, tiny_model

#: Qwen2.5-14B and SmolLM2-135M, as their config.json have them.
QWEN = Shape(5120, 13824, 48, 5120, 1024, 152064, False)
SMOLLM2 = Shape(576, 1536, 30, 576, 192, 49152, True)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


def needs(shape: Shape, **changes: Any) -> Any:
    given = {"rank": 16, "row_tokens": 2560, "longest": 900, "tokens": 100_000, "bytes_each": 2, "device": "cuda", **changes}
    return estimate(shape, **given)


def test_parameters_are_counted_as_the_model_has_them() -> None:
    tiny = tiny_model()
    shape = Shape.of(tiny.config)
    norms = sum(p.numel() for n, p in tiny.named_parameters() if "norm" in n)
    assert shape.parameters == sum(p.numel() for p in tiny.parameters()) - norms
    from peft import LoraConfig, get_peft_model

    trained = get_peft_model(tiny, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    assert shape.adapter(4) == sum(p.numel() for p in trained.parameters() if p.requires_grad)
    assert QWEN.parameters == pytest.approx(14.77e9, rel=0.001) and SMOLLM2.parameters == pytest.approx(134.5e6, rel=0.001)


def test_what_is_asked_for_is_what_grows() -> None:
    plain = needs(QWEN)
    assert plain.training > needs(QWEN, row_tokens=1000).training > plain.least > 2 * QWEN.parameters
    assert needs(QWEN, recomputed=True).training < plain.training - 2e9
    assert needs(QWEN, rank=64).training > plain.training and needs(QWEN, rank=64).disk == 4 * plain.disk
    assert needs(QWEN, checkpoints=5).disk > plain.disk and needs(QWEN, best=True).disk > plain.disk
    assert needs(QWEN, rank_below=64).disk - plain.disk == 4 * QWEN.adapter(64)


def test_several_processes_on_a_cpu_have_a_model_each() -> None:
    one, two = (needs(SMOLLM2, device="cpu", bytes_each=4, processes=n) for n in (1, 2))
    assert (two.training, two.least, two.loading_at_once) == (2 * one.training, 2 * one.least, 2 * one.loading)
    # One after the other: what the first has loaded lies beside what the second loads.
    assert one.loading + 4 * SMOLLM2.parameters < two.loading <= two.loading_at_once and two.disk == one.disk
    gpus = [needs(QWEN, processes=n) for n in (1, 2)]
    assert gpus[0].training == gpus[1].training and gpus[1].loading_at_once == 2 * gpus[0].loading
    with pytest.raises(StepError) as refused:
        check(two, Machine(memory=two.least - 1, free=None, gpu=None, disk=None), "cpu")
    assert refused.value.hint is not None and refused.value.hint.startswith("Let fewer processes train (`train.processes`)")


def test_what_plainly_cannot_be_is_refused_with_figures() -> None:
    plain = needs(QWEN, later=30_000_000_000)
    roomy = Machine(memory=64_000_000_000, free=60_000_000_000, gpu=80_000_000_000, disk=10**12)
    assert check(plain, roomy, "cuda") == []
    with pytest.raises(StepError) as small:
        check(plain, replace(roomy, gpu=24_000_000_000), "cuda")
    assert small.value.code == "step/out-of-memory" and "the GPU has 24.0 GB free" in small.value.message and gb(plain.least) in small.value.message
    with pytest.raises(StepError) as full:
        check(plain, replace(roomy, disk=20_000_000_000), "cuda")
    assert full.value.code == "step/no-space" and "30.0 GB for the model files" in full.value.message and "20.0 GB are free" in full.value.message
    # Not plain: rows may be cut smaller.
    [warning] = check(plain, replace(roomy, gpu=int(plain.training - 1)), "cuda")
    assert "train.row_tokens" in warning
    # On a CPU what is taken may be given back, so that all of it counts; but for the warning.
    on_cpu = needs(SMOLLM2, device="cpu")
    assert check(on_cpu, Machine(memory=16_000_000_000, free=500_000_000, gpu=None, disk=None), "cpu") != []
    assert check(on_cpu, Machine(memory=None, free=None, gpu=None, disk=None), "cpu") == []


def test_this_machine_can_be_looked_at(tmp_path: Path) -> None:
    found = look("cpu", tmp_path / "not" / "there" / "yet")
    assert found.memory is not None and found.free is not None and 0 < found.free <= found.memory and found.gpu is None
    assert found.disk is not None and found.disk > 0


def test_training_refuses_before_it_loads_the_weights(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the weights were loaded")

    monkeypatch.setattr(models, "load_base", never)
    for limits, later, code in (({"memory": 100_000_000}, 0, "step/out-of-memory"), ({"disk": 10_000_000}, 50_000_000, "step/no-space")):
        spec = write_spec(tmp_path / code[5:], base, limits=limits, later_bytes=later)
        with pytest.raises(StepError) as refused:
            in_process(spec, tmp_path / "events")
        assert refused.value.code == code
        assert not (tmp_path / code[5:] / "checkpoints").exists()


def test_layers_are_recomputed_where_memory_is_short_with_the_same_result(base: Path, tmp_path: Path) -> None:
    figures, said = [], []
    short = {"limits": {"free": 452_000_000}}
    for name, more in (("plain", {}), ("short", short), ("off", {**short, "gradient_checkpointing": "off"})):
        spec = write_spec(tmp_path / name, base, hyper={"row_tokens": 20_000, "epochs": 0.5}, **more)
        figures.append(in_process(spec, tmp_path / f"{name}.events"))
        said.append([e for e in told(tmp_path / f"{name}.events") if e["type"] == "log"])
    assert figures[0]["final_loss"] == figures[1]["final_loss"] == figures[2]["final_loss"]
    assert ["(layers recomputed)" in e["message"] for log in said for e in log if "tokens to learn from" in e["message"]] == [False, True, False]
    assert any("training may need" in e["message"] and e["level"] == "warning" for e in said[2])
    assert len(read_rows(tmp_path / "plain" / "rendered.jsonl")) == 24


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, (16_384_000_000, 8_192_000_000)),
        (
            {
                "proc/self/cgroup": "0::/user.slice/run-7.scope",
                "cgroup/user.slice/run-7.scope/memory.max": "max",
                "cgroup/user.slice/run-7.scope/memory.current": "100",
                "cgroup/user.slice/memory.max": "4000000000",
                "cgroup/user.slice/memory.current": "1000000000",
            },
            (4_000_000_000, 3_000_000_000),
        ),
        ({"proc/self/cgroup": "0::/../../docker/abc", "cgroup/memory.max": "3000000000", "cgroup/memory.current": "500000000"}, (3_000_000_000, 2_500_000_000)),
        (
            {
                "proc/self/cgroup": "4:cpu,memory:/box/one\n0::/",
                "cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
                "cgroup/memory/memory.usage_in_bytes": "9",
                "cgroup/memory/box/one/memory.limit_in_bytes": "1000000000",
                "cgroup/memory/box/one/memory.usage_in_bytes": "400000000",
            },
            (1_000_000_000, 600_000_000),
        ),
        (
            {
                "proc/self/cgroup": "0::/pod/box",
                "cgroup/pod/box/memory.max": "4000000000",
                "cgroup/pod/box/memory.current": "3900000000",
                "cgroup/pod/box/memory.stat": "anon 400000000\nfile 3500000000\ninactive_file 3000000000\nactive_file 400000000\nshmem 100000000",
                "cgroup/pod/memory.max": "3500000000",
                "cgroup/pod/memory.current": "3400000000",
                "cgroup/pod/memory.stat": "inactive_file 2000000000",
            },
            (3_500_000_000, 2_100_000_000),
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/box\n0::/",
                "cgroup/memory/box/memory.limit_in_bytes": "1000000000",
                "cgroup/memory/box/memory.usage_in_bytes": "900000000",
                "cgroup/memory/box/memory.stat": "inactive_file 1\ntotal_inactive_file 300000000\ntotal_active_file 200000000",
            },
            (1_000_000_000, 600_000_000),
        ),
    ],
    ids=["machine", "version 2", "container", "version 1", "files in memory", "files in memory, version 1"],
)
def test_the_least_limit_of_the_control_groups_counts(files: dict[str, str], expected: tuple[int, int], tmp_path: Path) -> None:
    """The cases of tests/platform/memory-limits.test.ts."""
    for path, text in {"proc/meminfo": "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:    8000000 kB", **files}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"{text}\n", "ascii")
    assert available(tmp_path / "proc", tmp_path / "cgroup") == expected


def test_what_forge_says_before_a_step_starts_is_the_same_estimate() -> None:
    """tests/models/training-memory.test.ts has the other half."""
    import training_memory_cases

    fixture = Path(__file__).resolve().parents[2] / "tests" / "models" / "fixtures" / "training-memory.json"
    assert fixture.read_text("utf-8") == training_memory_cases.text(), f"made anew by: python {Path(training_memory_cases.__file__).name} {fixture}"
