-- Changes on their way to the devices that they concern, with how far they have come.
CREATE TABLE rollouts (
    id BYTEA NOT NULL PRIMARY KEY,
    cause TEXT NOT NULL,
    scope TEXT NOT NULL,
    total BIGINT NOT NULL,
    done BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    last_device BYTEA,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT
);
-- store::rollouts::waiting_for
CREATE INDEX rollouts_unfinished ON rollouts (id) WHERE finished_at IS NULL;

-- How far devices that break their policy have come.
CREATE TABLE ladders (
    device_id BYTEA NOT NULL PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    since BIGINT NOT NULL,
    mailed_at BIGINT,
    blocked_for TEXT NOT NULL,
    proposed_at BIGINT
);
