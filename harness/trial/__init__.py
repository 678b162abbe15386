"""The worker's side: one trial, from cached images to tables. Knows no Ray, Optuna or MLflow."""
