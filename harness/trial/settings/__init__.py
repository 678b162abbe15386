"""The schemas of [train] and [explain.faithfulness].

Given: tables of a study file.
Gives: checked settings. Free of torch.
"""
