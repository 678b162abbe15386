"""`digit_bags` and `mnist_bags`: bags of handwritten digits."""
