-- store::certificate_list::list looks through this, newest first, instead of the certificates themselves.
CREATE INDEX certificates_list ON certificates (id, revoked_at, not_after, email);
-- Counts those that are good, with a text as well; store::attention::count.
DROP INDEX certificates_not_after;
CREATE INDEX certificates_not_after ON certificates (not_after, email) WHERE revoked_at IS NULL;
-- store::enrollments::count_by_topic
CREATE INDEX enrollments_topic ON enrollments (topic, state);
