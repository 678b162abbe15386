"""Benchmarks of `make bench`; each ratio is taken against a baseline in the same run."""

import os

# One driver and its workers share the cores: the size of thread pools is set here, before any other import.
os.environ.setdefault("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1)))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command `harness` does
