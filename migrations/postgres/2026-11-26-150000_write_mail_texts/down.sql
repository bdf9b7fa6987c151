DELETE FROM imports WHERE kind = 'announcements';
ALTER TABLE imports DROP CONSTRAINT imports_kind_check;
ALTER TABLE imports ADD CONSTRAINT imports_kind_check CHECK (kind IN ('users', 'invitations'));
ALTER TABLE users DROP COLUMN language;
DROP TABLE mail_texts;
