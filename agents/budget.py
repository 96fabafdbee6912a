"""What a turn may cost: wall time, model calls, tool calls, tokens. One meter counts for all agents of a turn."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from wetread.agents.chat import Usage
from wetread.errors import BudgetError
from wetread.values import Value

Limit = Literal["wall_time", "model_calls", "tool_calls", "tokens", "iterations"]


class Budget(Value):
    """Limits of one turn. Specialists consulted in the turn count into the same limits."""

    wall_s: float = Field(default=600.0, gt=0)
    """Seconds from the person's message to the end of the turn."""
    model_calls: int = Field(default=24, ge=1)
    tool_calls: int = Field(default=64, ge=1)
    tokens: int = Field(default=400_000, ge=1)
    """Prompt and completion tokens of all model calls. Checked before each call, so the last one may go over it."""


class Meter:
    """Counts what a turn has cost so far, and refuses what would go over a limit."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.model_calls = 0
        self.tool_calls = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.reached: Limit | None = None
        """The first limit that was reached."""

    def model_call(self) -> None:
        """Count a model call that is about to be made.

        Raises:
            BudgetError: it may not be made; also where any limit was reached before.
        """
        if self.reached is not None:
            raise self.error(self.reached)
        if self.model_calls >= self.budget.model_calls:
            raise self.reach("model_calls")
        if self.prompt_tokens + self.completion_tokens >= self.budget.tokens:
            raise self.reach("tokens")
        self.model_calls += 1

    def tool_call(self) -> None:
        """Count a tool call that is about to be made.

        Raises:
            BudgetError: it may not be made.
        """
        if self.tool_calls >= self.budget.tool_calls:
            raise self.reach("tool_calls")
        self.tool_calls += 1

    def tokens(self, usage: Usage) -> None:
        """Add what a model call used."""
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens

    def reach(self, limit: Limit) -> BudgetError:
        """Note that a limit was reached; returns the error to raise."""
        self.reached = self.reached or limit
        return self.error(limit)

    def error(self, limit: Limit) -> BudgetError:
        """The error that names a limit and its size."""
        return BudgetError(
            f"WET-BUDGET-{limit.upper().replace('_', '-')}", self.message(limit), "Raise the budget or ask for less."
        )

    def message(self, limit: Limit) -> str:
        """One sentence for a person."""
        return {
            "wall_time": f"The turn's {self.budget.wall_s:g} s are over.",
            "model_calls": f"The turn's {self.budget.model_calls} model calls are used up.",
            "tool_calls": f"The turn's {self.budget.tool_calls} tool calls are used up.",
            "tokens": f"The turn's {self.budget.tokens} tokens are used up.",
            "iterations": "The agent's rounds of tool calls are used up.",
        }[limit]
