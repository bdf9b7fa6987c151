DROP INDEX api_tokens_created_by_user;
ALTER TABLE api_tokens DROP COLUMN created_by_user;
ALTER TABLE api_tokens DROP COLUMN created_by;
