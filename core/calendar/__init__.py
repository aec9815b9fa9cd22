"""The bundled calendar: one JSON per year with holidays, special sessions and dated hours, and their loader."""

from core.calendar.loader import BadCalendar, load_calendar

__all__ = ["BadCalendar", "load_calendar"]
