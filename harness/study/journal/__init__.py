"""The append-only journal and the files of a study.

Given: events.
Gives: records; the journal is the truth.
"""
