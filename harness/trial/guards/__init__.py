"""The global state of a worker while components run: what they change is put back and named.

Given: a component that is called, or a stage of a trial.
Gives: the state as it was, and a note for each kind of change.
"""
