"""The command line: study, predict, explain, plugin, data, doctor, ui."""
