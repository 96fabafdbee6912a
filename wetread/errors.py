"""Every error of wetread: one tree, stable codes, and a sentence that says what, where and what to do.

    WetreadError
    ├── InputError          WET-INPUT-*     a file, folder, option or text that cannot be used      exit 2
    ├── ConfigError         WET-CONFIG-*    settings, endpoints, models, YAML of a workspace        exit 2
    ├── EndpointError       WET-ENDPOINT-*  a model endpoint failed or broke its contract
    ├── ModelError          WET-MODEL-*     a chat model failed or answered what cannot be used
    ├── ToolError           WET-TOOL-*      a tool refuses or fails; its sentence may go to a model
    ├── BudgetError         WET-BUDGET-*    a limit of a turn was reached
    ├── TapeError           WET-TAPE-*      a replay asked for what is not on the tape
    ├── ExportError         WET-EXPORT-*    a report cannot be exported, or not be delivered
    ├── PacsError           WET-PACS-*      an archive (PACS) or a DICOM node that fails or refuses  exit 2
    ├── DeidentifyError     WET-DEID-*      a study cannot be de-identified; nothing was written       exit 2
    ├── ReadingError        WET-READING-*   no report could be drafted                              exit 3
    ├── ReviewError         WET-REVIEW-*    what a reader asked for cannot be done to the report    exit 2
    └── StoreError          WET-STORE-*     the store cannot be opened, read or written             exit 2

Codes never change their meaning; sentences may. Each code has an entry in docs/errors.md.
"""

from __future__ import annotations

from typing import ClassVar


class WetreadError(Exception):
    """Base of all errors that wetread raises on purpose.

    Args:
        code: Stable code, `WET-<FAMILY>-<NAME>`.
        message: What is wrong and where. Never an identifier, never a secret.
        hint: What to do about it, as one sentence; may be empty.
    """

    family: ClassVar[str] = "WET"

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        if not code.startswith(self.family):
            raise ValueError(f"code {code!r} is not of the family {self.family}")
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def line(self) -> str:
        """The error as the one line that a person reads: code, what and where, what to do."""
        return " ".join(f"{self.code}: {self}".split())


class InputError(WetreadError):
    """A file, folder, option or text that cannot be used."""

    family = "WET-INPUT"


class ConfigError(WetreadError):
    """Settings that are missing, wrong or contradict each other."""

    family = "WET-CONFIG"


class EndpointError(WetreadError):
    """A model endpoint failed, refused, or broke its wire contract.

    Args:
        retryable: Whether the same call may succeed later.
        status: HTTP status, where there was one.
    """

    family = "WET-ENDPOINT"

    def __init__(
        self, code: str, message: str, hint: str = "", *, retryable: bool = False, status: int | None = None
    ) -> None:
        super().__init__(code, message, hint)
        self.retryable = retryable
        self.status = status


class ModelError(WetreadError):
    """A chat model failed, or answered what cannot be used."""

    family = "WET-MODEL"


class ToolError(WetreadError):
    """A tool refuses or fails. The message is safe to show to a language model: no paths, no internals.

    Args:
        abstained: True where the tool works but has no answer for this input (wrong view, empty mask, no library).
    """

    family = "WET-TOOL"

    def __init__(self, code: str, message: str, hint: str = "", *, abstained: bool = False) -> None:
        super().__init__(code, message, hint)
        self.abstained = abstained


class BudgetError(WetreadError):
    """A limit of the turn was reached: wall time, model calls, tool calls or tokens."""

    family = "WET-BUDGET"


class TapeError(WetreadError):
    """A replay asked for what is not on the tape, or left records unused."""

    family = "WET-TAPE"


class ReadingError(WetreadError):
    """No report could be drafted."""

    family = "WET-READING"


class ReviewError(WetreadError):
    """What a reader asked for cannot be done to this version of the report; nothing was changed."""

    family = "WET-REVIEW"


class StoreError(WetreadError):
    """The store cannot be opened, read or written. What was acknowledged before stays as it was."""

    family = "WET-STORE"


class PacsError(WetreadError):
    """An archive (PACS) or DICOM node cannot be reached, refuses, or answers what cannot be used.

    Args:
        sending: Whether results were to be sent to it; then it is the report that did not arrive (exit 4).
    """

    family = "WET-PACS"

    def __init__(self, code: str, message: str, hint: str = "", *, sending: bool = False) -> None:
        super().__init__(code, message, hint)
        self.sending = sending


class ExportError(WetreadError):
    """A report cannot be written in a format, or not be delivered."""

    family = "WET-EXPORT"


class DeidentifyError(WetreadError):
    """A study cannot be de-identified; nothing of it was written."""

    family = "WET-DEID"
