"""The command line: study, plugin, data, doctor, ui."""
