DROP INDEX jobs_dead;
DROP INDEX mails_state;
ALTER TABLE mails DROP COLUMN is_unreachable;
ALTER TABLE mails DROP COLUMN attempts;
