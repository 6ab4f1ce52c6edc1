"""Tests of single modules; ``attacks`` tests ``forced_command`` and ``detached`` as running programs."""
