-- One-time rights to obtain a certificate; the subject is decided here and never by the requester.
CREATE TABLE challenges (
    id BYTEA NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    enrollment_id BYTEA NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    common_name TEXT NOT NULL,
    email TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    spent_at BIGINT
);
CREATE INDEX challenges_enrollment ON challenges (enrollment_id);

CREATE TABLE certificates (
    id BYTEA NOT NULL PRIMARY KEY,
    serial BYTEA NOT NULL UNIQUE,
    fingerprint BYTEA NOT NULL UNIQUE, -- SHA-256 of the certificate
    enrollment_id BYTEA NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    common_name TEXT NOT NULL,
    email TEXT NOT NULL,
    certificate BYTEA NOT NULL,
    -- SHA-256 over transactionID and public key: a repeated request gets the same certificate.
    transaction_hash BYTEA NOT NULL UNIQUE,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    renew_at BIGINT,
    revoked_at BIGINT,
    revocation_reason TEXT
);
CREATE INDEX certificates_enrollment ON certificates (enrollment_id);
-- store::certificates::revoked
CREATE INDEX certificates_revoked ON certificates (revoked_at) WHERE revoked_at IS NOT NULL;
-- store::certificates::due_for_renewal
CREATE INDEX certificates_renew_at ON certificates (renew_at) WHERE renew_at IS NOT NULL;
