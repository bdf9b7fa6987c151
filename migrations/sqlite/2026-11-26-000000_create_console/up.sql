-- Who is signed in to the console. Only the hash of what the browser holds is kept.
CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    browser TEXT NOT NULL,
    address TEXT NOT NULL,
    network TEXT NOT NULL, -- what counts as one place to come from
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
-- store::sessions::list, end_of_user
CREATE INDEX sessions_user ON sessions (user_id);
-- store::sessions::purge
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Passwords that were not right, for as long as they slow the next try down.
CREATE TABLE sign_in_failures (
    id BLOB NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    address TEXT NOT NULL,
    at BIGINT NOT NULL
);
-- store::sessions::failures_since
CREATE INDEX sign_in_failures_email ON sign_in_failures (email, at);
-- store::sessions::purge
CREATE INDEX sign_in_failures_at ON sign_in_failures (at);

-- How many devices stood how, once for each day: what the trend is drawn from.
CREATE TABLE census (
    day BIGINT NOT NULL, -- midnight in UTC
    compliance TEXT NOT NULL CHECK (compliance IN ('compliant', 'in_grace', 'noncompliant', 'unknown', 'unsupported')),
    devices BIGINT NOT NULL,
    PRIMARY KEY (day, compliance)
);

-- store::devices::totals reads this instead of the table.
CREATE INDEX devices_picture ON devices (platform, state, compliance);
-- store::devices::list, whose total counts what it filters.
CREATE INDEX devices_ownership ON devices (ownership);

-- store::attention::count
CREATE INDEX certificates_not_after ON certificates (not_after) WHERE revoked_at IS NULL;
CREATE INDEX commands_awaiting_approval ON commands (id) WHERE state = 'awaiting_approval';
