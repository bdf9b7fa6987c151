DROP TABLE enrollments;
DROP TABLE device_events;
DROP TABLE postures;
DROP TABLE devices;
