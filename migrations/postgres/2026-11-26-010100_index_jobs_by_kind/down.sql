CREATE INDEX jobs_run_at ON jobs (run_at) WHERE dead_at IS NULL;
DROP INDEX jobs_due;
