"""Tests of single modules; ``tests/solvehost/attacks`` tests ``forced_command`` and ``detached`` as running programs."""
