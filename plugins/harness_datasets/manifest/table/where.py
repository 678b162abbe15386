"""The `where` of a manifest: `conflict == 0 and view != "XCCL"`. A few lines of our own, nothing is evaluated."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness import InputError, nearest
from harness_datasets.manifest.table.cells import number_of, text_of

Row = Mapping[str, Any]
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_MOST_CELLS_SHOWN = 3


@dataclass(frozen=True)
class _Cell:
    """The cell of a column: a number beside a number, else a text."""

    value: Any


@dataclass(frozen=True)
class Where:
    """An expression that keeps some of the rows.

    Args:
        text: as the user wrote it.
        tree: its syntax, with nothing in it that is not allowed.
    """

    text: str
    tree: ast.expr

    def __call__(self, row: Row) -> bool:
        """Return whether the row is kept."""
        return bool(_plain(_value(self.tree, row)))

    def unmatched(self, rows: Sequence[Row]) -> Iterator[str]:
        """Yield a sentence for each constant that is compared for equality with a column and equals no cell of it."""
        for column, constant in sorted(set(_compared(self.tree)), key=repr):
            cells = [row[column] for row in rows]
            if not any(_compare(ast.Eq(), _Cell(cell), constant) for cell in cells):
                texts = list(dict.fromkeys(text_of(cell) for cell in cells))
                held = ", ".join(map(repr, texts[:_MOST_CELLS_SHOWN])) + ", …" * (len(texts) > _MOST_CELLS_SHOWN)
                yield f"where = {self.text!r}: {constant!r} equals no cell of {column}, which holds {held}" + nearest(
                    str(constant), texts
                )


def parse_where(text: str, columns: Sequence[str]) -> Where:
    """Return the expression that decides whether a row is kept.

    Allowed are column names, numbers and strings, lists of them, comparisons (also `in`), `and`, `or`, `not` and
    brackets. A cell is compared with a text as text, with a number as a number: "0003" is no 3, and 3 is. A cell that
    is no number equals none, and is neither smaller nor larger. An empty cell equals "".

    Raises:
        InputError: anything else, or a column that does not exist.
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise InputError(f"where = {text!r}: not an expression: {error}") from error
    _check(tree, text, columns)
    return Where(text, tree)


def _check(node: ast.AST, text: str, columns: Sequence[str]) -> None:
    if isinstance(node, ast.Name):
        if node.id not in columns:
            raise InputError(f"where = {text!r}: no column named {node.id!r}{nearest(node.id, columns)}")
    elif isinstance(node, ast.Constant):
        if not isinstance(node.value, int | float | str):
            raise InputError(f"where = {text!r}: {node.value!r} is neither number nor text")
    elif isinstance(node, ast.Compare | ast.BoolOp | ast.List | ast.Tuple):
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.cmpop | ast.boolop | ast.expr_context):
                _check(child, text, columns)
            elif isinstance(child, ast.Is | ast.IsNot):
                raise InputError(f"where = {text!r}: write == and != instead of `is`")
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        _check(node.operand, text, columns)
    else:
        allowed = "columns, numbers, texts, lists, comparisons, and, or, not"
        raise InputError(f"where = {text!r}: {ast.unparse(node)!r} is not allowed, only {allowed}")


def _value(node: ast.AST, row: Row) -> Any:
    """Return a cell, a constant, a list of these, or a truth value."""
    if isinstance(node, ast.Name):
        return _Cell(row[node.id])
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, row) for item in node.elts]
    if isinstance(node, ast.UnaryOp):
        value = _plain(_value(node.operand, row))
        if isinstance(node.op, ast.Not):
            return not value
        return "" if isinstance(value, str) else -value  # the negative of a text is no number
    if isinstance(node, ast.BoolOp):
        parts = (_plain(_value(item, row)) for item in node.values)
        return all(parts) if isinstance(node.op, ast.And) else any(parts)
    assert isinstance(node, ast.Compare), "_check let nothing else through"
    values = [_value(node.left, row), *(_value(item, row) for item in node.comparators)]
    return all(_compare(kind, *values[i : i + 2]) for i, kind in enumerate(node.ops))


def _compare(kind: ast.cmpop, left: Any, right: Any) -> bool:
    if isinstance(kind, ast.In | ast.NotIn):
        if isinstance(right, list):
            found = any(_compare(ast.Eq(), left, item) for item in right)
        else:  # a text inside a text
            found = str(_as_beside(left, "")) in str(_as_beside(right, ""))
        return found == isinstance(kind, ast.In)
    one, other = _as_beside(left, right), _as_beside(right, left)
    try:
        return _COMPARE[type(kind)](one, other)
    except TypeError:  # a text is neither smaller nor larger than a number
        return False


def _as_beside(value: Any, other: Any) -> Any:
    """Return a cell as the type of the value that it is compared with."""
    if not isinstance(value, _Cell):
        return value
    if isinstance(other, str):
        return text_of(value.value)
    if isinstance(other, _Cell) and number_of(other.value) is None:
        return text_of(value.value)
    return _plain(value)


def _plain(value: Any) -> Any:
    """Return a cell as number where it reads as one, else as text; other values as they are."""
    if not isinstance(value, _Cell):
        return value
    number = number_of(value.value)
    return text_of(value.value) if number is None else number


def _compared(tree: ast.AST) -> Iterator[tuple[str, str | float]]:
    """Yield column and constant of each comparison for equality, also with the items of a list."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        for kind, left, right in zip(node.ops, sides, sides[1:], strict=False):
            if not isinstance(kind, ast.Eq | ast.NotEq) and not isinstance(right, ast.List | ast.Tuple):
                continue
            for name, other in ((left, right), (right, left)):
                if isinstance(name, ast.Name):
                    items = other.elts if isinstance(other, ast.List | ast.Tuple) else [other]
                    yield from ((name.id, item) for item in map(_constant, items) if item is not None)


def _constant(node: ast.AST) -> str | float | None:
    """Return the value of a constant, also of a negative number; None if it is none."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if isinstance(value, str | int | float) else None
