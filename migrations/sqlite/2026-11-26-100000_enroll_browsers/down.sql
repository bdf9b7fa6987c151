ALTER TABLE visits DROP COLUMN return_to;
DROP TABLE browsers;
