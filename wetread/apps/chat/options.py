"""What `wetread chat` was asked for. Read in the terminal's thread, before anything heavy is imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from wetread.agents.budget import Budget
    from wetread.apps.chat.studies import StudySource


@dataclass(frozen=True)
class ChatOptions:
    """The options of one chat.

    Attributes:
        study: Where the study is, as the options of the command line say; empty for none.
        resume: The id of a session to go on with; empty for the last one, None for a new one.
    """

    workspace: Path
    study: dict[str, Any] = field(default_factory=dict)
    resume: str | None = None
    template: str | None = None
    model: str | None = None
    store: str | None = None
    simulated: bool = False
    reader: str | None = None
    images: str = "auto"
    view: str | None = None
    script: Path | None = None
    usd: float | None = None

    @property
    def source(self) -> StudySource | None:
        """Where the study is; None where none was named."""
        from wetread.apps.chat.studies import StudySource

        return StudySource(**self.study) if self.study else None

    @property
    def budget(self) -> Budget:
        """The limits of each turn."""
        from wetread.agents.budget import Budget

        return Budget() if self.usd is None else Budget(usd=self.usd)


def chat_options(options: argparse.Namespace) -> ChatOptions:
    """The options as the command line has them."""
    study: dict[str, Any] = {}
    if options.study or options.scenario:
        study = {
            "paths": tuple(options.study),
            "view": options.view,
            "indication": options.indication,
            "history": options.history,
            "prior": tuple(options.prior),
            "prior_report": options.prior_report,
            "scenario": options.scenario,
            "simulated": options.simulated,
        }
    return ChatOptions(
        workspace=Path(options.workspace),
        study=study,
        resume=options.resume,
        template=options.template,
        model=options.model,
        store=options.store,
        simulated=options.simulated,
        reader=options.reader,
        images=options.images,
        view=options.view,
        script=Path(options.script) if options.script else None,
        usd=options.budget_usd,
    )
