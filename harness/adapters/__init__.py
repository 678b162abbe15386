"""The only packages that import Ray, Optuna or MLflow, and a tuner that needs none of them.

Given: a plan, the journal, specs.
Gives: trials run, configurations sampled, runs tracked.
"""
