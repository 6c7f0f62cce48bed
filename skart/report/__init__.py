"""All that came out of an evaluation, on one page to read, print and mail."""

from skart.report._report import write_report

__all__ = ["write_report"]
