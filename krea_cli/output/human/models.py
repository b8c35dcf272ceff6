"""
Draw models.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, ConsoleOptions
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from krea_cli.catalog import schema_text
from krea_cli.output.escape import collapse_whitespace, single_line
from krea_cli.output.human.format_text import amount, rounded_price
from krea_cli.output.human.layout import (
    GAP,
    FirstThatFits,
    Parts,
    ResponsiveTable,
    WrappedLine,
    table,
    wrap_sentence,
)
from krea_cli.output.results.models import (
    FieldDetails,
    ModelChange,
    ModelDetails,
    ModelRow,
)

_MIN_VALUE = 20
_STYLES = {"added": "green", "removed": "red", "deprecated": "yellow"}


def rows(_: ModelRow, results: Sequence[ModelRow]) -> Parts:
    """
    Draw a row for each model, and explain the prices.
    """
    titles = ("MODEL", "KIND", "NAME", "INPUT", "PRICE")
    ranges, lowest = (
        [_row(row, is_range=is_range) for row in results] for is_range in (True, False)
    )
    yield FirstThatFits(
        ResponsiveTable(titles, ranges),
        ResponsiveTable(titles, lowest, optional=("KIND", "NAME", "INPUT")),
    )
    models = f"{len(results)} model{'s' * (len(results) != 1)}"
    legend = f"{models}. Price of one request in USD, rounded up to $0.001."
    yield wrap_sentence(legend, "dim", hanging=0)


def _row(row: ModelRow, *, is_range: bool) -> list[Text]:
    model = row.model
    model_id = f"{model.id} (deprecated)" if model.deprecated else model.id
    price = rounded_price(model, is_range=is_range)
    style = "dim" if model.deprecated else ""
    cells = (model_id, model.kind, model.name, row.input, price)
    return [Text(collapse_whitespace(cell), style) for cell in cells]


def details(_: ModelDetails, results: Sequence[ModelDetails]) -> Parts:
    """
    Draw all details of a model, fields first.
    """
    for result in results:
        model = result.model
        title = [
            Text(collapse_whitespace(model.name), "bold"),
            Text(collapse_whitespace(model.id)),
        ]
        if model.deprecated:
            title.append(Text("deprecated", "yellow"))
        yield WrappedLine(title, hanging=GAP)
        yield Text()
        yield _Fields(result)
        if any(field.is_automatic for field in result.fields):
            automatic = "automatic: taken from the image (-i); resolution: the smallest"
            yield wrap_sentence(automatic, "dim", hanging=GAP)
        if result.unchecked:
            rules = f"not checked: {', '.join(result.unchecked)}"
            yield wrap_sentence(collapse_whitespace(rules), "dim", hanging=GAP)
        yield Text()
        yield _prices(result)
        yield Text()
        yield Text("EXAMPLE", "dim")
        yield Text(single_line(result.example))


def changes(_: ModelChange, results: Sequence[ModelChange]) -> Parts:
    """
    Draw a row for each change.
    """
    rows = []
    for result in results:
        what = result.change.what
        model, details = (
            collapse_whitespace(result.change.model.id),
            collapse_whitespace(result.details),
        )
        rows.append((Text(what, _STYLES.get(what, "cyan")), Text(model), Text(details)))
    return (ResponsiveTable(("CHANGE", "MODEL", ""), rows),)


class _Fields:
    """
    Draw the fields in columns, or stacked if long names leave too little room.
    """

    def __init__(self, result: ModelDetails) -> None:
        self._result = result
        self._fields = sorted(result.fields, key=lambda field: not field.is_required)

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> Parts:
        cells = [self._cells(field) for field in self._fields]
        sheet = _table("FIELD", "VALUE", "DEFAULT")
        room = options.max_width
        for index in (0, 2):
            column = sheet.columns[index]
            column.no_wrap = True
            longest = max(row[index].cell_len for row in cells)
            room -= max(longest, len(str(column.header))) + 2
        if room < _MIN_VALUE:
            yield from _stacked(cells)
            return
        for row in cells:
            sheet.add_row(*row)
        yield sheet

    def _cells(self, field: FieldDetails) -> tuple[Text, Text, Text]:
        style = "bold" if field.is_required else ""
        return (
            Text(collapse_whitespace(field.name), style),
            Text(collapse_whitespace(self._allowed(field))),
            Text(collapse_whitespace(field.unless_given), style or "dim"),
        )

    def _allowed(self, field: FieldDetails) -> str:
        """
        Describe the allowed values. For file fields, give the number of files and the
        option instead of the URLs that the schema allows.
        """
        model = self._result.model
        media = {media.name: media for media in model.media_fields}.get(field.name)
        if media is None:
            return field.allowed
        how = "-i" if media == model.input_field else f"-p {media.name}=@FILE"
        sentence = f"{amount(media)}, with {how}"
        beside = schema_text.describe_beside(field.schema, media.url_key)
        return f"{sentence}; also {beside}" if beside else sentence


def _stacked(cells: Iterable[tuple[Text, Text, Text]]) -> Parts:
    for name, value, default in cells:
        yield name + Text("  ") + default
        yield Padding(value, (0, 0, 0, 4))


def _prices(result: ModelDetails) -> Table:
    date = collapse_whitespace(result.model.price_date or "")
    sheet = _table("PRICE", f"per request, as of {date}" if date else "")
    for usd, when in result.prices:
        sheet.add_row(Text(usd), Text(when))
    return sheet


def _table(*titles: str) -> Table:
    return table(*(Column(title, overflow="fold") for title in titles))
