-- The launcher's Android package, kept in pieces so that none of it has to be in memory at once. Without a time of completion it is
-- still being uploaded, or its upload was broken off.
CREATE TABLE launcher_packages (
    id BYTEA NOT NULL PRIMARY KEY,
    file_name TEXT NOT NULL,
    package TEXT NOT NULL,
    version TEXT,
    length BIGINT NOT NULL,
    sha256 BYTEA NOT NULL, -- of the file
    certificate_sha256 BYTEA, -- of the certificate that signed it, where it says so
    uploaded_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    completed_at BIGINT
);

CREATE TABLE launcher_pieces (
    package_id BYTEA NOT NULL REFERENCES launcher_packages (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (package_id, position)
);

-- What is kept for each enrollment by the launcher.
CREATE TABLE launchers (
    enrollment_id BYTEA NOT NULL PRIMARY KEY REFERENCES enrollments (id) ON DELETE CASCADE,
    cookie_hash BYTEA NOT NULL UNIQUE, -- SHA-256 of the cookie that allows the download
    panel_password TEXT NOT NULL, -- MD5 of a password that nobody knows: the launcher's own settings stay closed
    expires_at BIGINT NOT NULL, -- a device must have begun by then
    configured_at BIGINT, -- when the configuration was last fetched
    configured_version TEXT, -- the version of the policy in it
    version_since BIGINT, -- when a configuration with that version was first fetched
    confirmed_at BIGINT, -- when the device showed that the last configuration had reached it
    locked_at BIGINT,
    lock_message TEXT
);

-- The numbers by which devices are known. They are secrets: only the hash finds one.
CREATE TABLE launcher_numbers (
    hash BYTEA NOT NULL PRIMARY KEY, -- SHA-256 of the number
    enrollment_id BYTEA NOT NULL REFERENCES launchers (enrollment_id) ON DELETE CASCADE,
    sealed_number BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT, -- when a device first used it
    retired_at BIGINT -- when the device used its successor
);
-- store::launchers::newest_number
CREATE INDEX launcher_numbers_enrollment ON launcher_numbers (enrollment_id);
