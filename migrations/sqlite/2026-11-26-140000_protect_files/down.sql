ALTER TABLE link_events RENAME TO link_events_before;
CREATE TABLE link_events (
    id BLOB NOT NULL PRIMARY KEY,
    link_id BLOB NOT NULL REFERENCES protected_links (id) ON DELETE CASCADE,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id BLOB REFERENCES devices (id) ON DELETE SET NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('opened', 'looks_safe', 'looks_unsafe'))
);
INSERT INTO link_events (id, link_id, user_id, device_id, at, kind)
SELECT id, link_id, user_id, device_id, at, kind FROM link_events_before WHERE kind <> 'released';
DROP TABLE link_events_before;
-- store::links::events, of one link and of one user
CREATE INDEX link_events_link ON link_events (link_id, id);
CREATE INDEX link_events_user ON link_events (user_id, id);
DROP TABLE mail_files;
DROP TABLE protected_file_pieces;
DROP TABLE protected_files;
DELETE FROM protected_links WHERE file_name IS NOT NULL;
ALTER TABLE protected_links DROP COLUMN file_length;
ALTER TABLE protected_links DROP COLUMN file_name;
