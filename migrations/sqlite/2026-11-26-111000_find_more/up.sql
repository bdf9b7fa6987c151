-- Devices are also found by the codes of their reasons, which the program writes beside them, and by the day of their last contact.
-- A day, because an index or a copy of the very time would have to be written at every contact.
ALTER TABLE devices ADD COLUMN reason_codes TEXT NOT NULL DEFAULT '';
UPDATE devices SET reason_codes = ' ' || (SELECT group_concat(json_extract(value, '$.code'), ' ') FROM json_each(reasons)) || ' '
    WHERE reasons <> '[]';
ALTER TABLE device_finder ADD COLUMN codes TEXT NOT NULL DEFAULT '';
ALTER TABLE device_finder ADD COLUMN seen_day BIGINT NOT NULL DEFAULT 0;
UPDATE device_finder SET (codes, seen_day) =
    (SELECT reason_codes, coalesce(last_seen_at, 0) / 86400000 FROM devices WHERE id = device_id);

DROP TRIGGER devices_find_insert;
CREATE TRIGGER devices_find_insert AFTER INSERT ON devices BEGIN
    INSERT INTO device_finder (device_id, user_id, platform, ownership, state, compliance, words, codes, seen_day)
        SELECT NEW.id, NEW.user_id, NEW.platform, NEW.ownership, NEW.state, NEW.compliance, NEW.search || char(10) || email,
            NEW.reason_codes, coalesce(NEW.last_seen_at, 0) / 86400000
        FROM users WHERE id = NEW.user_id;
END;
CREATE TRIGGER devices_find_reasons AFTER UPDATE OF reason_codes ON devices WHEN OLD.reason_codes IS NOT NEW.reason_codes BEGIN
    UPDATE device_finder SET codes = NEW.reason_codes WHERE device_id = NEW.id;
END;
CREATE TRIGGER devices_find_contact AFTER UPDATE OF last_seen_at ON devices
WHEN coalesce(OLD.last_seen_at, 0) / 86400000 <> coalesce(NEW.last_seen_at, 0) / 86400000 BEGIN
    UPDATE device_finder SET seen_day = coalesce(NEW.last_seen_at, 0) / 86400000 WHERE device_id = NEW.id;
END;
