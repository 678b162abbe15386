"""The formulas of metrics, of scores and of maps.

Given: labels, scores, maps and masks as numpy arrays.
Gives: values. Free of torch.
"""
