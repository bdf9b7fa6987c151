-- A link can stand for a file in place of an address. What it is called and how long it is stays for the report.
ALTER TABLE protected_links ADD COLUMN file_name TEXT; -- the target is empty then
ALTER TABLE protected_links ADD COLUMN file_length BIGINT;

-- What is kept of a file as long as its link is good.
CREATE TABLE protected_files (
    link_id BLOB NOT NULL PRIMARY KEY REFERENCES protected_links (id) ON DELETE CASCADE,
    kind TEXT NOT NULL, -- its type, as mails name it
    expires_at BIGINT NOT NULL -- when the link ends
);
-- store::files::purge
CREATE INDEX protected_files_expires_at ON protected_files (expires_at);

-- The content, in pieces: a backup writes many rows at once, and each has to fit into memory with its neighbours.
CREATE TABLE protected_file_pieces (
    link_id BLOB NOT NULL REFERENCES protected_files (link_id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    sealed_content BLOB NOT NULL,
    PRIMARY KEY (link_id, position)
);

-- Which mail brings which file. It is put into the mail when that is sent, so that no copy outlives the link.
CREATE TABLE mail_files (
    mail_id BLOB NOT NULL PRIMARY KEY REFERENCES mails (id) ON DELETE CASCADE,
    link_id BLOB NOT NULL REFERENCES protected_links (id) ON DELETE CASCADE
);

-- One more thing that people do with links. SQLite changes what a column accepts only with the whole table.
ALTER TABLE link_events RENAME TO link_events_before;
CREATE TABLE link_events (
    id BLOB NOT NULL PRIMARY KEY,
    link_id BLOB NOT NULL REFERENCES protected_links (id) ON DELETE CASCADE,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id BLOB REFERENCES devices (id) ON DELETE SET NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('opened', 'looks_safe', 'looks_unsafe', 'released'))
);
INSERT INTO link_events (id, link_id, user_id, device_id, at, kind)
SELECT id, link_id, user_id, device_id, at, kind FROM link_events_before;
DROP TABLE link_events_before;
-- store::links::events, of one link and of one user
CREATE INDEX link_events_link ON link_events (link_id, id);
CREATE INDEX link_events_user ON link_events (user_id, id);
