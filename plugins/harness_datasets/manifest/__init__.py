"""`manifest`: images that a table lists, each by itself, as bags or as exams.

`component` and `task` declare it, `dataset` is the data set. `table`, `rows`, `where` and `entries` read the table,
`samples` and `assign` make samples and splits of its rows, `files`, `images` and `mammograms` read what it names.
"""
