"""The operator's face: Telegram in front of the desk."""

import os

# python-telegram-bot gives waits as timedelta with it, and warns of a deprecation without it.
os.environ.setdefault("PTB_TIMEDELTA", "1")
