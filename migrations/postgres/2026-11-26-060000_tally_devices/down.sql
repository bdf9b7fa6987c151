CREATE INDEX devices_picture ON devices (platform, state, compliance);
DROP TRIGGER devices_tally_update ON devices;
DROP TRIGGER devices_tally ON devices;
DROP FUNCTION tally_device();
DROP TABLE device_tallies;
