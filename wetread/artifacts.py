"""Bytes kept by content hash: masks, overlays, crops. Agents see a handle and a one-line summary, never the bytes."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from wetread.values import Value, sha256_hex

_SUFFIX = {"image/png": ".png", "image/jpeg": ".jpg", "application/json": ".json"}


class Artifact(Value):
    """One kept object.

    `handle` is what agents and reports use: the kind and the first 12 digits of the hash, `mask:3fa1c0de5a77`.
    """

    handle: str = Field(pattern=r"^[a-z]+:[0-9a-f]{12}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    media_type: str
    size: int
    summary: str

    @property
    def file_name(self) -> str:
        return self.handle.replace(":", "-") + _SUFFIX.get(self.media_type, ".bin")


class ArtifactStore:
    """Artifacts of one session, in memory; the same bytes are kept once."""

    def __init__(self) -> None:
        self._artifacts: dict[str, Artifact] = {}
        self._bytes: dict[str, bytes] = {}

    def put(self, kind: str, data: bytes, media_type: str, summary: str) -> Artifact:
        """Keep bytes under `kind` (lower-case word: mask, overlay, crop) and return their artifact."""
        sha256 = sha256_hex(data)
        handle = f"{kind}:{sha256[:12]}"
        kept = self._artifacts.get(handle)
        if kept is None:
            kept = Artifact(handle=handle, sha256=sha256, media_type=media_type, size=len(data), summary=summary)
            self._artifacts[handle] = kept
            self._bytes[handle] = data
        return kept

    def get(self, handle: str) -> bytes | None:
        """The bytes of a handle, or None."""
        return self._bytes.get(handle)

    def describe(self, handle: str) -> Artifact | None:
        return self._artifacts.get(handle)

    def all(self) -> tuple[Artifact, ...]:
        return tuple(self._artifacts.values())

    def write(self, folder: Path) -> list[Path]:
        """Write every artifact into a folder, named by content; returns the paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for handle, artifact in self._artifacts.items():
            path = folder / artifact.file_name
            path.write_bytes(self._bytes[handle])
            paths.append(path)
        return paths
