"""What a compilation and its evaluation come to, as one HTML file."""

from __future__ import annotations

from snnc.report.page import report_html

__all__ = ["report_html"]
