-- store::jobs::claim, store::jobs::is_due: one kind after the other, so that many waiting jobs of one kind do not slow the others.
CREATE INDEX jobs_due ON jobs (kind, run_at, id) WHERE dead_at IS NULL;
DROP INDEX jobs_run_at;
