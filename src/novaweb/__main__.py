"""``nova-web`` and ``python -m novaweb``."""

from __future__ import annotations

from novaweb.cli.main import main

if __name__ == "__main__":
    main()
