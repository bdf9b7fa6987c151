DELETE FROM link_events WHERE kind = 'released';
ALTER TABLE link_events DROP CONSTRAINT link_events_kind_check;
ALTER TABLE link_events ADD CONSTRAINT link_events_kind_check CHECK (kind IN ('opened', 'looks_safe', 'looks_unsafe'));
DROP TABLE mail_files;
DROP TABLE protected_file_pieces;
DROP TABLE protected_files;
DELETE FROM protected_links WHERE file_name IS NOT NULL;
ALTER TABLE protected_links DROP COLUMN file_length;
ALTER TABLE protected_links DROP COLUMN file_name;
