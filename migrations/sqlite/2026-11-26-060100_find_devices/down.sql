CREATE INDEX devices_ownership ON devices (ownership);
CREATE INDEX devices_compliance ON devices (compliance);
CREATE INDEX devices_platform ON devices (platform, compliance);
DROP TRIGGER users_find_devices;
DROP TRIGGER devices_find_update;
DROP TRIGGER devices_find_insert;
DROP TABLE device_finder;
