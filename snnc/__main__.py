"""``python -m snnc``, and the command ``snnc``."""

import os
import sys


def main() -> None:
    """Run the command line, which takes a moment to load, and can be interrupted then as well."""
    try:
        from snnc import cli
    except KeyboardInterrupt:
        sys.stderr.write("snnc: interrupted\n")
        sys.stderr.flush()
        os._exit(130)
    cli.main()


if __name__ == "__main__":
    main()
