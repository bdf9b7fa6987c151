DROP TABLE wipes_handed_out;
ALTER TABLE commands DROP COLUMN ordered_by;
