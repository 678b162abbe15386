"""`manifest`: images that a table lists, each by itself, as bags or as exams.

`component` and `task` declare it, `dataset` is the data set. `table`, `rows`, `where` and `entries` read the table,
`samples` and `assign` make samples and splits of its rows. `files`, `reading`, `images` and `mammograms` read the files
that it names, and `notes` says how.
"""
