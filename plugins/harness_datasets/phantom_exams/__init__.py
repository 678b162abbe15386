"""`phantom_exams`: exams of several views of the patients of `phantom_mammograms`."""
