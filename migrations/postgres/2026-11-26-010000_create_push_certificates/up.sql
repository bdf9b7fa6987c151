-- The keys for which a push certificate was asked, and the one certificate that is in use. Without certificate: asked for only.
CREATE TABLE push_certificates (
    id BYTEA NOT NULL PRIMARY KEY,
    key_hash BYTEA NOT NULL UNIQUE, -- SHA-256 of the public key: it finds the key that an imported certificate belongs to
    sealed_key BYTEA NOT NULL,
    requested_by TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    certificate BYTEA,
    topic TEXT,
    not_after BIGINT,
    imported_by TEXT,
    imported_at BIGINT
);
