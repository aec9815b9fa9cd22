"""`munshi migrate`."""

from core import settings
from core.db.migration import migrate


def run() -> int:
    migrate(settings.load())
    print("The database is at this version's schema.")
    return 0
