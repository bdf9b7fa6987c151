DROP TABLE mail_passwords;
DROP TABLE mail_accounts;
