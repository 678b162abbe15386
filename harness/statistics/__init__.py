"""Statistics: resampling, DeLong, multiplicity, ranks, variance, ensembles.

Given: numpy arrays.
Gives: estimates, intervals and p-values. Free of torch.
"""
