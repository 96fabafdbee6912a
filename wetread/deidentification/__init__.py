"""De-identifies studies: DICOM objects by PS3.15 Annex E, pictures, and the texts of a `study.yaml`."""

from wetread.deidentification.profile import Action, Options
from wetread.deidentification.pseudonyms import Pseudonyms
from wetread.deidentification.studies import LeftOut, Outcome, Risk, deidentify

__all__ = ["Action", "LeftOut", "Options", "Outcome", "Pseudonyms", "Risk", "deidentify"]
