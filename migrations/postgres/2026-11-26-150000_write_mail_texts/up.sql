-- Mails as an administrator has written them; where there is no line, the text that comes with the server holds.
CREATE TABLE mail_texts (
    kind TEXT NOT NULL, -- which mail; a later version may know other ones
    language TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (kind, language)
);

-- The language of the mails to this user; NULL for the organization's.
ALTER TABLE users ADD COLUMN language TEXT;

-- Mails that announce something are written line by line as well.
ALTER TABLE imports DROP CONSTRAINT imports_kind_check;
ALTER TABLE imports ADD CONSTRAINT imports_kind_check CHECK (kind IN ('users', 'invitations', 'announcements'));
