"""Identities of studies and variants: hashes of everything that changes a result, and of nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical(value: Any) -> str:
    """Return one text for equal values: JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def study_id(
    tree: Mapping[str, Any],
    *,
    objective: Mapping[str, Any],
    search: Mapping[str, Any],
    confirm: Mapping[str, Any],
    digest: str,
    plugins: Mapping[str, str],
) -> str:
    """Return the sha256 of the base with budget and --set, the data's digest and the versions of its plugins.

    Variants, `select`, question, baseline, metrics and [explain] are no part of it.
    """
    return _sha256(
        {
            "tree": tree,
            "objective": objective,
            "search": search,
            "confirm": confirm,
            "digest": digest,
            "plugins": plugins,
        }
    )


def variant_id(study: str, name: str, tree: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """Return the sha256 of the study's id, the variant's name and its resolved tree.

    Args:
        study: the study's id.
        name: the variant's name.
        tree: the variant's resolved tree.
        own: facts of this variant alone: the digest of its data set, those of files that its parameters name,
            versions of plugins that the base does not use. Often empty.
    """
    return _sha256([study, name, tree, *([own] if own else [])])


def _sha256(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()
