"""Radiology language: what a report's words say of which finding, where, and with what certainty."""

from wetread.reports.language.claims import claims, system_of
from wetread.reports.language.lexicon import NORMAL, Anatomy, Finding, Lexicon, lexicon
from wetread.reports.language.words import sentences

__all__ = ["NORMAL", "Anatomy", "Finding", "Lexicon", "claims", "lexicon", "sentences", "system_of"]
