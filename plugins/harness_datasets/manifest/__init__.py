"""`manifest`: images that a table lists, each by itself, as bags or as exams."""
