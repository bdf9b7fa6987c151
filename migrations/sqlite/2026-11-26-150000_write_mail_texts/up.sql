-- Mails as an administrator has written them; where there is no line, the text that comes with the server holds.
CREATE TABLE mail_texts (
    kind TEXT NOT NULL, -- which mail; a later version may know other ones
    language TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (kind, language)
);

-- The language of the mails to this user; NULL for the organization's.
ALTER TABLE users ADD COLUMN language TEXT;

-- Mails that announce something are written line by line as well. SQLite changes no check in place.
ALTER TABLE imports RENAME TO imports_before;
ALTER TABLE import_lines RENAME TO import_lines_before;
CREATE TABLE imports (
    id BLOB NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('users', 'invitations', 'announcements')),
    state TEXT NOT NULL CHECK (state IN ('running', 'finished')),
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('user', 'token', 'command_line', 'server')),
    actor_name TEXT NOT NULL,
    should_invite BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE TABLE import_lines (
    import_id BLOB NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    groups TEXT NOT NULL, -- identifiers, as JSON
    ownership TEXT NOT NULL CHECK (ownership IN ('company', 'personal')),
    outcome TEXT NOT NULL CHECK (outcome IN ('waiting', 'created', 'invited', 'existing', 'failed')),
    why TEXT,
    user_id BLOB,
    mail_id BLOB,
    PRIMARY KEY (import_id, number)
);
INSERT INTO imports (id, kind, state, actor_kind, actor_name, should_invite, created_at, finished_at)
SELECT id, kind, state, actor_kind, actor_name, should_invite, created_at, finished_at FROM imports_before;
INSERT INTO import_lines (import_id, number, email, name, groups, ownership, outcome, why, user_id, mail_id)
SELECT import_id, number, email, name, groups, ownership, outcome, why, user_id, mail_id FROM import_lines_before;
DROP TABLE import_lines_before;
DROP TABLE imports_before;
-- store::imports::waiting, count
CREATE INDEX import_lines_outcome ON import_lines (import_id, outcome, number);
