ALTER TABLE visits DROP COLUMN backend;
ALTER TABLE enrollments DROP COLUMN management_mode;
ALTER TABLE enrollments DROP COLUMN backend;
