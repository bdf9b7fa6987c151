CREATE TABLE policies (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    is_for_everyone BOOLEAN NOT NULL,
    rules TEXT NOT NULL, -- JSON
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE policy_groups (
    policy_id BLOB NOT NULL REFERENCES policies (id) ON DELETE CASCADE,
    group_id BLOB NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (policy_id, group_id)
);
-- store::policies::for_user
CREATE INDEX policy_groups_group ON policy_groups (group_id);
