"""A build's variants as a table on the console."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from toolchain.report.report import NOT_MEASURED, Report, VariantReport

COLUMNS = ("variant", "bytes raw", "gzip", "stored", "resident", "max abs", "min cosine", "accuracy", "ms")


def table(report: Report) -> Table:
    """The variants as a table for the console."""
    result = Table(title=escape(f"{report.bundle}: {report.size:,} bytes for {report.target}"), title_justify="left")
    for number, column in enumerate(COLUMNS):
        result.add_column(column, justify="left" if number == 0 else "right")
    for item in report.variants:
        result.add_row(*_row(item, item.name == report.default_variant))
    return result


def _row(item: VariantReport, default: bool) -> tuple[str, ...]:
    sizes = (item.bytes.raw, item.bytes.gzip, item.bytes.stored, item.resident)
    parity = item.parity[0] if item.parity else None
    return (
        item.name + (" (default)" if default else ""),
        *(NOT_MEASURED if size is None else f"{size:,}" for size in sizes),
        NOT_MEASURED if parity is None else f"{parity['max_abs']:.2g}",
        NOT_MEASURED if parity is None else f"{parity['min_cosine']:.5f}",
        item.accuracy_text(),
        NOT_MEASURED if item.milliseconds is None else f"{item.milliseconds:.2f}",
    )
