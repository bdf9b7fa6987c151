-- Many users at once: what was asked for, by whom, and how far it has come.
CREATE TABLE imports (
    id BYTEA NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('users', 'invitations')),
    state TEXT NOT NULL CHECK (state IN ('running', 'finished')),
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('user', 'token', 'command_line', 'server')),
    actor_name TEXT NOT NULL,
    should_invite BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);

-- One user each. What became of it stays, also when the user or the mail is gone.
CREATE TABLE import_lines (
    import_id BYTEA NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    groups TEXT NOT NULL, -- identifiers, as JSON
    ownership TEXT NOT NULL CHECK (ownership IN ('company', 'personal')),
    outcome TEXT NOT NULL CHECK (outcome IN ('waiting', 'created', 'invited', 'existing', 'failed')),
    why TEXT,
    user_id BYTEA,
    mail_id BYTEA,
    PRIMARY KEY (import_id, number)
);
-- store::imports::waiting, count
CREATE INDEX import_lines_outcome ON import_lines (import_id, outcome, number);
