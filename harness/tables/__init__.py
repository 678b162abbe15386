"""The tables that leaderboard and report show.

Given: predictions and terms of confirmed models.
Gives: data frames. Free of torch.
"""
