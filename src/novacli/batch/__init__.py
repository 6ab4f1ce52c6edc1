"""Thousands of frames: which ones, what is known of each (the ledger), who solves them, and what came out."""
