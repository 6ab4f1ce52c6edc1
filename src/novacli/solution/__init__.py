"""solution."""
