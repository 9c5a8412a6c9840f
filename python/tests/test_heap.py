"""Memory between steps: unused memory is given back once the process has grown, and only then."""

import sys

import pytest
from forge_steps.heap import Heap, resident_pages

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def hold(megabytes: int) -> list[bytearray]:
    """Memory in blocks too small for glibc to return each by itself."""
    return [bytearray(b"x" * 100_000) for _ in range(10 * megabytes)]


def test_memory_is_given_back_once_the_process_has_grown() -> None:
    heap = Heap()
    assert not heap.after_step()
    before = resident_pages()
    held = hold(before * 4096 // 1_000_000 + 50)
    kept = held[::50]  # Pins the top of the heap: what lies between goes back only when asked for.
    del held
    if resident_pages() < before * 1.3:
        pytest.skip("this C library gives everything back by itself")
    assert heap.after_step()
    assert resident_pages() < before * 1.3
    assert len(kept) > 0
    assert not heap.after_step()  # What it is now is what is usual.


def test_growth_of_what_is_in_use_is_looked_at_once() -> None:
    heap = Heap()
    heap.after_step()
    held = hold(resident_pages() * 4096 // 1_000_000 + 50)
    assert heap.after_step()
    assert not heap.after_step()
    assert not heap.after_step()
    assert len(held) > 0
