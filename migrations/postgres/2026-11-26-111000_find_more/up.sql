-- Devices are also found by the codes of their reasons, which the program writes beside them, and by the day of their last contact.
-- A day, because an index or a copy of the very time would have to be written at every contact.
ALTER TABLE devices ADD COLUMN reason_codes TEXT NOT NULL DEFAULT '';
UPDATE devices SET reason_codes = ' ' || (SELECT string_agg(reason ->> 'code', ' ') FROM json_array_elements(reasons::json) AS reason) || ' '
    WHERE reasons <> '[]';
ALTER TABLE device_finder ADD COLUMN codes TEXT NOT NULL DEFAULT '';
ALTER TABLE device_finder ADD COLUMN seen_day BIGINT NOT NULL DEFAULT 0;
UPDATE device_finder SET codes = reason_codes, seen_day = coalesce(last_seen_at, 0) / 86400000 FROM devices WHERE devices.id = device_id;

CREATE FUNCTION find_new_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO device_finder (device_id, user_id, platform, ownership, state, compliance, words, codes, seen_day)
        SELECT NEW.id, NEW.user_id, NEW.platform, NEW.ownership, NEW.state, NEW.compliance, NEW.search || chr(10) || email,
            NEW.reason_codes, coalesce(NEW.last_seen_at, 0) / 86400000
        FROM users WHERE id = NEW.user_id;
    RETURN NULL;
END
$$;
DROP TRIGGER devices_find ON devices;
CREATE TRIGGER devices_find AFTER INSERT ON devices FOR EACH ROW EXECUTE FUNCTION find_new_device();

CREATE FUNCTION find_device_more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE device_finder SET codes = NEW.reason_codes, seen_day = coalesce(NEW.last_seen_at, 0) / 86400000 WHERE device_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER devices_find_more AFTER UPDATE OF reason_codes, last_seen_at ON devices FOR EACH ROW
WHEN (OLD.reason_codes <> NEW.reason_codes OR coalesce(OLD.last_seen_at, 0) / 86400000 <> coalesce(NEW.last_seen_at, 0) / 86400000)
EXECUTE FUNCTION find_device_more();
