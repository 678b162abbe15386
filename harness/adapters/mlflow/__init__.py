"""An observer that sends the journal to MLflow, each event once.

Given: events.
Gives: runs, metrics and artifacts.
"""
