-- How a device is managed, and so what can be done with it. What is there already are Apple devices.
ALTER TABLE enrollments ADD COLUMN backend TEXT NOT NULL DEFAULT 'apple'
    CHECK (backend IN ('apple', 'certificate', 'agent', 'headwind', 'browser'));
-- What an agent said it is on its device.
ALTER TABLE enrollments ADD COLUMN management_mode TEXT
    CHECK (management_mode IN ('device_owner', 'profile_owner'));
-- What the person chose, where there was a choice.
ALTER TABLE visits ADD COLUMN backend TEXT
    CHECK (backend IN ('apple', 'certificate', 'agent', 'headwind', 'browser'));
