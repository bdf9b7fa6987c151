-- What has changed of that from which the gate decides, so that every server forgets what it remembers of it. An empty device
-- means all of them. Written by triggers, in the transaction of the change itself, so that no writer can forget it.
CREATE TABLE gate_changes (
    sequence BIGINT NOT NULL, -- grows from one transaction to the next; store::gate says how it is read
    device_id BLOB NOT NULL, -- no reference: that the device is gone is one of the changes
    at BIGINT NOT NULL, -- by the database's clock
    PRIMARY KEY (sequence, device_id)
);
-- store::gate::purge
CREATE INDEX gate_changes_at ON gate_changes (at);

CREATE TRIGGER gate_devices_update AFTER UPDATE ON devices
WHEN OLD.user_id IS NOT NEW.user_id OR OLD.platform IS NOT NEW.platform OR OLD.ownership IS NOT NEW.ownership
    OR OLD.state IS NOT NEW.state OR OLD.enrollment_id IS NOT NEW.enrollment_id OR OLD.model IS NOT NEW.model
    OR OLD.product_name IS NOT NEW.product_name OR OLD.os_version IS NOT NEW.os_version
    OR OLD.compliance IS NOT NEW.compliance OR OLD.reasons IS NOT NEW.reasons OR OLD.deadline IS NOT NEW.deadline
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, NEW.id, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;
CREATE TRIGGER gate_devices_delete AFTER DELETE ON devices
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, OLD.id, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;

CREATE TRIGGER gate_postures_insert AFTER INSERT ON postures
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, NEW.device_id, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;
CREATE TRIGGER gate_postures_update AFTER UPDATE ON postures WHEN OLD.facts IS NOT NEW.facts
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, NEW.device_id, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;
CREATE TRIGGER gate_postures_delete AFTER DELETE ON postures
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, OLD.device_id, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;

CREATE TRIGGER gate_exceptions_insert AFTER INSERT ON access_exceptions
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, NEW.device_id, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;
CREATE TRIGGER gate_exceptions_update AFTER UPDATE ON access_exceptions
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, NEW.device_id, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;
CREATE TRIGGER gate_exceptions_delete AFTER DELETE ON access_exceptions
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, OLD.device_id, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;

CREATE TRIGGER gate_enrollments_update AFTER UPDATE ON enrollments
WHEN OLD.device_id IS NOT NEW.device_id OR OLD.state IS NOT NEW.state OR OLD.fingerprint IS NOT NEW.fingerprint
BEGIN
    INSERT INTO gate_changes SELECT (SELECT coalesce(max(sequence), 0) + 1 FROM gate_changes), devices.id, CAST(unixepoch('subsec') * 1000 AS INTEGER)
    FROM devices WHERE devices.id IN (OLD.device_id, NEW.device_id);
END;

CREATE TRIGGER gate_certificates_update AFTER UPDATE ON certificates
WHEN OLD.revoked_at IS NOT NEW.revoked_at OR OLD.not_after IS NOT NEW.not_after OR OLD.enrollment_id IS NOT NEW.enrollment_id
BEGIN
    INSERT INTO gate_changes SELECT (SELECT coalesce(max(sequence), 0) + 1 FROM gate_changes), enrollments.device_id, CAST(unixepoch('subsec') * 1000 AS INTEGER)
    FROM enrollments WHERE enrollments.id = NEW.enrollment_id AND enrollments.device_id IS NOT NULL;
END;
CREATE TRIGGER gate_certificates_delete AFTER DELETE ON certificates
BEGIN
    INSERT INTO gate_changes SELECT (SELECT coalesce(max(sequence), 0) + 1 FROM gate_changes), enrollments.device_id, CAST(unixepoch('subsec') * 1000 AS INTEGER)
    FROM enrollments WHERE enrollments.id = OLD.enrollment_id AND enrollments.device_id IS NOT NULL;
END;

CREATE TRIGGER gate_users_update AFTER UPDATE ON users WHEN OLD.state IS NOT NEW.state OR OLD.email IS NOT NEW.email
BEGIN
    INSERT INTO gate_changes SELECT (SELECT coalesce(max(sequence), 0) + 1 FROM gate_changes), devices.id, CAST(unixepoch('subsec') * 1000 AS INTEGER)
    FROM devices WHERE devices.user_id = NEW.id;
END;

CREATE TRIGGER gate_members_insert AFTER INSERT ON group_members
BEGIN
    INSERT INTO gate_changes SELECT (SELECT coalesce(max(sequence), 0) + 1 FROM gate_changes), devices.id, CAST(unixepoch('subsec') * 1000 AS INTEGER)
    FROM devices WHERE devices.user_id = NEW.user_id;
END;
CREATE TRIGGER gate_members_delete AFTER DELETE ON group_members
BEGIN
    INSERT INTO gate_changes SELECT (SELECT coalesce(max(sequence), 0) + 1 FROM gate_changes), devices.id, CAST(unixepoch('subsec') * 1000 AS INTEGER)
    FROM devices WHERE devices.user_id = OLD.user_id;
END;

CREATE TRIGGER gate_settings_insert AFTER INSERT ON settings WHEN NEW.key IN ('access_rules', 'organization')
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, X'', CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;
CREATE TRIGGER gate_settings_update AFTER UPDATE ON settings WHEN NEW.key IN ('access_rules', 'organization')
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, X'', CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;
CREATE TRIGGER gate_settings_delete AFTER DELETE ON settings WHEN OLD.key IN ('access_rules', 'organization')
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, X'', CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;

CREATE TRIGGER gate_excluded_insert AFTER INSERT ON access_excluded_groups
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, X'', CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;
CREATE TRIGGER gate_excluded_delete AFTER DELETE ON access_excluded_groups
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, X'', CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;

CREATE TRIGGER gate_policies_insert AFTER INSERT ON policies
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, X'', CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;
CREATE TRIGGER gate_policies_update AFTER UPDATE ON policies
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, X'', CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;
CREATE TRIGGER gate_policies_delete AFTER DELETE ON policies
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, X'', CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;
CREATE TRIGGER gate_policy_groups_insert AFTER INSERT ON policy_groups
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, X'', CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;
CREATE TRIGGER gate_policy_groups_delete AFTER DELETE ON policy_groups
BEGIN
    INSERT INTO gate_changes SELECT coalesce(max(sequence), 0) + 1, X'', CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM gate_changes;
END;
