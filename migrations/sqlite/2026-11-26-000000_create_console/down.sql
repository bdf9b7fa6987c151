DROP INDEX commands_awaiting_approval;
DROP INDEX certificates_not_after;
DROP INDEX devices_ownership;
DROP INDEX devices_picture;
DROP TABLE census;
DROP TABLE sign_in_failures;
DROP TABLE sessions;
