"""One trial: training, test and prediction; `trial.run_trial` is the generator.

Given: a JSON spec, a catalog and a workspace.
Gives: epochs, then a result. Knows no Ray, Optuna or MLflow.
"""
