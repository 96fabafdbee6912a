"""The versions of one report that a person can go back over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wetread.reports.model import Report


class Line:
    """The versions of a report, oldest first, without those that were taken back.

    Args:
        versions: All that are kept.
        back: For each version that took others back, the one that it went back to; by hash.
    """

    def __init__(self, versions: Sequence[Report] = (), back: Mapping[str, str] | None = None) -> None:
        self._versions: list[Report] = []
        self._kept = {one.sha256 for one in versions}
        for version in versions:
            to = (back or {}).get(version.sha256)
            places = [n for n, one in enumerate(self._versions) if one.sha256 == to]
            if places:
                del self._versions[places[-1] :]
            self._versions.append(version)

    @property
    def latest(self) -> Report | None:
        return self._versions[-1] if self._versions else None

    @property
    def before(self) -> Report | None:
        """The version that one goes back to."""
        return self._versions[-2] if len(self._versions) > 1 else None

    @property
    def versions(self) -> tuple[Report, ...]:
        return tuple(self._versions)

    def push(self, version: Report) -> None:
        """A new version, kept or about to be."""
        if all(one.sha256 != version.sha256 for one in self._versions):
            self._versions.append(version)

    def take_back(self, version: Report) -> None:
        """A version that says again what the last but one said."""
        self._versions[-2:] = [version]
        self._kept.add(version.sha256)

    def kept(self, version: Report) -> None:
        """That version is on the disk."""
        self._kept.add(version.sha256)

    def is_kept(self, version: Report | None) -> bool:
        return version is None or version.sha256 in self._kept

    def drop_unkept(self) -> None:
        """Let go of the versions that could not be kept."""
        self._versions = [one for one in self._versions if one.sha256 in self._kept]
