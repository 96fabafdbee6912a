"""The report as PDF/A-2a: the page of `report.html` as it prints, tagged, its fonts embedded.

WeasyPrint draws it. Nothing is fetched: only `data:` URLs are opened, no file and no address.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import warnings
from functools import partial
from importlib import resources

from PIL import ImageFile

from wetread.errors import ExportError
from wetread.reports.export import ExportedFile, Source
from wetread.reports.export.plain_files import to_html
from wetread.reports.model import Report
from wetread.reports.view import TINTS

_CUT_OFF_PICTURES = ImageFile.LOAD_TRUNCATED_IMAGES
try:
    # Without Pango it prints a page of advice on stdout. Without HarfBuzz's subsetter, a package of its own, it
    # warns that a later version will want it; fontTools does the same for this one.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "HarfBuzz-Subset", DeprecationWarning)
        from weasyprint import HTML
        from weasyprint.logger import LOGGER
        from weasyprint.pdf import fonts
        from weasyprint.urls import URLFetcher
except OSError as error:
    raise ExportError(
        "WET-EXPORT-PANGO",
        "The PDF export needs Pango, which is not installed.",
        "Install it (Debian: libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0), or leave pdf out.",
    ) from error

# It lets the whole process take pictures that are cut off, and nothing else here may.
ImageFile.LOAD_TRUNCATED_IMAGES = _CUT_OFF_PICTURES
# It warns of each property that is meant for a screen.
LOGGER.setLevel(logging.ERROR)
# Where fontTools makes the subsets, they would carry the time at which they were made.
fonts.TTFont = partial(fonts.TTFont, recalcTimestamp=False)

VARIANT = "pdf/a-2a"

_SVG = re.compile(r"<svg [^>]*>")
# A drawing has styles of its own: those of the page do not reach into it.
_SVG_STYLE = (
    "<style>"
    ".shape rect, .shape path { fill: none; }"
    ".shape rect { stroke-width: 7; } .shape rect.under { stroke: #000; stroke-width: 13; stroke-opacity: .5; }"
    ".shape path { stroke-width: 5; }"
    "text.side { fill: #fff; stroke: #000; stroke-width: 1; font-weight: bold; font-family: sans-serif; }"
    + "".join(f".tint{place} rect, .tint{place} path {{ stroke: {tint}; }}" for place, tint in enumerate(TINTS))
    + "</style>"
)


def export(report: Report, source: Source) -> tuple[ExportedFile, ...]:
    """`report.pdf`."""
    data = source.once("pdf", report, lambda: to_pdf(report, source))
    return (ExportedFile(name="report.pdf", media_type="application/pdf", data=data),)


def to_pdf(report: Report, source: Source) -> bytes:
    """The report as PDF/A-2a, the same bytes for the same report, pictures and fonts.

    Args:
        report: The report.
        source: Its pictures and masks; what is not at hand is shown as missing.

    Raises:
        ExportError: `WET-EXPORT-PDF`, the page could not be laid out.
    """
    page = to_html(report, source)[0].data.decode()
    style = resources.files("wetread.prompts").joinpath("reports", "common", "pdf.css").read_text(encoding="utf-8")
    nothing = URLFetcher(allowed_protocols=("data",), allow_redirects=False)
    # behind the page's own styles, so that it prevails; text is escaped, so these tags are the template's
    page = page.replace("</head>", f"<style>{style}</style></head>", 1)
    document = HTML(string=_SVG.sub(lambda found: found[0] + _SVG_STYLE, page), url_fetcher=nothing)
    try:
        made: bytes = document.write_pdf(
            pdf_variant=VARIANT, pdf_tags=True, pdf_identifier=bytes.fromhex(report.sha256[:32])
        )
    except Exception as error:  # a fault of the layout, met with a page that a browser lays out
        raise ExportError(
            "WET-EXPORT-PDF",
            "WeasyPrint could not lay out the page.",
            "Export html and print that; --debug shows what failed.",
        ) from error
    return made
