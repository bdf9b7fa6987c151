CREATE INDEX devices_picture ON devices (platform, state, compliance);
DROP TRIGGER devices_tally_delete;
DROP TRIGGER devices_tally_update;
DROP TRIGGER devices_tally_insert;
DROP TABLE device_tallies;
