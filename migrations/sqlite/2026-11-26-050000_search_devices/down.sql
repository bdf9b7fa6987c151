ALTER TABLE devices DROP COLUMN search;
