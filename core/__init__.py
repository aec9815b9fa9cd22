"""Munshi's core: what the desk is. No Telegram and no HTTP server in here."""

__version__ = "0.1.0"
