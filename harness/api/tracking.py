"""Upload of a written report to the tracking store."""

from __future__ import annotations

from harness.api.session import Session
from harness.study.results.results import Results


def send_report(results: Results, session: Session) -> str:
    """Send the report and the intervals to the tracking store; return why that failed, or an empty text."""
    from harness.adapters.mlflow.client import in_brief
    from harness.adapters.mlflow.store import Sender
    from harness.config.tracking import artifact_root, tracking_uri

    sender = Sender(tracking_uri(session.settings), results.folder, artifact_root(session.settings))
    try:
        sender.send()
        sender.send_values(_intervals(results))
    except Exception as error:  # any error of the store or the network: the report itself is written
        return f"tracking: the report is not sent yet ({in_brief(error)}); `harness doctor --send` sends it"
    finally:
        sender.close()
    return ""


def _intervals(results: Results) -> dict[str, dict[str, float]]:
    """Return each variant's intervals over patients and its difference to the baseline, under MLflow's names."""
    ids = {variant.name: variant.id for variant in results.plan.variants}
    rows = results.variants.set_index("variant")
    wanted = [name for name in rows.columns if name.endswith(("_low", "_high", "_difference"))]
    found = {}
    for row in rows.reset_index().to_dict("records"):
        found[ids[str(row["variant"])]] = {f"interval/{column}": float(row[column]) for column in wanted}
    return found
