-- Times of this table are those of the database's clock.
CREATE TABLE jobs (
    id BYTEA NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE, -- one job for each key; enqueued again, it is done once more
    payload TEXT NOT NULL, -- JSON
    run_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    lease_until BIGINT,
    is_enqueued_again BOOLEAN NOT NULL,
    last_error TEXT,
    dead_at BIGINT,
    created_at BIGINT NOT NULL
);
-- store::jobs::claim
CREATE INDEX jobs_run_at ON jobs (run_at) WHERE dead_at IS NULL;

CREATE TABLE mails (
    id BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA REFERENCES users (id) ON DELETE CASCADE,
    recipient TEXT NOT NULL,
    template TEXT NOT NULL,
    subject TEXT NOT NULL,
    message_id TEXT NOT NULL UNIQUE,
    sealed_message BYTEA, -- gone once it was sent
    state TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'expired', 'failed')),
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    sent_at BIGINT,
    last_error TEXT
);
CREATE INDEX mails_user ON mails (user_id, id);
