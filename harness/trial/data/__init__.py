"""Images from files to batches: cache, stages, augmentation.

Given: a data set.
Gives: batches; masks and the test split only where a stage allows it.
"""
