-- A browser that is enrolled: the other end of an enrollment whose backend is 'browser'.
CREATE TABLE browsers (
    enrollment_id BYTEA NOT NULL PRIMARY KEY REFERENCES enrollments (id) ON DELETE CASCADE,
    hash BYTEA NOT NULL UNIQUE, -- SHA-256 of the cookie
    user_agent TEXT NOT NULL, -- what it called itself when it enrolled
    used_at BIGINT NOT NULL, -- to the hour
    expires_at BIGINT NOT NULL -- moves on with every use
);
-- store::browsers::idle
CREATE INDEX browsers_expires_at ON browsers (expires_at);
-- Where the person wanted to go: an address of this server, without its host.
ALTER TABLE visits ADD COLUMN return_to TEXT;
