"""The figures of the report, as SVG and PNG bytes.

Given: values and maps.
Gives: pictures.
"""
