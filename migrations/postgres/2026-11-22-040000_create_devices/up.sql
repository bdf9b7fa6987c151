CREATE TABLE devices (
    id BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- The UDID, or the EnrollmentID of a User Enrollment: what the device calls itself. Two users may claim the same.
    identifier TEXT NOT NULL,
    platform TEXT NOT NULL CHECK (platform IN ('ios', 'ipados', 'macos', 'android', 'browser', 'other')),
    ownership TEXT NOT NULL CHECK (ownership IN ('company', 'personal')),
    state TEXT NOT NULL CHECK (state IN ('invited', 'pending', 'enrolled', 'retired', 'wipe_pending', 'wiped')),
    generation INTEGER NOT NULL,
    enrollment_id BYTEA, -- the present enrollment
    model TEXT,
    product_name TEXT,
    device_name TEXT,
    serial TEXT,
    os_version TEXT,
    compliance TEXT NOT NULL CHECK (compliance IN ('compliant', 'in_grace', 'noncompliant', 'unknown', 'unsupported')),
    access TEXT NOT NULL CHECK (access IN ('allow', 'quarantine', 'block')),
    reasons TEXT NOT NULL, -- JSON
    deadline BIGINT,
    evaluate_at BIGINT,
    evaluated_at BIGINT,
    refresh_at BIGINT,
    last_seen_at BIGINT,
    enrolled_at BIGINT,
    created_at BIGINT NOT NULL,
    UNIQUE (user_id, identifier)
);
-- store::devices::list and totals, by system and by status
CREATE INDEX devices_platform ON devices (platform, compliance);
CREATE INDEX devices_compliance ON devices (compliance);
CREATE INDEX devices_state ON devices (state);
-- store::devices::due_for_evaluation, due_for_refresh
CREATE INDEX devices_evaluate_at ON devices (evaluate_at) WHERE evaluate_at IS NOT NULL;
CREATE INDEX devices_refresh_at ON devices (refresh_at) WHERE refresh_at IS NOT NULL;

CREATE TABLE postures (
    device_id BYTEA NOT NULL PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    facts TEXT NOT NULL, -- JSON
    updated_at BIGINT NOT NULL
);

CREATE TABLE device_events (
    id BYTEA NOT NULL PRIMARY KEY,
    device_id BYTEA NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    cause TEXT NOT NULL
);
-- store::timeline::list
CREATE INDEX device_events_device ON device_events (device_id, id);

CREATE TABLE enrollments (
    id BYTEA NOT NULL PRIMARY KEY,
    user_id BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id BYTEA REFERENCES devices (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    ownership TEXT NOT NULL CHECK (ownership IN ('company', 'personal')),
    rights INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('prepared', 'authenticated', 'enrolled', 'ended')),
    is_user_enrollment BOOLEAN NOT NULL,
    consent_version TEXT,
    consented_at BIGINT,
    fingerprint BYTEA, -- the certificate that Authenticate came with
    topic TEXT,
    push_token BYTEA,
    push_magic TEXT,
    sealed_unlock_token BYTEA,
    is_awaiting_configuration BOOLEAN NOT NULL,
    sealed_bootstrap_token BYTEA,
    passcode_profile TEXT, -- PayloadUUID of the one last queued
    created_at BIGINT NOT NULL,
    enrolled_at BIGINT,
    ended_at BIGINT,
    end_cause TEXT
);
-- store::enrollments::end_others
CREATE INDEX enrollments_device ON enrollments (device_id);
CREATE INDEX enrollments_user ON enrollments (user_id);
