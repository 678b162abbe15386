"""The seams between the harness and a component: what is handed over, what comes back.

Given: batches and outputs.
Gives: batches without what a stage may not see, and errors that name the component.
"""
