"""Pure functions over tables: metrics, statistics, figures, the report. Free of torch."""
