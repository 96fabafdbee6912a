"""What calls of chat models cost: a price list by model, the built-in one added to and overridden by a workspace's.

    # prices.yaml in the workspace; US dollars per million tokens
    prices:
      gpt-4.1: {prompt: 1.60, completion: 6.40}           # a model of OpenAI's, by whoever serves it
      azure:reader: {prompt: 1.80, completion: 7.20}      # a deployment of your own
      compatible:llama*: {prompt: 0, completion: 0}       # all whose names begin so

A price that nobody listed is unknown: None, never 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import Field, field_validator

from wetread.agents.chat import Usage
from wetread.config import MODEL_KINDS
from wetread.values import Value
from wetread.yamlfile import YamlFile, load_yaml, nearest

FILE_NAME = "prices.yaml"
MILLION = 1_000_000

FREE = ("protocol", "authored")
"""Names of what answers without a language model: rules, and what was written by hand for a scenario."""

_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_SERVED = re.compile(r"(?P<called>.*?) \((?P<served>[^()]*)\)$")
_NAME = re.compile(r"[^\s*]+\*?")


class Price(Value):
    """US dollars per million tokens."""

    prompt: Decimal = Field(ge=0, le=1_000_000)
    completion: Decimal = Field(ge=0, le=1_000_000)

    @field_validator("prompt", "completion", mode="before")
    @classmethod
    def _is_a_number(cls, value: object) -> object:
        # YAML's yes, and texts, which pydantic would take for numbers
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise ValueError("write a number: US dollars per million tokens")
        return value

    def of(self, usage: Usage) -> Decimal:
        """What so many tokens cost, in US dollars."""
        return (self.prompt * usage.prompt_tokens + self.completion * usage.completion_tokens) / MILLION


class _File(Value):
    as_of: date | None = None
    source: str | None = None
    prices: dict[str, Price]


class Prices:
    """Prices by model.

    A name is looked up as it is, then as a dated snapshot of a model, then by the longest listed beginning (`llama*`).
    Names of OpenAI's models stand for `openai:NAME`, and for an Azure deployment whose replies name that model.

    Attributes:
        as_of: The day on which the built-in prices were looked up; None where there are none.
        source: Where they were found.
    """

    def __init__(
        self, prices: Mapping[str, Price] | None = None, *, as_of: date | None = None, source: str | None = None
    ) -> None:
        self._prices = dict(prices or {})
        self.as_of = as_of
        self.source = source

    def of(self, model: str) -> Price | None:
        """The price of a chat model; None where it is unknown.

        Args:
            model: As events and replies name it: `openai:gpt-4.1`, `azure:reader (gpt-4.1-2025-04-14)`.
        """
        if model in FREE:
            return Price(prompt=Decimal(0), completion=Decimal(0))
        served = ""
        if found := _SERVED.match(model):
            model, served = found["called"], found["served"]
        kind, _, name = model.partition(":")
        names = [model]
        if kind == "openai":
            names.append(name)
        elif kind == "azure" and served:
            names.append(served)
        for listed in names:
            price = self._listed(listed)
            if price is not None:
                return price
        return None

    def cost(self, model: str, usage: Usage) -> Decimal | None:
        """What a call cost in US dollars; None where the model's price is unknown."""
        price = self.of(model)
        return None if price is None else price.of(usage)

    def _listed(self, name: str) -> Price | None:
        for exact in (name, _SNAPSHOT.sub("", name)):
            if exact in self._prices:
                return self._prices[exact]
        beginnings = [key for key in self._prices if key.endswith("*") and name.startswith(key[:-1])]
        return self._prices[max(beginnings, key=len)] if beginnings else None


def load_prices(workspace: Path | None = None) -> Prices:
    """The built-in prices, added to and overridden by `prices.yaml` of a workspace.

    Raises:
        ConfigError: `WET-CONFIG-YAML` with file and line: not YAML, an unknown key, a price that is no number, a name
            of a kind of model that there is not.
    """
    built_in = _built_in()
    path = None if workspace is None else workspace / FILE_NAME
    if path is None or not path.exists():
        return built_in
    file = load_yaml(path)
    return Prices(
        {**built_in._prices, **_checked(file, file.parse(_File)).prices}, as_of=built_in.as_of, source=built_in.source
    )


def _checked(file: YamlFile, parsed: _File) -> _File:
    for name in parsed.prices:
        if not _NAME.fullmatch(name):
            raise file.mistake(
                f"'{name[:40]}' is no name of a model", "prices", name, hint="A name has no spaces; '*' may end it."
            )
        kind, colon, _ = name.partition(":")
        if colon and kind not in MODEL_KINDS:
            raise file.mistake(
                f"'{kind[:40]}' is no kind of chat model", "prices", name, hint=nearest(kind, MODEL_KINDS)
            )
    return parsed


@cache
def _built_in() -> Prices:
    path = Path(str(files("wetread.agents"))) / "data" / FILE_NAME
    file = load_yaml(path, name=f"agents/data/{FILE_NAME}").parse(_File)
    return Prices(file.prices, as_of=file.as_of, source=file.source)
