"""How long a test waits for what it expects."""

PATIENCE = 60.0
"""Seconds until a test gives up. Only a failing test takes them."""
