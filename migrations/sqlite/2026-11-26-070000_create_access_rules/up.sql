-- Groups whose members' devices come in however they stand. The other access rules are one document among the settings.
CREATE TABLE access_excluded_groups (
    group_id BLOB NOT NULL PRIMARY KEY REFERENCES groups (id) ON DELETE CASCADE
);

-- What an administrator decided about one device, until its end.
CREATE TABLE access_exceptions (
    device_id BLOB NOT NULL PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    decision TEXT NOT NULL CHECK (decision IN ('allow', 'quarantine', 'block')),
    until BIGINT NOT NULL,
    note TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
