"""Metrics of scores: a class against the rest, or all classes of a task in which exactly one holds."""
