"""The driver's side: study files, plans, the journal, and the run that they make."""
