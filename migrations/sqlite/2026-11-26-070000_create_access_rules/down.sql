DROP TABLE access_exceptions;
DROP TABLE access_excluded_groups;
