"""`feature_bags`: bags of feature vectors that a table lists."""
