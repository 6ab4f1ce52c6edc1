"""``nova`` and ``python -m novacli``."""

from __future__ import annotations

from novacli.cli.main import main

if __name__ == "__main__":
    main()
