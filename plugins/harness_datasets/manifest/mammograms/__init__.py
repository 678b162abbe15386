"""Normalisation of mammograms: breasts face right, everything but the breast is 0, a window holds the breast.

Follows the preparation that GMIC was trained on, but finds the breast also where the background is
not strictly 0 (scanned film, detector noise) and where marks are burned in.

Source: Shen et al. 2021, Medical Image Analysis 68, 101908; Wu et al. 2020, IEEE TMI 39(4), 1184.

`words` reads tables, `breast` finds the breast, `window` places and cuts the window.
"""
