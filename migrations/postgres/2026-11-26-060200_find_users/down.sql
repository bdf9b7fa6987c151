DROP INDEX users_source;
DROP TRIGGER users_find_update ON users;
DROP TRIGGER users_find ON users;
DROP FUNCTION find_user();
DROP TABLE user_finder;
