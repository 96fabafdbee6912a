"""What a turn may cost: time, model calls, tool calls, tokens, money. One meter counts for all agents of a turn."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from pydantic import Field

from wetread.agents.chat import Usage
from wetread.agents.prices import Prices
from wetread.errors import BudgetError
from wetread.events import Notice
from wetread.values import Value

Limit = Literal["wall_time", "model_calls", "tool_calls", "tokens", "iterations", "money"]

NEAR = 0.8
"""The part of a limit from which on a warning is given."""


class Budget(Value):
    """Limits of one turn. Specialists consulted in the turn count into the same limits."""

    wall_s: float = Field(default=600.0, gt=0)
    """Seconds from the person's message to the end of the turn."""
    model_calls: int = Field(default=24, ge=1)
    tool_calls: int = Field(default=64, ge=1)
    tokens: int = Field(default=400_000, ge=1)
    """Prompt and completion tokens of all model calls. Checked before each call, so the last one may go over it."""
    usd: float | None = Field(default=None, gt=0)
    """US dollars for model calls, by the price list; None for no limit. Checked before each call, as `tokens` are.
    Calls of a model whose price is unknown do not count."""


class Meter:
    """Counts what a turn has cost so far, and refuses what would go over a limit.

    Args:
        budget: The limits.
        prices: What models cost; without, only the protocol's price is known.
    """

    def __init__(self, budget: Budget, prices: Prices | None = None) -> None:
        self.budget = budget
        self.prices = prices or Prices()
        self.model_calls = 0
        self.tool_calls = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.usd = Decimal(0)
        """US dollars, as far as prices are known."""
        self.unpriced: set[str] = set()
        """Models that were called and whose price is unknown."""
        self._told: set[str] = set()
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
        if self.budget.usd is not None and self.usd >= Decimal(str(self.budget.usd)):
            raise self.reach("money")
        self.model_calls += 1

    def tool_call(self) -> None:
        """Count a tool call that is about to be made.

        Raises:
            BudgetError: it may not be made.
        """
        if self.tool_calls >= self.budget.tool_calls:
            raise self.reach("tool_calls")
        self.tool_calls += 1

    def tokens(self, usage: Usage, model: str) -> None:
        """Add what a call of a model used; `model` is its name as the reply says it."""
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        cost = self.prices.cost(model, usage)
        if cost is None:
            self.unpriced.add(model)
        else:
            self.usd += cost

    def notices(self) -> Iterator[Notice]:
        """What a person should know by now and was not told in this turn: a limit that is near, an unknown price."""
        for limit, used, most, text in self._used():
            if used >= NEAR * most and limit not in self._told:
                self._told.add(limit)
                yield Notice(code="WET-BUDGET-NEAR", message=f"{text} are used.")
        if self.budget.usd is not None:
            for model in sorted(self.unpriced - self._told):
                self._told.add(model)
                yield Notice(
                    code="WET-BUDGET-PRICE",
                    message=f"The price of {model} is unknown: its calls do not count into the turn's "
                    f"${self.budget.usd:g}. List it in prices.yaml.",
                )

    def _used(self) -> Iterator[tuple[Limit, float, float, str]]:
        budget, tokens = self.budget, self.prompt_tokens + self.completion_tokens
        yield (
            "model_calls",
            self.model_calls,
            budget.model_calls,
            (f"{self.model_calls} of the turn's {budget.model_calls} model calls"),
        )
        yield (
            "tool_calls",
            self.tool_calls,
            budget.tool_calls,
            (f"{self.tool_calls} of the turn's {budget.tool_calls} tool calls"),
        )
        yield "tokens", tokens, budget.tokens, f"{tokens} of the turn's {budget.tokens} tokens"
        if budget.usd is not None:
            yield "money", float(self.usd), budget.usd, f"${self.usd:.4f} of the turn's ${budget.usd:g}"

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
            "money": f"The turn's ${self.budget.usd or 0:g} are used up.",
            "iterations": "The agent's rounds of tool calls are used up.",
        }[limit]
