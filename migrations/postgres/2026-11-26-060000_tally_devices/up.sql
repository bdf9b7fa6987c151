-- How many devices there are of each kind, so that nobody has to count them: a kind's number is the sum of its rows. Each change of
-- a device adds rows and touches none that is there, so that those who write never wait for each other; store::tallies::fold
-- makes one row of many from time to time. Triggers write it, so that an older server that still runs counts along.
CREATE TABLE device_tallies (
    platform TEXT NOT NULL CHECK (platform IN ('ios', 'ipados', 'macos', 'android', 'browser', 'other')),
    ownership TEXT NOT NULL CHECK (ownership IN ('company', 'personal')),
    state TEXT NOT NULL CHECK (state IN ('invited', 'pending', 'enrolled', 'retired', 'wipe_pending', 'wiped')),
    compliance TEXT NOT NULL CHECK (compliance IN ('compliant', 'in_grace', 'noncompliant', 'unknown', 'unsupported')),
    amount BIGINT NOT NULL
);
INSERT INTO device_tallies (platform, ownership, state, compliance, amount)
    SELECT platform, ownership, state, compliance, count(*) FROM devices GROUP BY platform, ownership, state, compliance;

CREATE FUNCTION tally_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO device_tallies (platform, ownership, state, compliance, amount)
            VALUES (OLD.platform, OLD.ownership, OLD.state, OLD.compliance, -1);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO device_tallies (platform, ownership, state, compliance, amount)
            VALUES (NEW.platform, NEW.ownership, NEW.state, NEW.compliance, 1);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER devices_tally AFTER INSERT OR DELETE ON devices FOR EACH ROW EXECUTE FUNCTION tally_device();
CREATE TRIGGER devices_tally_update AFTER UPDATE OF platform, ownership, state, compliance ON devices FOR EACH ROW
WHEN ((OLD.platform, OLD.ownership, OLD.state, OLD.compliance) IS DISTINCT FROM (NEW.platform, NEW.ownership, NEW.state, NEW.compliance))
EXECUTE FUNCTION tally_device();

-- The numbers that these were for come from the tallies.
DROP INDEX devices_picture;
