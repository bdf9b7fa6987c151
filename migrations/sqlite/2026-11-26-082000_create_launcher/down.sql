DROP TABLE launcher_numbers;
DROP TABLE launchers;
DROP TABLE launcher_pieces;
DROP TABLE launcher_packages;
