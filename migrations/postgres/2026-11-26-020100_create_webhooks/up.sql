CREATE TABLE webhooks (
    id BYTEA NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    sealed_secret BYTEA NOT NULL,
    events TEXT NOT NULL, -- JSON: the words of the events that are wanted
    is_enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_success_at BIGINT,
    last_failure_at BIGINT,
    last_error TEXT,
    consecutive_failures INTEGER NOT NULL,
    failing_since BIGINT,
    retry_at BIGINT, -- nothing is sent before then
    paused_at BIGINT, -- nothing is sent until an administrator enables it again
    lease_until BIGINT -- by the database's clock: somebody is sending
);

CREATE TABLE webhook_deliveries (
    id BYTEA NOT NULL PRIMARY KEY,
    webhook_id BYTEA NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    body TEXT NOT NULL, -- JSON, as it is sent
    state TEXT NOT NULL CHECK (state IN ('queued', 'delivered', 'failed')),
    attempts INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    delivered_at BIGINT,
    last_status INTEGER,
    last_error TEXT
);
-- store::deliveries::list
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, id);
-- store::deliveries::next_due, store::deliveries::next_waiting, store::deliveries::count_waiting
CREATE INDEX webhook_deliveries_queued ON webhook_deliveries (webhook_id, id) WHERE state = 'queued';
-- store::deliveries::purge
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_at);
