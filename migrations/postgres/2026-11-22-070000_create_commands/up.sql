CREATE TABLE commands (
    id BYTEA NOT NULL PRIMARY KEY,
    enrollment_id BYTEA NOT NULL REFERENCES enrollments (id) ON DELETE CASCADE,
    device_id BYTEA NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    body TEXT NOT NULL, -- JSON
    purpose TEXT NOT NULL CHECK (purpose IN ('administrator', 'facts', 'policy', 'renewal', 'selective_wipe', 'selective_wipe_end', 'full_wipe', 'retire')),
    state TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'not_now', 'acknowledged', 'failed', 'expired', 'cancelled', 'awaiting_approval')),
    reason TEXT,
    times_sent INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    sent_at BIGINT,
    finished_at BIGINT,
    error TEXT,
    answer TEXT -- JSON
);
-- store::commands::next
CREATE INDEX commands_next ON commands (enrollment_id, id) WHERE state IN ('queued', 'sent', 'not_now');
-- store::commands::list
CREATE INDEX commands_device ON commands (device_id, id);
