DROP TRIGGER devices_find_contact;
DROP TRIGGER devices_find_reasons;
DROP TRIGGER devices_find_insert;
CREATE TRIGGER devices_find_insert AFTER INSERT ON devices BEGIN
    INSERT INTO device_finder (device_id, user_id, platform, ownership, state, compliance, words)
        SELECT NEW.id, NEW.user_id, NEW.platform, NEW.ownership, NEW.state, NEW.compliance, NEW.search || char(10) || email
        FROM users WHERE id = NEW.user_id;
END;
ALTER TABLE device_finder DROP COLUMN seen_day;
ALTER TABLE device_finder DROP COLUMN codes;
ALTER TABLE devices DROP COLUMN reason_codes;
