"""Names, parameters and tasks of the data sets, a file a family. Light: a builder imports what it needs."""
