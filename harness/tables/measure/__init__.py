"""Tables of single models: values, intervals and costs.

Given: predictions and terms of confirmed models.
Gives: a row per model, class and metric.
"""
