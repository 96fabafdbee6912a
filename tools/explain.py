"""`explain`: the evidence chain of a statement or an evidence, down to the images."""

from __future__ import annotations

from pydantic import Field, JsonValue

from wetread.errors import ToolError
from wetread.evidence import ModelVersion, Observation
from wetread.reports.chain import Chain, Link, evidence_chain
from wetread.reports.model import Report
from wetread.tools.arguments import shown
from wetread.tools.base import Arguments, Outcome, Reading, Tool
from wetread.tools.person import without_names
from wetread.vocabulary import Origin

MAX_OBSERVATIONS = 12
"""Observations of one evidence that an agent is told."""


class ExplainArguments(Arguments):
    """`S3` or `E3`."""

    id: str = Field(max_length=40)


class Explain(Tool[ExplainArguments]):
    """What a statement stands on: tools, models, what they observed and measured, and from what."""

    name = "explain"
    card = "What statement S3 or evidence E3 stands on: the chain of evidence down to the images."
    arguments = ExplainArguments
    deadline_s = 10.0
    makes_evidence = False

    def precheck(self, arguments: ExplainArguments, reading: Reading) -> None:
        _chain(arguments, reading)

    async def run(self, arguments: ExplainArguments, reading: Reading) -> Outcome:
        chain = _chain(arguments, reading)
        return Outcome(
            for_model=_said(chain, reading.report),
            summary=f"{chain.id} stands on {', '.join(link.id for link in chain.links) or 'no evidence'}"
            if chain.statement
            else f"{chain.id} and {len(chain.links) - 1} behind it",
            model=ModelVersion(name="wetread reports", version="1"),
            origin=Origin.CODE,
        )


def _chain(arguments: ExplainArguments, reading: Reading) -> Chain:
    chain = evidence_chain(reading.report, reading.ledger, arguments.id)
    if chain is None:
        statements = [one.id for one in reading.report.statements()] if reading.report else []
        evidence = [one.id for one in reading.ledger]
        there = f"There are: {_ids(statements)}; {_ids(evidence)}."
        raise ToolError("WET-TOOL-ID", f"There is no statement or evidence {shown(arguments.id)}.", there)
    return chain


def _ids(ids: list[str]) -> str:
    if len(ids) > 2:
        return f"{ids[0]} to {ids[-1]}"
    return ", ".join(ids) or "nothing else"


def _said(chain: Chain, report: Report | None) -> dict[str, JsonValue]:
    said: dict[str, JsonValue] = {"id": chain.id}
    if chain.statement is not None:
        said["text"] = without_names(chain.statement.text, report)
        said["by"] = "reader" if chain.by_reader else "draft"
        if chain.before is not None:
            said["before"] = without_names(chain.before, report)
        said["support"] = chain.support
    said["chain"] = [_link(link, report) for link in chain.links]
    if chain.missing:
        said["missing"] = list(chain.missing)
    return said


def _link(link: Link, report: Report | None) -> JsonValue:
    row: dict[str, JsonValue] = {
        "evidence": link.id,
        "tool": link.tool,
        "model": f"{link.model} {link.version}".removesuffix(" unknown"),
        "origin": link.origin.value,
        "status": link.status,
        "summary": without_names(link.summary, report),
    }
    if link.reason is not None:
        row["reason"] = link.reason.message
    if link.observations:
        row["says"] = [_observed(one, report) for one in link.observations[:MAX_OBSERVATIONS]]
        if len(link.observations) > MAX_OBSERVATIONS:
            row["and_more"] = len(link.observations) - MAX_OBSERVATIONS
    if link.measurements:
        row["measured"] = [{"name": one.name, "text": one.text, "method": one.method} for one in link.measurements]
    if link.warnings:
        row["warnings"] = list(link.warnings)
    if link.inputs:
        row["inputs"] = list(link.inputs)
    if link.uses:
        row["uses"] = list(link.uses)
    return row


def _observed(observation: Observation, report: Report | None) -> JsonValue:
    row: dict[str, JsonValue] = {
        "text": without_names(observation.text, report),
        "finding": observation.finding,
        "assertion": observation.assertion.value,
        "side": observation.side.value if observation.side else None,
        "probability": observation.probability,
        "box": True if observation.regions else None,
    }
    return {key: value for key, value in row.items() if value is not None}
