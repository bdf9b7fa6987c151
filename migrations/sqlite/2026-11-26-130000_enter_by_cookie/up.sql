-- The cookie by which an enrolled browser is known to the gate, one for each host that was entered.
CREATE TABLE gate_cookies (
    enrollment_id BLOB NOT NULL REFERENCES browsers (enrollment_id) ON DELETE CASCADE,
    host TEXT NOT NULL, -- of the application; the cookie counts for no other
    hash BLOB NOT NULL UNIQUE, -- SHA-256 of the cookie
    created_at BIGINT NOT NULL,
    PRIMARY KEY (enrollment_id, host)
);
-- What an enrolled browser takes from this server to an application once, to be given the cookie there.
CREATE TABLE gate_tickets (
    hash BLOB NOT NULL PRIMARY KEY, -- SHA-256 of the ticket
    enrollment_id BLOB NOT NULL REFERENCES browsers (enrollment_id) ON DELETE CASCADE,
    host TEXT NOT NULL, -- where it can be spent
    expires_at BIGINT NOT NULL
);
-- store::gate_cookies::purge_tickets
CREATE INDEX gate_tickets_expires_at ON gate_tickets (expires_at);

-- A cookie that was replaced or withdrawn, and an enrollment that ends earlier than it did.
CREATE TRIGGER gate_cookies_update AFTER UPDATE ON gate_cookies
BEGIN
    INSERT INTO gate_changes SELECT (SELECT coalesce(max(sequence), 0) + 1 FROM gate_changes), enrollments.device_id, CAST(unixepoch('subsec') * 1000 AS INTEGER)
    FROM enrollments WHERE enrollments.id = OLD.enrollment_id AND enrollments.device_id IS NOT NULL;
END;
CREATE TRIGGER gate_cookies_delete AFTER DELETE ON gate_cookies
BEGIN
    INSERT INTO gate_changes SELECT (SELECT coalesce(max(sequence), 0) + 1 FROM gate_changes), enrollments.device_id, CAST(unixepoch('subsec') * 1000 AS INTEGER)
    FROM enrollments WHERE enrollments.id = OLD.enrollment_id AND enrollments.device_id IS NOT NULL;
END;
CREATE TRIGGER gate_browsers_update AFTER UPDATE ON browsers WHEN NEW.expires_at < OLD.expires_at
BEGIN
    INSERT INTO gate_changes SELECT (SELECT coalesce(max(sequence), 0) + 1 FROM gate_changes), enrollments.device_id, CAST(unixepoch('subsec') * 1000 AS INTEGER)
    FROM enrollments WHERE enrollments.id = OLD.enrollment_id AND enrollments.device_id IS NOT NULL;
END;
