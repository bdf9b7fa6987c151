-- The cookie by which an enrolled browser is known to the gate, one for each host that was entered.
CREATE TABLE gate_cookies (
    enrollment_id BYTEA NOT NULL REFERENCES browsers (enrollment_id) ON DELETE CASCADE,
    host TEXT NOT NULL, -- of the application; the cookie counts for no other
    hash BYTEA NOT NULL UNIQUE, -- SHA-256 of the cookie
    created_at BIGINT NOT NULL,
    PRIMARY KEY (enrollment_id, host)
);
-- What an enrolled browser takes from this server to an application once, to be given the cookie there.
CREATE TABLE gate_tickets (
    hash BYTEA NOT NULL PRIMARY KEY, -- SHA-256 of the ticket
    enrollment_id BYTEA NOT NULL REFERENCES browsers (enrollment_id) ON DELETE CASCADE,
    host TEXT NOT NULL, -- where it can be spent
    expires_at BIGINT NOT NULL
);
-- store::gate_cookies::purge_tickets
CREATE INDEX gate_tickets_expires_at ON gate_tickets (expires_at);

-- A cookie that was replaced or withdrawn, and an enrollment that ends earlier than it did. gate_follow_certificate notes the
-- device of an enrollment, which is what all three need.
CREATE TRIGGER gate_cookies_change AFTER UPDATE OR DELETE ON gate_cookies FOR EACH ROW EXECUTE FUNCTION gate_follow_certificate();
CREATE TRIGGER gate_browsers_update AFTER UPDATE ON browsers FOR EACH ROW WHEN (NEW.expires_at < OLD.expires_at)
EXECUTE FUNCTION gate_follow_certificate();
