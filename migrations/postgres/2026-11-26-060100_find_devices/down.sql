CREATE INDEX devices_ownership ON devices (ownership);
CREATE INDEX devices_compliance ON devices (compliance);
CREATE INDEX devices_platform ON devices (platform, compliance);
DROP TRIGGER users_find_devices ON users;
DROP FUNCTION find_devices_of_user();
DROP TRIGGER devices_find_update ON devices;
DROP TRIGGER devices_find ON devices;
DROP FUNCTION find_device();
DROP TABLE device_finder;
