-- Activation certificates that wait to be downloaded, with their keys. Each lives for minutes, and is gone once it was downloaded.
CREATE TABLE activation_files (
    enrollment_id BYTEA NOT NULL PRIMARY KEY REFERENCES enrollments (id) ON DELETE CASCADE,
    visit_id BYTEA NOT NULL REFERENCES visits (id) ON DELETE CASCADE,
    sealed_file BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX activation_files_visit ON activation_files (visit_id);
-- store::activation_files::expired
CREATE INDEX activation_files_expires_at ON activation_files (expires_at);
