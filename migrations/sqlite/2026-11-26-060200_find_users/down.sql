DROP INDEX users_source;
DROP TRIGGER users_find_update;
DROP TRIGGER users_find_insert;
DROP TABLE user_finder;
