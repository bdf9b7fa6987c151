CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL, -- JSON
    updated_at BIGINT NOT NULL
);

-- Certificates of the server itself, with their keys sealed.
CREATE TABLE authorities (
    kind TEXT NOT NULL PRIMARY KEY CHECK (kind IN ('device_ca', 'scep_ra', 'profile_signer', 'ocsp_responder')),
    certificate BLOB NOT NULL,
    sealed_key BLOB NOT NULL,
    not_after BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE audit (
    sequence BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('user', 'token', 'command_line', 'server')),
    actor_name TEXT NOT NULL,
    action TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL, -- JSON
    hash BLOB NOT NULL
);
-- store::audit::list, by actor and by action
CREATE INDEX audit_actor ON audit (actor_name, sequence);
CREATE INDEX audit_action ON audit (action, sequence);

-- One row: the end of the chain. Its lock puts writers of the log in a row.
CREATE TABLE audit_head (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    sequence BIGINT NOT NULL,
    hash BLOB NOT NULL
);
INSERT INTO audit_head (id, sequence, hash) VALUES (1, 0, ZEROBLOB(32));
