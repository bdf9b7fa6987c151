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

CREATE TRIGGER devices_tally_insert AFTER INSERT ON devices BEGIN
    INSERT INTO device_tallies (platform, ownership, state, compliance, amount)
        VALUES (NEW.platform, NEW.ownership, NEW.state, NEW.compliance, 1);
END;
CREATE TRIGGER devices_tally_update AFTER UPDATE OF platform, ownership, state, compliance ON devices
WHEN (OLD.platform, OLD.ownership, OLD.state, OLD.compliance) IS NOT (NEW.platform, NEW.ownership, NEW.state, NEW.compliance) BEGIN
    INSERT INTO device_tallies (platform, ownership, state, compliance, amount)
        VALUES (OLD.platform, OLD.ownership, OLD.state, OLD.compliance, -1), (NEW.platform, NEW.ownership, NEW.state, NEW.compliance, 1);
END;
CREATE TRIGGER devices_tally_delete AFTER DELETE ON devices BEGIN
    INSERT INTO device_tallies (platform, ownership, state, compliance, amount)
        VALUES (OLD.platform, OLD.ownership, OLD.state, OLD.compliance, -1);
END;

-- The numbers that these were for come from the tallies.
DROP INDEX devices_picture;
