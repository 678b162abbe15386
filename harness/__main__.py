"""The command `harness`, so small that Ctrl-C is heard from its first moment: everything is imported inside."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command; an interruption while it starts ends it as one while it runs does."""
    try:
        from harness.cli.main import main as start

        start()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
