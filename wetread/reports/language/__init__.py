"""Radiology language: what a report's words say of which finding, where, and with what certainty."""

from wetread.reports.language.claims import claims, system_of
from wetread.reports.language.lexicon import NORMAL, Anatomy, Finding, Lexicon, lexicon
from wetread.reports.language.measures import measurements
from wetread.reports.language.qualifiers import OTHERWISE
from wetread.reports.language.report import BODY, ParsedReport, ParsedSection, ParsedStatement, parse_report
from wetread.reports.language.words import sentences

__all__ = [
    "BODY",
    "NORMAL",
    "OTHERWISE",
    "Anatomy",
    "Finding",
    "Lexicon",
    "ParsedReport",
    "ParsedSection",
    "ParsedStatement",
    "claims",
    "lexicon",
    "measurements",
    "parse_report",
    "sentences",
    "system_of",
]
