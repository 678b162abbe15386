"""A plan as JSON and back: what plan.json and the journal's first event hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.contract.types import Claim, Objective, Plan, Skip, VariantPlan


def plan_to_json(plan: Plan) -> str:
    """The plan as one JSON document."""
    return json.dumps(asdict(plan), sort_keys=True, indent=1, default=str)


def plan_from_json(text: str | Mapping[str, Any]) -> Plan:
    """The plan that `plan_to_json` wrote, from its text or from the parsed document."""
    values = dict(json.loads(text) if isinstance(text, str) else text)
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
