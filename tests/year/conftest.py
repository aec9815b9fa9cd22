"""The same database as the engine's tests have."""

from tests.unit.engine.conftest import database

__all__ = ["database"]
