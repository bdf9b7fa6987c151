DROP TRIGGER gate_browsers_update;
DROP TABLE gate_tickets;
DROP TABLE gate_cookies;
