"""Faster R-CNN with a feature pyramid, trained on boxes made from masks."""
