"""The training loop: phases, learning rates, checkpoints.

Given: a model, batches and [train].
Gives: an epoch at a time.
"""
