"""wetread drafts structured radiology reports in which every statement carries its evidence.

Research and development only; not a medical device.
"""

__version__ = "0.1.0"

DISCLAIMER = "Research and development only. Not a medical device. Not for clinical use."
"""Shown on every report, export and command that produces one."""
