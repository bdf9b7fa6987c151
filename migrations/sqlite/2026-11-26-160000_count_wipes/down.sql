DROP INDEX commands_endings_sent;
