"""GMIC of 2021 (`component`) and of 2019 (`gmic_2019`): a global map, crops chosen by it, attention over the crops."""
