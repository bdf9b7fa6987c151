-- Links that lead through this server to their target, for people in an enrolled browser only.
CREATE TABLE protected_links (
    id BLOB NOT NULL PRIMARY KEY,
    target TEXT NOT NULL,
    note TEXT NOT NULL,
    recipient TEXT, -- to whom the mail was first sent; whoever opens the link may be somebody else
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    withdrawn_at BIGINT
);

-- What people did with them.
CREATE TABLE link_events (
    id BLOB NOT NULL PRIMARY KEY,
    link_id BLOB NOT NULL REFERENCES protected_links (id) ON DELETE CASCADE,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id BLOB REFERENCES devices (id) ON DELETE SET NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('opened', 'looks_safe', 'looks_unsafe'))
);
-- store::links::events, of one link and of one user
CREATE INDEX link_events_link ON link_events (link_id, id);
CREATE INDEX link_events_user ON link_events (user_id, id);
