-- The managed mail account of an enrollment: which profile it was last given, and when its password was last used.
CREATE TABLE mail_accounts (
    enrollment_id BYTEA NOT NULL PRIMARY KEY REFERENCES enrollments (id) ON DELETE CASCADE,
    version TEXT, -- PayloadUUID of the profile last queued; none after it failed
    rotation INTEGER NOT NULL, -- how often a new password was ordered
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    last_address TEXT
);

-- What is kept of a device's mail password: the hash by which Dovecot names it. The password itself is nowhere.
CREATE TABLE mail_passwords (
    hash BYTEA NOT NULL PRIMARY KEY,
    enrollment_id BYTEA NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    command_id BYTEA NOT NULL, -- with which it was handed out; the command may be gone
    login TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
-- store::mail_accounts::passwords, forget_passwords
CREATE INDEX mail_passwords_enrollment ON mail_passwords (enrollment_id);
