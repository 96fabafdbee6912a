"""What a conversation costs: the price list, the budget in money and its warnings, the tally of events."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from wetread.agents._autogen import run_agent
from wetread.agents.budget import Budget, Meter
from wetread.agents.chat import ChatMessage, ChatReply, ToolSpec, Usage
from wetread.agents.prices import Prices, load_prices
from wetread.dialogue.costs import Cost, Tally, dollars
from wetread.errors import BudgetError, ConfigError
from wetread.events import EVENTS, Event, ModelAnswered, Notice, ToolFinished, TurnEnded, TurnStarted
from wetread.evidence import Ledger, ModelVersion
from wetread.testing.scripted import ScriptedModel, calls
from wetread.tools.base import ToolAnswer
from wetread.vocabulary import Origin

USED = Usage(prompt_tokens=10_000, completion_tokens=1_000)


def prices(folder: Path, text: str) -> Prices:
    (folder / "prices.yaml").write_text(text)
    return load_prices(folder)


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("openai:gpt-4.1", "0.028"),
        ("openai:gpt-4.1-2025-04-14", "0.028"),
        ("openai:gpt-4.1-mini", "0.0056"),
        ("openai:gpt-4o", "0.035"),
        ("openai:gpt-4o-2024-05-13", "0.065"),
        ("openai:gpt-5", "0.0225"),
        ("openai:o4-mini", "0.0154"),
        ("azure:reader (gpt-4.1-2025-04-14)", "0.028"),
        ("protocol", "0"),
        ("authored", "0"),
        ("azure:reader", None),
        ("azure:gpt-4.1", None),
        ("compatible:gpt-4.1", None),
        ("openai:gpt-4.1-audio", None),
        ("openai:gpt-4", None),
        ("openai:", None),
        ("", None),
    ],
)
def test_list_prices_of_models(model: str, usd: str | None) -> None:
    assert load_prices().cost(model, USED) == (None if usd is None else Decimal(usd))


def test_list_prices_say_where_and_when_they_were_found() -> None:
    listed = load_prices()
    assert listed.as_of is not None and listed.as_of.year >= 2026
    assert listed.source and "OpenAI" in listed.source


def test_a_workspace_adds_prices_and_overrides_them(tmp_path: Path) -> None:
    assert load_prices(tmp_path).cost("openai:gpt-4.1", USED) == Decimal("0.028")
    mine = prices(
        tmp_path,
        "prices:\n"
        "  gpt-4.1: {prompt: 1, completion: 1.5}\n"
        "  azure:reader: {prompt: 3, completion: 0}\n"
        "  compatible:llama*: {prompt: 0, completion: 0}\n"
        "  compatible:llama-4*: {prompt: 0.1, completion: 0.1}\n",
    )
    assert mine.cost("openai:gpt-4.1-2025-04-14", USED) == Decimal("0.0115")
    assert mine.cost("azure:other (gpt-4.1)", USED) == Decimal("0.0115")
    assert mine.cost("azure:reader (gpt-4.1)", USED) == Decimal("0.03")
    assert mine.cost("compatible:llama-3.3", USED) == 0
    assert mine.cost("compatible:llama-4-scout", USED) == Decimal("0.0011")
    assert mine.cost("openai:gpt-4o", USED) == Decimal("0.035")
    assert load_prices().cost("openai:gpt-4.1", USED) == Decimal("0.028"), "the built-in list stays as it was"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prices:\n  gpt-4.1: {prompt: 1, completions: 2}\n", "line 2: unknown key 'completions'"),
        (
            "price:\n  gpt-4.1: {prompt: 1, completion: 2}\n",
            "line 1: unknown key 'price'. (1 more after this one.) Did you mean 'prices'",
        ),
        ("prices:\n  gpt-4.1: {prompt: 1}\n", "line 2: key 'completion' is missing"),
        ("prices:\n  a: {prompt: 1, completion: 1}\n  b: {prompt: -1, completion: 1}\n", "line 3: prices.b.prompt"),
        ("prices:\n  a: {prompt: yes, completion: 1}\n", "write a number"),
        ("prices:\n  a: {prompt: '1', completion: 1}\n", "write a number"),
        ("prices:\n  a: {prompt: .nan, completion: 1}\n", "line 2"),
        ("prices:\n  a: {prompt: 1, completion: 1}\n  a: {prompt: 1, completion: 1}\n", "line 3: key 'a' stands here"),
        (
            "prices:\n  azur:x: {prompt: 1, completion: 1}\n",
            "line 2: 'azur' is no kind of chat model. Did you mean 'az",
        ),
        ("prices:\n  gpt 4.1: {prompt: 1, completion: 1}\n", "line 2: 'gpt 4.1' is no name of a model"),
        ("prices:\n  g*t: {prompt: 1, completion: 1}\n", "'g*t' is no name of a model"),
        ("- 1\n", "line 1: a mapping"),
    ],
)
def test_mistakes_in_prices_are_told_with_file_and_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        prices(tmp_path, text)
    assert caught.value.code == "WET-CONFIG-YAML"
    assert says in str(caught.value) and "prices.yaml" in str(caught.value)


# the budget


class Box:
    """A toolbox that answers every call."""

    async def call(self, name: str, arguments_json: str, *, agent: str, call_id: str) -> ToolAnswer:
        return ToolAnswer(text=f"{name} answered", failed=False)


def look(model: str = "openai:gpt-4.1") -> ChatReply:
    return calls(("look", {}), model=model).model_copy(update={"usage": USED})


async def run(replies: list[ChatReply], meter: Meter) -> list[Event]:
    events: list[Event] = []
    spec = ToolSpec(name="look", description="look", parameters={"type": "object", "properties": {}})
    record: list[ChatMessage] = []
    run = run_agent(
        "Read.",
        agent="reader",
        model=ScriptedModel(replies),
        system="You read.",
        toolbox=Box(),
        specs=(spec,),
        meter=meter,
        emit=events.append,
        record=record,
    )
    try:
        await asyncio.wait_for(run, 20)
    except BudgetError as error:
        assert meter.reached is not None and error.code == f"WET-BUDGET-{meter.reached.upper().replace('_', '-')}"
    return events


def notices(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.code, event.message) for event in events if isinstance(event, Notice)]


async def test_money_is_a_limit_and_is_warned_of_once() -> None:
    meter = Meter(Budget(usd=0.1), load_prices())
    events = await run([look()] * 9, meter)
    assert meter.reached == "money"
    assert (meter.model_calls, meter.usd) == (4, Decimal("0.112")), "the last call may go over it"
    assert notices(events) == [("WET-BUDGET-NEAR", "$0.0840 of the turn's $0.1 are used.")]
    assert str(meter.error("money")) == "The turn's $0.1 are used up. Raise the budget or ask for less."


async def test_an_unknown_price_does_not_count_and_is_told_once() -> None:
    meter = Meter(Budget(usd=0.05), load_prices())
    done = ChatReply(text="Done.", model="openai:gpt-4.1", usage=USED)
    events = await run([look("compatible:m"), look("compatible:m"), done], meter)
    assert meter.reached is None
    assert (meter.usd, meter.unpriced) == (Decimal("0.028"), {"compatible:m"})
    ((code, message),) = notices(events)
    assert code == "WET-BUDGET-PRICE" and "compatible:m" in message


async def test_without_a_limit_nobody_asks_for_prices() -> None:
    meter = Meter(Budget())
    assert notices(await run([look("compatible:m"), ChatReply(text="Done.", model="compatible:m")], meter)) == []


async def test_each_limit_is_warned_of_once_when_most_of_it_is_used() -> None:
    meter = Meter(Budget(model_calls=5, tool_calls=5, tokens=60_000), load_prices())
    events = await run([look()] * 9, meter)
    assert meter.reached == "model_calls"
    assert notices(events) == [
        ("WET-BUDGET-NEAR", "4 of the turn's 5 model calls are used."),
        ("WET-BUDGET-NEAR", "4 of the turn's 5 tool calls are used."),
        ("WET-BUDGET-NEAR", "55000 of the turn's 60000 tokens are used."),
    ]


# the tally


def answered(model: str, agent: str = "orchestrator", prompt: int = 10_000, completion: int = 1_000) -> ModelAnswered:
    return ModelAnswered(
        agent=agent, model=model, prompt_tokens=prompt, completion_tokens=completion, latency_ms=1500.0
    )


def finished(tool: str, origin: Origin | None, status: str = "ok", latency_ms: float = 250.0) -> ToolFinished:
    evidence = None
    if origin is not None:
        evidence = (
            Ledger()
            .open(tool, {})
            .close(model=ModelVersion(name="A model", version="1"), origin=origin, status="ok", latency_ms=latency_ms)
        )
    return ToolFinished(
        agent="a", call="c", tool=tool, status=status, summary="", latency_ms=latency_ms, evidence=evidence
    )


def ended(turn: int, outcome: str = "reported") -> TurnEnded:
    return TurnEnded(
        turn=turn, outcome=outcome, model_calls=0, tool_calls=0, prompt_tokens=0, completion_tokens=0, wall_ms=2000.0
    )


TALK: list[Event] = [
    TurnStarted(turn=1),
    answered("openai:gpt-4.1"),
    finished("report_findings", Origin.ENDPOINT),
    finished("segment", Origin.RECORDED, "failed", 1000.0),
    finished("segment", Origin.RECORDED),
    finished("measure", Origin.CODE),
    finished("submit_report", None, "refused"),
    answered("openai:gpt-4.1"),
    answered("openai:gpt-4o-mini", "historian", 2_000, 100),
    ended(1),
    TurnStarted(turn=2),
    answered("compatible:m", prompt=5, completion=5),
    answered("openai:gpt-4.1", prompt=1, completion=0),
]


def test_a_tally_adds_up_turns_agents_models_and_tools() -> None:
    tally = Tally(load_prices()).add_all(TALK)
    first, second = tally.turns
    assert [(m.agent, m.model, m.calls, m.prompt_tokens, m.usd) for m in first.models] == [
        ("orchestrator", "openai:gpt-4.1", 2, 20_000, Decimal("0.056")),
        ("historian", "openai:gpt-4o-mini", 1, 2_000, Decimal("0.00036")),
    ]
    assert [(t.tool, t.calls, t.not_ok, t.wait_s, t.endpoint) for t in first.tools] == [
        ("report_findings", 1, 0, 0.25, True),
        ("segment", 2, 1, 1.25, True),
        ("measure", 1, 0, 0.25, False),
        ("submit_report", 1, 1, 0.25, False),
    ]
    assert (first.outcome, first.wall_s, first.endpoint_calls) == ("reported", 2.0, 3)
    assert first.line == "3 model calls, 24,100 tokens, $0.0564, 3 endpoint calls"
    assert (second.outcome, second.unpriced, second.usd) == (None, ("compatible:m",), Decimal("0.000002"))
    assert second.money == "$0.0001 and an unknown price"
    assert tally.last == second
    total = tally.total
    assert (total.model_calls, total.tokens, total.wall_s) == (5, 24_111, 2.0)
    assert total.usd == first.usd + second.usd
    assert [m.calls for m in total.models] == [3, 1, 1]


def test_a_tally_is_rebuilt_from_a_journal() -> None:
    journal = [EVENTS.dump_json(event) for event in TALK]
    live, rebuilt = Tally(load_prices()), Tally(load_prices())
    for event in TALK:
        live.add(event)
    rebuilt.add_all(EVENTS.validate_json(line) for line in journal)
    assert rebuilt.turns == live.turns and rebuilt.total == live.total


def test_a_journal_may_begin_in_the_middle_or_be_empty() -> None:
    empty = Tally(load_prices())
    assert (empty.last, empty.turns, empty.total) == (None, (), Cost())
    assert empty.total.line == "0 model calls, 0 tokens, $0, 0 endpoint calls"
    (turn,) = Tally(load_prices()).add_all([answered("compatible:m"), ended(7)]).turns
    assert (turn.model_calls, turn.money, turn.outcome) == (1, "an unknown price", "reported")


def test_money_is_written_as_people_read_it() -> None:
    texts = [dollars(Decimal(usd)) for usd in ("0", "0.00000001", "0.02", "0.99999", "1.001", "1234.5")]
    assert texts == ["$0", "$0.0001", "$0.0200", "$1.0000", "$1.01", "$1,234.50"]
