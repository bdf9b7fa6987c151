CREATE TABLE invitations (
    id BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash BYTEA NOT NULL UNIQUE,
    ownership TEXT NOT NULL CHECK (ownership IN ('company', 'personal')),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX invitations_user ON invitations (user_id);

-- One browser's walk through the portal.
CREATE TABLE visits (
    id BYTEA NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    invitation_id BYTEA REFERENCES invitations (id) ON DELETE SET NULL,
    email TEXT, -- what was typed; proves nothing
    user_id BYTEA REFERENCES users (id) ON DELETE CASCADE, -- set once a code has proved the mailbox
    ownership TEXT NOT NULL CHECK (ownership IN ('company', 'personal')),
    consent_version TEXT,
    consented_at BIGINT,
    enrollment_id BYTEA REFERENCES enrollments (id) ON DELETE SET NULL,
    profile_taken_at BIGINT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
-- store::visits::purge
CREATE INDEX visits_expires_at ON visits (expires_at);
CREATE INDEX visits_user ON visits (user_id);

CREATE TABLE codes (
    id BYTEA NOT NULL PRIMARY KEY,
    visit_id BYTEA NOT NULL REFERENCES visits (id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    hash BYTEA NOT NULL,
    tries INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    spent_at BIGINT
);
-- store::codes::newest
CREATE INDEX codes_visit ON codes (visit_id, id);
-- store::codes::sent_since, failures_since
CREATE INDEX codes_email ON codes (email, created_at);
