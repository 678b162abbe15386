"""The `where` of a manifest: `conflict == 0 and view != "XCCL"`. A few lines of our own, nothing is evaluated."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from harness import InputError, nearest

Row = Mapping[str, Any]
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


def parse_where(text: str, columns: list[str]) -> Callable[[Row], bool]:
    """Return the function that decides whether a row is kept.

    Allowed are column names, numbers and strings, lists of them, comparisons (also `in`), `and`,
    `or`, `not` and brackets. A cell that reads as a number is one; an empty cell equals "" and is
    neither smaller nor larger than anything.

    Raises:
        InputError: anything else, or a column that does not exist.
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise InputError(f"where = {text!r}: not an expression: {error}") from error
    _check(tree, text, columns)
    return lambda row: bool(_value(tree, row))


def _check(node: ast.AST, text: str, columns: list[str]) -> None:
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
    if isinstance(node, ast.Name):
        return as_number(row[node.id])
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, row) for item in node.elts]
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, row)
        return not value if isinstance(node.op, ast.Not) else -value
    if isinstance(node, ast.BoolOp):
        parts = (_value(item, row) for item in node.values)
        return all(parts) if isinstance(node.op, ast.And) else any(parts)
    assert isinstance(node, ast.Compare), "_check let nothing else through"
    values = [_value(node.left, row), *(_value(item, row) for item in node.comparators)]
    return all(_compare(kind, *values[i : i + 2]) for i, kind in enumerate(node.ops))


def _compare(kind: ast.cmpop, left: Any, right: Any) -> bool:
    try:
        return _COMPARE[type(kind)](left, right)
    except TypeError:  # a text is neither smaller nor larger than a number
        return False


def as_number(cell: Any) -> Any:
    """Return the cell as int or float where it reads as one, else as it is; None becomes ""."""
    if not isinstance(cell, str):
        return "" if cell is None else cell
    for convert in (int, float):
        try:
            return convert(cell)
        except ValueError:
            continue
    return cell
