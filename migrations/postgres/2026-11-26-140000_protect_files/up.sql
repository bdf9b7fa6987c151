-- A link can stand for a file in place of an address. What it is called and how long it is stays for the report.
ALTER TABLE protected_links ADD COLUMN file_name TEXT; -- the target is empty then
ALTER TABLE protected_links ADD COLUMN file_length BIGINT;

-- What is kept of a file as long as its link is good.
CREATE TABLE protected_files (
    link_id BYTEA NOT NULL PRIMARY KEY REFERENCES protected_links (id) ON DELETE CASCADE,
    kind TEXT NOT NULL, -- its type, as mails name it
    expires_at BIGINT NOT NULL -- when the link ends
);
-- store::files::purge
CREATE INDEX protected_files_expires_at ON protected_files (expires_at);

-- The content, in pieces: a backup writes many rows at once, and each has to fit into memory with its neighbours.
CREATE TABLE protected_file_pieces (
    link_id BYTEA NOT NULL REFERENCES protected_files (link_id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    sealed_content BYTEA NOT NULL,
    PRIMARY KEY (link_id, position)
);

-- Which mail brings which file. It is put into the mail when that is sent, so that no copy outlives the link.
CREATE TABLE mail_files (
    mail_id BYTEA NOT NULL PRIMARY KEY REFERENCES mails (id) ON DELETE CASCADE,
    link_id BYTEA NOT NULL REFERENCES protected_links (id) ON DELETE CASCADE
);

-- One more thing that people do with links.
ALTER TABLE link_events DROP CONSTRAINT link_events_kind_check;
ALTER TABLE link_events ADD CONSTRAINT link_events_kind_check CHECK (kind IN ('opened', 'looks_safe', 'looks_unsafe', 'released'));
