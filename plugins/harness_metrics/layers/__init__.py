"""Metrics of maps beside pictures of the skin's layers in grey code."""
