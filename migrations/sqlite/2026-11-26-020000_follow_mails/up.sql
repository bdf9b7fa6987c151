ALTER TABLE mails ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
-- The mail server itself could not be used: the mail leaves as soon as it can.
ALTER TABLE mails ADD COLUMN is_unreachable BOOLEAN NOT NULL DEFAULT FALSE;
-- store::mails::list, store::mails::unreachable, store::mails::failed
CREATE INDEX mails_state ON mails (state, id);
-- store::backlog::list
CREATE INDEX jobs_dead ON jobs (id) WHERE dead_at IS NOT NULL;
