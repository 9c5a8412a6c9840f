"""Reads files out of a git bundle without git: how llama.cpp's own sources are had without a download.

node-llama-cpp carries the sources of the llama.cpp release that its binaries were built from as a shallow git bundle
(one commit). `read_tree` gives the files under chosen paths. What it guarantees: every object on the way is checked
against its SHA-1 name, from the commit that the caller pins down to each file, so a damaged or exchanged bundle is an
error; names that could leave the target folder, links and submodules are refused.

Formats: git's gitformat-bundle(5) (version 2) and gitformat-pack(5) (version 2; deltas by offset and by name).
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

_TYPES = {1: b"commit", 2: b"tree", 3: b"blob", 4: b"tag"}
_OFFSET_DELTA, _NAME_DELTA = 6, 7
#: No file of llama.cpp's sources comes near this; a bundle that says otherwise is not one.
_MAX_OBJECT_BYTES = 256 << 20


class BundleError(Exception):
    """The bundle is damaged, of an unknown kind, or lacks what was asked for."""


def read_tree(bundle: Path, commit: str, paths: Sequence[str]) -> dict[str, bytes]:
    """The files at or under `paths` (top-level names) in `commit` (40 hex digits): relative path -> content."""
    try:
        objects = _objects(bundle.read_bytes())
    except (IndexError, zlib.error, ValueError) as e:
        raise BundleError(f"{bundle.name} is damaged: {e}") from e

    def get(name: str, type: bytes) -> bytes:
        found = objects.get(name)
        if found is None or found[0] != type:
            raise BundleError(f"{bundle.name} does not hold {type.decode()} {name}")
        return found[1]

    def walk(tree: str, prefix: str) -> Iterator[tuple[str, bytes]]:
        for mode, entry, name in _entries(get(tree, b"tree")):
            path = prefix + entry
            if not prefix and entry not in paths:
                continue
            if mode == "40000":
                yield from walk(name, path + "/")
            elif mode in ("100644", "100755"):
                yield path, get(name, b"blob")

    header = get(commit, b"commit").split(b"\n", 1)[0].split(b" ")
    if len(header) != 2 or header[0] != b"tree":
        raise BundleError(f"{bundle.name} holds a malformed commit")
    files = dict(walk(header[1].decode("ascii"), ""))
    for path in paths:
        if not any(file == path or file.startswith(path + "/") for file in files):
            raise BundleError(f"{bundle.name} holds no {path}")
    return files


def _entries(tree: bytes) -> Iterator[tuple[str, str, str]]:
    """(mode, entry's name, object's name) of each entry of a tree object."""
    at = 0
    while at < len(tree):
        space, end = tree.index(b" ", at), tree.index(b"\0", at)
        entry = tree[space + 1 : end].decode("utf-8")
        if entry in ("", ".", "..") or "/" in entry or "\\" in entry or ":" in entry:
            raise BundleError(f"a file of the bundle has the name {entry!r}")
        yield tree[at:space].decode("ascii"), entry, tree[end + 1 : end + 21].hex()
        at = end + 21


def _objects(data: bytes) -> dict[str, tuple[bytes, bytes]]:
    """Every object of the bundle's pack by its SHA-1: (type, content)."""
    if not data.startswith(b"# v2 git bundle\n"):
        raise ValueError("it is no git bundle of version 2")
    pack = data.index(b"\n\n") + 2
    if data[pack : pack + 8] != b"PACK\0\0\0\2":
        raise ValueError("its pack is of an unknown version")
    if hashlib.sha1(data[pack:-20]).digest() != data[-20:]:
        raise ValueError("its checksum is wrong")
    count, at = int.from_bytes(data[pack + 8 : pack + 12], "big"), pack + 12
    by_offset: dict[int, tuple[bytes, bytes]] = {}
    by_name: dict[str, tuple[bytes, bytes]] = {}
    waiting: list[tuple[int, str, bytes]] = []

    def add(offset: int, type: bytes, content: bytes) -> None:
        by_offset[offset] = (type, content)
        by_name[hashlib.sha1(type + b" %d\0" % len(content) + content).hexdigest()] = (type, content)

    for _ in range(count):
        offset, kind, size, at = at, *_entry_header(data, at)
        if size > _MAX_OBJECT_BYTES:
            raise ValueError("an object is too large")
        base: int | str | None = None
        if kind == _OFFSET_DELTA:
            distance, at = _offset(data, at)
            base = offset - distance
        elif kind == _NAME_DELTA:
            base, at = data[at : at + 20].hex(), at + 20
        # A memoryview from here on: slicing the bytes would copy the rest of the bundle for every object.
        stream = zlib.decompressobj()
        content, at = _inflate(stream, data, at, size)
        if base is None:
            add(offset, _TYPES[kind], content)
        elif isinstance(base, int):
            # The base of an offset delta lies before it; that base may itself wait for a named one.
            if base in by_offset:
                type, origin = by_offset[base]
                add(offset, type, _apply(origin, content))
            else:
                raise ValueError("a delta comes before its base")
        else:
            waiting.append((offset, base, content))
    while waiting:
        rest = [(offset, base, delta) for offset, base, delta in waiting if base not in by_name]
        if len(rest) == len(waiting):
            raise ValueError("a delta has no base")
        for offset, base, delta in waiting:
            if base in by_name:
                add(offset, by_name[base][0], _apply(by_name[base][1], delta))
        waiting = rest
    return by_name


def _inflate(stream: zlib._Decompress, data: bytes, at: int, size: int) -> tuple[bytes, int]:
    """Inflates one object of `size` bytes at `at`; returns it and the place after its compressed form."""
    view, parts, got = memoryview(data), [], 0
    while not stream.eof:
        # Compressed text is rarely larger than the object; small objects get a small window.
        window = view[at : at + max(256, size // 2)]
        if not window:
            raise ValueError("it ends early")
        part = stream.decompress(window, size - got + 1)
        parts.append(part)
        got += len(part)
        at += len(window) - len(stream.unused_data) - len(stream.unconsumed_tail)
        if got > size:
            raise ValueError("an object is longer than it says")
    if got != size:
        raise ValueError("an object is shorter than it says")
    return b"".join(parts), at


def _entry_header(data: bytes, at: int) -> tuple[int, int, int]:
    """(kind, size, place after the header) of a pack entry."""
    byte = data[at]
    kind, size, shift = byte >> 4 & 7, byte & 15, 4
    while byte & 128:
        at += 1
        byte = data[at]
        size |= (byte & 127) << shift
        shift += 7
    return kind, size, at + 1


def _offset(data: bytes, at: int) -> tuple[int, int]:
    """(distance back to the base, place after it) of an offset delta."""
    byte = data[at]
    value = byte & 127
    while byte & 128:
        at += 1
        byte = data[at]
        value = value + 1 << 7 | byte & 127
    return value, at + 1


def _apply(base: bytes, delta: bytes) -> bytes:
    """The object that a delta makes of its base."""

    def length(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = delta[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if not byte & 128:
                return value, at

    origin, at = length(0)
    size, at = length(at)
    if origin != len(base):
        raise ValueError("a delta does not fit its base")
    parts: list[bytes] = []
    while at < len(delta):
        op = delta[at]
        at += 1
        if op & 128:
            start = count = 0
            for i in range(4):
                if op >> i & 1:
                    start |= delta[at] << 8 * i
                    at += 1
            for i in range(3):
                if op >> 4 + i & 1:
                    count |= delta[at] << 8 * i
                    at += 1
            parts.append(base[start : start + (count or 0x10000)])
        else:
            parts.append(delta[at : at + op])
            at += op
    result = b"".join(parts)
    if len(result) != size:
        raise ValueError("a delta makes an object of the wrong length")
    return result
