"""What a compilation and its evaluation come to, as one HTML file."""

from __future__ import annotations

from snnc.report.comparison import comparison_html
from snnc.report.page import report_html

__all__ = ["comparison_html", "report_html"]
