DROP INDEX enrollments_topic;
DROP INDEX certificates_not_after;
CREATE INDEX certificates_not_after ON certificates (not_after) WHERE revoked_at IS NULL;
DROP INDEX certificates_list;
