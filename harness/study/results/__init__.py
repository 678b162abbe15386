"""Results of a study, as read from its folder.

Given: the journal and the files of its trials.
Gives: data frames and confirmed models.
"""
