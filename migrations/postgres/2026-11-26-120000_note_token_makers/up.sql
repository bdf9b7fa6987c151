-- Who made a token: the name in the audit log, and the user if it was one. Nothing is known of those that are there already.
ALTER TABLE api_tokens ADD COLUMN created_by TEXT;
ALTER TABLE api_tokens ADD COLUMN created_by_user BYTEA REFERENCES users (id) ON DELETE SET NULL;
-- The reference from api_tokens: what a user made is found when the user is deleted.
CREATE INDEX api_tokens_created_by_user ON api_tokens (created_by_user) WHERE created_by_user IS NOT NULL;
