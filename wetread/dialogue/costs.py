"""What a conversation has cost: calls, tokens, money by agent and model, tool calls and their time; per turn, in all.

Made of events alone, as they come or from a journal of them; knows no terminal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from typing import Any, Self

from wetread.agents.chat import Usage
from wetread.agents.prices import Prices, load_prices
from wetread.events import Event, ModelAnswered, ToolFinished, TurnEnded, TurnStarted
from wetread.values import Value
from wetread.vocabulary import Origin

ASKED = (Origin.ENDPOINT, Origin.RECORDED, Origin.SIMULATED, Origin.AUTHORED)
"""Origins of what an endpoint answered, or something in its place: the rest is computed here."""


class ModelCost(Value):
    """What one agent's calls of one model came to."""

    agent: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    wait_s: float
    """Seconds that the model took."""
    usd: Decimal | None
    """US dollars; None where the model's price is unknown."""


class ToolCost(Value):
    """What one tool's calls came to."""

    tool: str
    calls: int
    not_ok: int
    """Those that failed, abstained, were refused or cancelled."""
    wait_s: float
    """Seconds that they took, one after another: those that ran side by side count each."""
    endpoint: bool
    """Whether an endpoint, real or recorded or simulated, answered any of them; else the tool computed here."""


class Cost(Value):
    """What a turn, or all of them, came to."""

    models: tuple[ModelCost, ...] = ()
    """By agent and model, in the order of their first calls."""
    tools: tuple[ToolCost, ...] = ()
    """By tool, in the order of their first calls."""
    wall_s: float = 0.0
    """Seconds of the turns that have ended."""

    @property
    def model_calls(self) -> int:
        return sum(model.calls for model in self.models)

    @property
    def prompt_tokens(self) -> int:
        return sum(model.prompt_tokens for model in self.models)

    @property
    def completion_tokens(self) -> int:
        return sum(model.completion_tokens for model in self.models)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def endpoint_calls(self) -> int:
        return sum(tool.calls for tool in self.tools if tool.endpoint)

    @property
    def usd(self) -> Decimal:
        """US dollars, as far as prices are known."""
        return sum((model.usd for model in self.models if model.usd is not None), Decimal(0))

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The models whose price is unknown."""
        return tuple(dict.fromkeys(model.model for model in self.models if model.usd is None))

    @property
    def money(self) -> str:
        """The money as a person reads it: `$0.0312`, `$0.0312 and an unknown price`, `an unknown price`."""
        if not self.unpriced:
            return dollars(self.usd)
        return f"{dollars(self.usd)} and an unknown price" if self.usd else "an unknown price"

    @property
    def line(self) -> str:
        """All in one line: `2 model calls, 12,345 tokens, $0.0312, 3 endpoint calls`."""
        return ", ".join(
            (
                _counted(self.model_calls, "model call"),
                _counted(self.tokens, "token"),
                self.money,
                _counted(self.endpoint_calls, "endpoint call"),
            )
        )

    @property
    def short(self) -> str:
        """What there is of it, in few words: `12,345 tokens, $0.0312, 3 endpoint calls`; empty for nothing."""
        parts = [_counted(self.tokens, "token"), self.money] if self.tokens else []
        return ", ".join([*parts, *([_counted(self.endpoint_calls, "endpoint call")] if self.endpoint_calls else [])])


class TurnCost(Cost):
    """What one turn came to."""

    turn: int
    """Its number, as its events tell it."""
    outcome: str | None = None
    """How it ended; None where it runs, or was never told to have ended."""


def dollars(usd: Decimal) -> str:
    """Money with as many digits as a person needs: four below a dollar, two from there on; rounded up, never to 0."""
    digits = Decimal("0.0001") if usd < 1 else Decimal("0.01")
    return f"${usd.quantize(digits, ROUND_UP):,}" if usd else "$0"


class Tally:
    """Adds up events. `Tally(prices).add_all(journal)` is the same as having been told of each when it came.

    Args:
        prices: What models cost; the built-in list by default.
    """

    def __init__(self, prices: Prices | None = None) -> None:
        self._prices = load_prices() if prices is None else prices
        self._turns: list[_Sum] = []

    def add(self, event: Event) -> None:
        """Take one event; those that cost nothing are passed over."""
        match event:
            case TurnStarted():
                self._turns.append(_Sum(event.turn))
            case ModelAnswered():
                self._turn().take_answer(event)
            case ToolFinished():
                self._turn().take_tool(event)
            case TurnEnded():
                turn = self._turn()
                turn.outcome, turn.wall_s = event.outcome, event.wall_ms / 1000

    def add_all(self, events: Iterable[Event]) -> Self:
        for event in events:
            self.add(event)
        return self

    @property
    def turns(self) -> tuple[TurnCost, ...]:
        """What each turn came to, the running one last."""
        return tuple(
            TurnCost(turn=turn.number, outcome=turn.outcome, **turn.parts(self._prices)) for turn in self._turns
        )

    @property
    def last(self) -> TurnCost | None:
        """What the last turn came to, so far; None before the first."""
        return self.turns[-1] if self._turns else None

    @property
    def total(self) -> Cost:
        """What all turns came to."""
        whole = _Sum(0)
        for turn in self._turns:
            whole.include(turn)
        return Cost(**whole.parts(self._prices))

    def _turn(self) -> _Sum:
        if not self._turns:  # a journal may begin in the middle
            self._turns.append(_Sum(0))
        return self._turns[-1]


@dataclass
class _Model:
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    wait_s: float = 0.0


@dataclass
class _Tool:
    calls: int = 0
    not_ok: int = 0
    wait_s: float = 0.0
    endpoint: bool = False


@dataclass
class _Sum:
    number: int
    outcome: str | None = None
    wall_s: float = 0.0
    models: dict[tuple[str, str], _Model] = field(default_factory=dict)
    tools: dict[str, _Tool] = field(default_factory=dict)

    def take_answer(self, event: ModelAnswered) -> None:
        model = self.models.setdefault((event.agent, event.model), _Model())
        model.calls += 1
        model.prompt_tokens += event.prompt_tokens
        model.completion_tokens += event.completion_tokens
        model.wait_s += event.latency_ms / 1000

    def take_tool(self, event: ToolFinished) -> None:
        tool = self.tools.setdefault(event.tool, _Tool())
        tool.calls += 1
        tool.not_ok += event.status != "ok"
        tool.wait_s += event.latency_ms / 1000
        tool.endpoint = tool.endpoint or (event.evidence is not None and event.evidence.origin in ASKED)

    def include(self, other: _Sum) -> None:
        self.wall_s += other.wall_s
        for key, model in other.models.items():
            mine = self.models.setdefault(key, _Model())
            mine.calls += model.calls
            mine.prompt_tokens += model.prompt_tokens
            mine.completion_tokens += model.completion_tokens
            mine.wait_s += model.wait_s
        for name, tool in other.tools.items():
            same = self.tools.setdefault(name, _Tool())
            same.calls += tool.calls
            same.not_ok += tool.not_ok
            same.wait_s += tool.wait_s
            same.endpoint = same.endpoint or tool.endpoint

    def parts(self, prices: Prices) -> dict[str, Any]:
        return {
            "models": tuple(
                ModelCost(
                    agent=agent,
                    model=model,
                    calls=one.calls,
                    prompt_tokens=one.prompt_tokens,
                    completion_tokens=one.completion_tokens,
                    wait_s=one.wait_s,
                    usd=prices.cost(
                        model, Usage(prompt_tokens=one.prompt_tokens, completion_tokens=one.completion_tokens)
                    ),
                )
                for (agent, model), one in self.models.items()
            ),
            "tools": tuple(
                ToolCost(tool=name, calls=tool.calls, not_ok=tool.not_ok, wait_s=tool.wait_s, endpoint=tool.endpoint)
                for name, tool in self.tools.items()
            ),
            "wall_s": self.wall_s,
        }


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
