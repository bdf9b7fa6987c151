-- What devices are found by, and nothing else, in the order of their identifiers: store::devices::list looks through all of it where
-- it has to, and it is a tenth of what the devices themselves take. Triggers write it, and only when something in it changes.
CREATE TABLE device_finder (
    device_id BLOB NOT NULL PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    user_id BLOB NOT NULL, -- as the device says
    platform TEXT NOT NULL CHECK (platform IN ('ios', 'ipados', 'macos', 'android', 'browser', 'other')),
    ownership TEXT NOT NULL CHECK (ownership IN ('company', 'personal')),
    state TEXT NOT NULL CHECK (state IN ('invited', 'pending', 'enrolled', 'retired', 'wipe_pending', 'wiped')),
    compliance TEXT NOT NULL CHECK (compliance IN ('compliant', 'in_grace', 'noncompliant', 'unknown', 'unsupported')),
    words TEXT NOT NULL -- in lower case: what the device is called, and below it the address of its user
) WITHOUT ROWID;
INSERT INTO device_finder (device_id, user_id, platform, ownership, state, compliance, words)
    SELECT devices.id, user_id, platform, ownership, devices.state, compliance, search || char(10) || email
    FROM devices JOIN users ON users.id = devices.user_id ORDER BY devices.id;

CREATE TRIGGER devices_find_insert AFTER INSERT ON devices BEGIN
    INSERT INTO device_finder (device_id, user_id, platform, ownership, state, compliance, words)
        SELECT NEW.id, NEW.user_id, NEW.platform, NEW.ownership, NEW.state, NEW.compliance, NEW.search || char(10) || email
        FROM users WHERE id = NEW.user_id;
END;
CREATE TRIGGER devices_find_update AFTER UPDATE OF user_id, platform, ownership, state, compliance, search ON devices
WHEN (OLD.user_id, OLD.platform, OLD.ownership, OLD.state, OLD.compliance, OLD.search)
    IS NOT (NEW.user_id, NEW.platform, NEW.ownership, NEW.state, NEW.compliance, NEW.search) BEGIN
    UPDATE device_finder SET user_id = NEW.user_id, platform = NEW.platform, ownership = NEW.ownership, state = NEW.state,
        compliance = NEW.compliance, words = NEW.search || char(10) || (SELECT email FROM users WHERE id = NEW.user_id)
        WHERE device_id = NEW.id;
END;
CREATE TRIGGER users_find_devices AFTER UPDATE OF email ON users WHEN OLD.email IS NOT NEW.email BEGIN
    UPDATE device_finder SET words = (SELECT search FROM devices WHERE id = device_id) || char(10) || NEW.email
        WHERE device_id IN (SELECT id FROM devices WHERE user_id = NEW.id);
END;

-- Lists find their devices here, and no longer by these.
DROP INDEX devices_platform;
DROP INDEX devices_compliance;
DROP INDEX devices_ownership;
