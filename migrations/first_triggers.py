"""The triggers of the first tables: what no order may do, and no event may suffer, in each database's own words."""

_NO_ILLEGAL_MOVE = """
CREATE TRIGGER orders_move_legally BEFORE UPDATE OF state ON orders
WHEN OLD.state <> NEW.state
 AND NOT EXISTS (SELECT 1 FROM order_moves WHERE before = OLD.state AND after = NEW.state)
BEGIN SELECT RAISE(ABORT, 'an order cannot move like this'); END
"""
_EVENTS_STAY = """
CREATE TRIGGER events_{verb}_never BEFORE {verb} ON events
BEGIN SELECT RAISE(ABORT, 'events are only ever added'); END
"""
_NO_ILLEGAL_MOVE_ON_POSTGRESQL = """
CREATE FUNCTION orders_move_legally() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> NEW.state
   AND NOT EXISTS (SELECT 1 FROM order_moves WHERE before = OLD.state AND after = NEW.state) THEN
    RAISE EXCEPTION 'an order cannot move like this' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER orders_move_legally BEFORE UPDATE OF state ON orders
FOR EACH ROW EXECUTE FUNCTION orders_move_legally()
"""
_EVENTS_STAY_ON_POSTGRESQL = """
CREATE FUNCTION events_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events are only ever added' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER events_stay BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION events_stay();
CREATE TRIGGER events_stay_all BEFORE TRUNCATE ON events EXECUTE FUNCTION events_stay()
"""

MADE = {
    "sqlite": [_NO_ILLEGAL_MOVE, *(_EVENTS_STAY.format(verb=verb) for verb in ("UPDATE", "DELETE"))],
    "postgresql": [_NO_ILLEGAL_MOVE_ON_POSTGRESQL, _EVENTS_STAY_ON_POSTGRESQL],
}
LEFT_OVER: dict[str, list[str]] = {"sqlite": [], "postgresql": ["orders_move_legally", "events_stay"]}
"""Functions that do not go away with their table."""
