"""The only files that import Ray, Optuna or MLflow, and the tuner that needs none of them."""
