"""Keys of metrics, as objectives and phases name them: `val/<metric>`, `val/<head>/<metric>`, or with `/<class>`."""

from __future__ import annotations

from collections.abc import Collection

RANKED = "auroc"
"""The metric that ranks variants, with tests by clustered DeLong; the default metric of a study."""


def metric_of(key: str, known: Collection[str]) -> str | None:
    """Return the metric that a key names; None if it is none of the `known` ones."""
    parts = key.split("/")[1:]
    return next((part for part in parts[:2] if part in known), None)


def head_of(key: str, known: Collection[str]) -> str:
    """Return the head that a key names; "" for the model's own output."""
    parts = key.split("/")[1:]
    return parts[0] if len(parts) > 1 and parts[0] not in known else ""
