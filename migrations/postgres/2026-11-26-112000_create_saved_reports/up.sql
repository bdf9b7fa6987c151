-- Views of the compliance report that somebody saved, and to whom each is mailed how often.
CREATE TABLE saved_reports (
    id BYTEA NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    wanted TEXT NOT NULL,
    every TEXT CHECK (every IN ('day', 'week', 'month')),
    recipients TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_sent_at BIGINT,
    next_at BIGINT
);
-- store::saved_reports::due
CREATE INDEX saved_reports_next ON saved_reports (next_at) WHERE next_at IS NOT NULL;
