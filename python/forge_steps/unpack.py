"""Step `unpack`: takes named members out of a wheel, each checked against its digest.

Spec: `{v: 1, archive, archive_sha256, members: [{name, output, sha256?}]}`. A member is found by its exact name and
written to the path that the spec gives, so nothing inside the archive decides where anything lands.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path
from typing import Any

from forge_steps.model import file_sha256
from forge_steps.protocol import Spec, Step, StepError

_BLOCK = 16 << 20


def run(step: Step) -> dict[str, Any]:
    """Figures: `bytes` written, and the `sha256` of each member by name."""
    archive = step.spec.path("archive", exists=True)
    wanted = step.spec.text("archive_sha256")
    found = file_sha256(archive)
    if found != wanted:
        raise StepError(
            "models/wrong-bytes",
            f"{archive.name} has the digest {found[:16]}… and not {wanted[:16]}…, which forge knows",
            "The registry or a proxy serves another file than the one that was published; check pip's index settings.",
        )
    members = step.spec.raw().get("members")
    if not isinstance(members, list) or not all(isinstance(m, dict) for m in members):
        raise StepError("step/spec", "the spec's `members` is no list of objects")
    digests: dict[str, str] = {}
    written = 0
    try:
        with zipfile.ZipFile(archive) as zipped:
            total = sum(zipped.getinfo(m["name"]).file_size for m in members)
            for i, member in enumerate(members):
                spec = Spec(member, f"members[{i}]")
                digest = hashlib.sha256()
                target = Path(spec.text("output"))
                with zipped.open(spec.text("name")) as source, target.open("wb") as out:
                    while block := source.read(_BLOCK):
                        step.check()
                        digest.update(block)
                        out.write(block)
                        written += len(block)
                        step.progress(written, total, "bytes", message=f"unpacking {Path(spec.text('name')).name}")
                    out.flush()
                    os.fsync(out.fileno())
                digests[spec.text("name")] = digest.hexdigest()
                if spec.has("sha256") and spec.text("sha256") != digest.hexdigest():
                    raise StepError("models/wrong-bytes", f"{spec.text('name')} in {archive.name} does not have the bytes it should have")
    except (KeyError, zipfile.BadZipFile) as e:
        raise StepError("models/bad-archive", f"{archive.name} cannot be unpacked: {e}") from e
    return {"bytes": written, "sha256": digests}
