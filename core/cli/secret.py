"""`munshi secret`."""

import sys

from core import settings


def run() -> int:
    secret = settings.load().webhook_secret.get_secret_value()
    print("Whoever knows this secret can send orders to your desk: keep it out of chats and pictures.", file=sys.stderr)
    print(secret)
    return 0
