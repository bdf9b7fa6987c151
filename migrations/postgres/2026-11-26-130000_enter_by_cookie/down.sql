DROP TRIGGER gate_browsers_update ON browsers;
DROP TABLE gate_tickets;
DROP TABLE gate_cookies;
