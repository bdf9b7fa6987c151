-- The keys for which a push certificate was asked, and the one certificate that is in use. Without certificate: asked for only.
CREATE TABLE push_certificates (
    id BLOB NOT NULL PRIMARY KEY,
    key_hash BLOB NOT NULL UNIQUE, -- SHA-256 of the public key: it finds the key that an imported certificate belongs to
    sealed_key BLOB NOT NULL,
    requested_by TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    certificate BLOB,
    topic TEXT,
    not_after BIGINT,
    imported_by TEXT,
    imported_at BIGINT
);
