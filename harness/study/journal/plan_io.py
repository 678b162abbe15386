"""Plans as JSON and back, for plan.json and the first event of the journal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.contract.types import Claim, Objective, Plan, Skip, VariantPlan
from harness.study.journal.format import FORMAT, check_format


def plan_to_json(plan: Plan) -> str:
    """Return the plan as one JSON document."""
    return json.dumps({"format": FORMAT, **asdict(plan)}, sort_keys=True, indent=1, default=str)


def plan_from_json(text: str | Mapping[str, Any], path: Path = Path("plan.json")) -> Plan:
    """Return the plan that `plan_to_json` wrote, from its text or from the parsed document.

    Raises:
        InputError: another version wrote it, in a format that is not read; `path` is named.
    """
    values = dict(json.loads(text) if isinstance(text, str) else text)
    check_format(values.pop("format", None), path)
    values["path"] = Path(values["path"])
    values["objective"] = Objective(**values["objective"])
    values["variants"] = tuple(_variant(item) for item in values["variants"])
    values["skipped"] = tuple(Skip(**item) for item in values["skipped"])
    values["claims"] = tuple(Claim(**item) for item in values.get("claims", ()))
    for key in ("metrics", "warnings", "overrides"):
        values[key] = tuple(values.get(key, ()))
    return Plan(**values)


def _variant(values: Mapping[str, Any]) -> VariantPlan:
    return VariantPlan(**{**values, "searched": tuple(values["searched"]), "needs": tuple(values["needs"])})
