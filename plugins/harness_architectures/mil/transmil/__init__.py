"""TransMIL of Shao et al.; `nystrom` is its attention."""
