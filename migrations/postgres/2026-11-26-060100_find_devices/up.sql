-- What devices are found by, and nothing else, in the order of their identifiers: store::devices::list looks through all of it where
-- it has to, and it is a tenth of what the devices themselves take. Triggers write it, and only when something in it changes.
CREATE TABLE device_finder (
    device_id BYTEA NOT NULL PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    user_id BYTEA NOT NULL, -- as the device says
    platform TEXT NOT NULL CHECK (platform IN ('ios', 'ipados', 'macos', 'android', 'browser', 'other')),
    ownership TEXT NOT NULL CHECK (ownership IN ('company', 'personal')),
    state TEXT NOT NULL CHECK (state IN ('invited', 'pending', 'enrolled', 'retired', 'wipe_pending', 'wiped')),
    compliance TEXT NOT NULL CHECK (compliance IN ('compliant', 'in_grace', 'noncompliant', 'unknown', 'unsupported')),
    words TEXT NOT NULL -- in lower case: what the device is called, and below it the address of its user
);
INSERT INTO device_finder (device_id, user_id, platform, ownership, state, compliance, words)
    SELECT devices.id, user_id, platform, ownership, devices.state, compliance, search || chr(10) || email
    FROM devices JOIN users ON users.id = devices.user_id ORDER BY devices.id;

CREATE FUNCTION find_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO device_finder (device_id, user_id, platform, ownership, state, compliance, words)
            SELECT NEW.id, NEW.user_id, NEW.platform, NEW.ownership, NEW.state, NEW.compliance, NEW.search || chr(10) || email
            FROM users WHERE id = NEW.user_id;
    ELSE
        UPDATE device_finder SET user_id = NEW.user_id, platform = NEW.platform, ownership = NEW.ownership, state = NEW.state,
            compliance = NEW.compliance, words = NEW.search || chr(10) || (SELECT email FROM users WHERE id = NEW.user_id)
            WHERE device_id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER devices_find AFTER INSERT ON devices FOR EACH ROW EXECUTE FUNCTION find_device();
CREATE TRIGGER devices_find_update AFTER UPDATE OF user_id, platform, ownership, state, compliance, search ON devices FOR EACH ROW
WHEN ((OLD.user_id, OLD.platform, OLD.ownership, OLD.state, OLD.compliance, OLD.search)
    IS DISTINCT FROM (NEW.user_id, NEW.platform, NEW.ownership, NEW.state, NEW.compliance, NEW.search))
EXECUTE FUNCTION find_device();

CREATE FUNCTION find_devices_of_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE device_finder SET words = search || chr(10) || NEW.email
        FROM devices WHERE devices.id = device_id AND devices.user_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER users_find_devices AFTER UPDATE OF email ON users FOR EACH ROW
WHEN (OLD.email IS DISTINCT FROM NEW.email) EXECUTE FUNCTION find_devices_of_user();

-- Lists find their devices here, and no longer by these.
DROP INDEX devices_platform;
DROP INDEX devices_compliance;
DROP INDEX devices_ownership;
